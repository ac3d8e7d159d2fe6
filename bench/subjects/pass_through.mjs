// The pass-through handler of articles on response streaming: the model's answer goes into the
// response stream by `pipeline`, without a gateway.
import http from 'node:http'
import { pipeline } from 'node:stream/promises'

const upstream = new URL(process.env.OPENAI_BASE_URL ?? 'http://127.0.0.1:1/v1')

/** protocol: node:http or node:https. readKey: a promise of the provider's key. */
export function passThrough (protocol, readKey) {
  const agent = new protocol.Agent({ keepAlive: true })
  const path = `${upstream.pathname}/chat/completions`
  const target = { host: upstream.hostname, port: upstream.port, path, method: 'POST', agent }

  async function ask (body) {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      authorization: `Bearer ${await readKey()}`
    }
    return new Promise((resolve, reject) => {
      protocol.request({ ...target, headers }, resolve).on('error', reject).end(body)
    })
  }

  return awslambda.streamifyResponse(async (event, responseStream) => {
    const reply = await ask(event.body)
    const metadata = {
      statusCode: reply.statusCode,
      headers: { 'content-type': reply.headers['content-type'] }
    }
    await pipeline(reply, awslambda.HttpResponseStream.from(responseStream, metadata))
  })
}

// Pure: a bundler leaves it out.
export const handler = /* @__PURE__ */ passThrough(http, () => process.env.OPENAI_API_KEY)
