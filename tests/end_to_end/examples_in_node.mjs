// Runs an example once for each of COUNT answers; prints what it gave, or its error, as JSON.
// The example exports a function of (url, key, messages, onText), or is a program that prints.
const { COUNT, EXAMPLE, FORWARD_KEY, SLUICE_URL, SLUICE_WEBSOCKET_URL } = process.env
// Node 20 has no WebSocket of its own yet; ws has the browser's interface.
globalThis.WebSocket ??= (await import('ws')).WebSocket

const functions = {
  streamChat: SLUICE_URL,
  streamAnswer: SLUICE_WEBSOCKET_URL
}
const print = process.stdout.write.bind(process.stdout)
const results = []
for (let run = 0; run < Number(COUNT); run++) {
  let text = ''
  process.stdout.write = (piece) => { text += piece }
  try {
    const found = Object.entries(await import(`${EXAMPLE}?${run}`)) // a program runs at each import
    for (const [name, example] of found) {
      const messages = [{ role: 'user', content: 'Hello' }]
      await example(functions[name], FORWARD_KEY, messages, (piece) => { text += piece })
    }
  } catch (error) { text += `|${error.message}` }
  results.push(text.trim())
}
print(JSON.stringify(results))
