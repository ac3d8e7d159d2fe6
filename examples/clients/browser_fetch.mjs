// Calls onText with each piece of the answer, as it comes. Runs in a browser as it is.
export async function streamChat (url, key, messages, onText, signal) {
  const response = await fetch(url + '/v1/chat/completions', {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-6-luna', messages, stream: true }),
    signal // new AbortController().signal, to stop
  })
  if (!response.ok) throw new Error((await response.json()).error.message)
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const lines = (rest + decoder.decode(value, { stream: true })).split(/\r?\n/)
    rest = lines.pop() // the last line may go on in the next piece
    for (const line of lines) {
      if (!line.startsWith('data: ') || line === 'data: [DONE]') continue
      const event = JSON.parse(line.slice(6))
      if (event.error) throw new Error(event.error.message)
      const text = event.choices[0]?.delta.content
      if (text) onText(text)
    }
  }
}
