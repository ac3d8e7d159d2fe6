// Signs a request to a Function URL in its headers, for a stack with an AWS key pair of its own.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
import {
  canonicalPath, scopeOf, sha256, signatureOf, sortedQuery, stampOf
} from './presign_websocket.mjs'

/** The headers to send: those given, and the signature's. */
export async function signedHeaders ({
  method, url, headers, body, credentials, region, now = new Date()
}) {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials
  const { host, pathname, searchParams } = new URL(url)
  const stamp = stampOf(now)
  const added = {
    ...headers,
    'X-Amz-Date': stamp,
    ...(sessionToken ? { 'X-Amz-Security-Token': sessionToken } : {})
  }
  const signed = Object.entries({ host, ...added })
    .map(([name, value]) => [name.toLowerCase(), value]).sort(([a], [b]) => (a < b ? -1 : 1))
  const names = signed.map(([name]) => name).join(';')
  const lines = signed.map((pair) => `${pair.join(':')}\n`).join('')
  const query = sortedQuery([...searchParams])
  const request = [method, canonicalPath(pathname), query, lines, names, await sha256(body)]
  const scope = scopeOf(stamp, region, 'lambda')
  const signature = await signatureOf(request.join('\n'), secretAccessKey, stamp, scope)
  const claim = `Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`
  return { ...added, Authorization: `AWS4-HMAC-SHA256 ${claim}` }
}
