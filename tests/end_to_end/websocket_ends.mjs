// How browser_websocket.mjs ends for each end of a connection; prints {end: result} as JSON.
import { createServer } from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'
import { streamAnswer } from '../../examples/clients/browser_websocket.mjs'

globalThis.WebSocket = WebSocket

const chunk = (content) => ({ choices: [{ index: 0, delta: { content } }] })
const hel = JSON.stringify({ id: '1', seq: 0, events: [chunk('Hel')] })
const ends = {
  done: [hel, JSON.stringify({ id: '1', seq: 1, events: [chunk('lo')], done: true })],
  cancelled: [hel, JSON.stringify({ id: '1', seq: 1, events: [], done: true, cancelled: true })],
  error: [hel, JSON.stringify({ error: { message: 'words', code: 'upstream_timeout' }, id: '1' })],
  gateway: [hel, JSON.stringify({ message: 'Internal server error', connectionId: 'c' })],
  no_json: [hel, '<END>'],
  closed: [hel],
  closed_at_once: [],
  silent: []
}

const server = createServer()
const sockets = new WebSocketServer({ server, handleProtocols: () => 'sluice' })
sockets.on('connection', (socket, { url }) => {
  const end = url.slice(1)
  if (end === 'closed_at_once') return socket.terminate()
  socket.on('message', () => {
    for (const frame of ends[end]) socket.send(frame)
    if (end === 'closed') socket.close()
  })
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))

const results = {}
const ask = async (name, url, key = 'key', fail = false, maxSilenceMs) => {
  let text = ''
  const onText = (piece) => {
    if (fail) throw new Error('from onText')
    text += piece
  }
  results[name] = await streamAnswer(url, key, [], onText, maxSilenceMs).then(() => text, ({ message }) => `${text}|${message}`)
}
const url = `ws://127.0.0.1:${server.address().port}`
for (const end of Object.keys(ends)) await ask(end, `${url}/${end}`, 'key', false, end === 'silent' ? 1 : undefined)
await ask('callback', `${url}/done`, 'key', true)
await ask('key', `${url}/done`, 'a key with blanks')
process.stdout.write(JSON.stringify(results))
sockets.clients.forEach((socket) => socket.terminate())
server.close()
