// Calls onText with each piece of the answer, as it comes. Runs in a browser as it is.
export async function streamChat (url, key, messages, onText, signal) {
  const response = await fetch(url + '/v1/chat/completions', {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-6-luna', messages, stream: true }),
    signal // new AbortController().signal, to stop
  })
  if (!response.ok) throw new Error(words(parsed(await response.text())) || response.status)
  for await (const data of eventsOf(response.body)) {
    const event = data === '[DONE]' ? null : parsed(data)
    if (event?.error || words(event)) throw new Error(words(event) || data)
    const choice = event?.choices?.[0]
    const text = (choice?.delta ?? choice?.message)?.content
    if (text) onText(text)
  }
}

// The data of server-sent events, and JSON or an error that comes without "data:".
async function * eventsOf (body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  for (let rest = '', data = '', done = false, piece; !done;) {
    ({ done, value: piece = '\n\n' } = await reader.read())
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() // the last line may go on in the next piece
    for (const line of lines) {
      const isData = !/^(event|id|retry)?(:|$)/.test(line)
      if (isData) data += line.replace(/^(data|error)(:|$)/, '') + '\n'
      if (line) continue
      if (data.trim()) yield data.trim() // a blank line ends an event
      data = ''
    }
  }
}

const parsed = (text) => {
  try { return JSON.parse(text) } catch { return text }
}

// What an error says: {error: {message}}, {message}, {detail}, a list of them, or text.
const words = (said) => typeof said !== 'object'
  ? said
  : words(said?.error ?? said?.message ?? said?.Message ?? said?.detail ?? said?.msg ?? said?.[0])
