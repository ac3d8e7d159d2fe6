// Runs each of EXAMPLES once for each of COUNT answers; prints what it gave, or its error, as JSON.
// An example exports a function of (url, key, messages, onText), or is a program that prints.
import { delimiter } from 'node:path'

const { COUNT, EXAMPLES, FORWARD_KEY, SLUICE_URL, SLUICE_WEBSOCKET_URL } = process.env
// Node 20 has no WebSocket of its own yet; ws has the browser's interface.
globalThis.WebSocket ??= (await import('ws')).WebSocket

const functions = {
  streamChat: SLUICE_URL,
  streamAnswer: SLUICE_WEBSOCKET_URL
}
const print = process.stdout.write.bind(process.stdout)

async function result (example, run) {
  let text = ''
  process.stdout.write = (piece) => { text += piece }
  try {
    const found = Object.entries(await import(`${example}?${run}`)) // a program runs at each import
    for (const [name, stream] of found) {
      const messages = [{ role: 'user', content: 'Hello' }]
      await stream(functions[name], FORWARD_KEY, messages, (piece) => { text += piece })
    }
  } catch (error) { text += `|${error.message}` }
  return text.trim()
}

let runs = 0
const results = []
for (const example of EXAMPLES.split(delimiter)) {
  const given = []
  for (let answer = 0; answer < Number(COUNT); answer++) given.push(await result(example, runs++))
  results.push(given)
}
print(JSON.stringify(results))
