// The pass-through handler of articles on response streaming: the model's answer goes into the
// response stream by `pipeline`, without a gateway.
import http from 'node:http'
import { pipeline } from 'node:stream/promises'

const agent = new http.Agent({ keepAlive: true })
const upstream = new URL(process.env.OPENAI_BASE_URL ?? 'http://127.0.0.1:1/v1')

function ask(body) {
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    authorization: `Bearer ${process.env.OPENAI_API_KEY}`
  }
  return new Promise((resolve, reject) => {
    const path = `${upstream.pathname}/chat/completions`
    const options = { host: upstream.hostname, port: upstream.port, path, method: 'POST', headers, agent }
    http.request(options, resolve).on('error', reject).end(body)
  })
}

export const handler = awslambda.streamifyResponse(async (event, responseStream) => {
  const reply = await ask(event.body)
  const metadata = {
    statusCode: reply.statusCode,
    headers: { 'content-type': reply.headers['content-type'] }
  }
  await pipeline(reply, awslambda.HttpResponseStream.from(responseStream, metadata))
})
