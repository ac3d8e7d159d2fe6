// Signs queries with the signers of npm, in headers and presigned. Reads {host, path, services,
// region, queries, keys} as JSON and prints the requests as JSON.
import { createHash, createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { SignatureV4 } from '@smithy/signature-v4'
import aws4 from 'aws4'
import { AwsV4Signer } from 'aws4fetch'

const { host, path, services, region, queries, keys } = JSON.parse(readFileSync(0))

class Sha256 {
  constructor (secret) {
    this.hash = secret ? createHmac('sha256', secret) : createHash('sha256')
  }

  update (data) { this.hash.update(data) }
  async digest () { return this.hash.digest() }
}

const signers = {
  aws4 (query, service, signQuery) {
    const request = { host, path: `${path}?${query}`, headers: { Host: host }, service, region, signQuery }
    const signed = aws4.sign(request, keys)
    return { target: signed.path, headers: signed.headers }
  },

  async aws4fetch (query, service, signQuery) {
    const request = { ...keys, url: `http://${host}${path}?${query}`, service, region, signQuery }
    const { url, headers } = await new AwsV4Signer(request).sign()
    return { target: url.pathname + url.search, headers: Object.fromEntries(headers) }
  },

  async smithy (query, service, isPresigned) {
    const pairs = {}
    for (const [name, value] of new URLSearchParams(query)) (pairs[name] ??= []).push(value)
    const request = { method: 'GET', protocol: 'http:', hostname: host, path, query: pairs, headers: { host } }
    const signer = new SignatureV4({ credentials: keys, region, service, sha256: Sha256 })
    const signed = await signer[isPresigned ? 'presign' : 'sign'](request)
    const sent = Object.entries(signed.query).flatMap(([name, values]) =>
      [values].flat().map((value) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`))
    return { target: `${path}?${sent.join('&')}`, headers: signed.headers }
  }
}

const requests = []
for (const [signer, sign] of Object.entries(signers)) {
  for (const service of services) {
    for (const query of queries) {
      for (const isPresigned of [false, true]) {
        const signed = await sign(query, service, isPresigned)
        requests.push({ signer, service, query, isPresigned, ...signed })
      }
    }
  }
}
process.stdout.write(JSON.stringify(requests))
