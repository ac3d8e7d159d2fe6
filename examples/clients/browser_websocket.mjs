// Calls onText with each piece of the answer, as it comes. Runs in a browser as it is.
export function streamAnswer (url, key, messages, onText) {
  // A page can set no headers here: the key travels as a sub-protocol, next to a real one.
  const socket = new WebSocket(url, ['sluice', `bearer.${key}`])
  const request = { model: 'gpt-6-luna', messages }
  return new Promise((resolve, reject) => {
    socket.onopen = () => socket.send(JSON.stringify({ action: 'chat', id: '1', request }))
    socket.onerror = () => reject(new Error('cannot connect: check the key'))
    socket.onclose = () => reject(new Error('the connection ended before the answer'))
    socket.onmessage = ({ data }) => {
      const { events = [], done, error } = JSON.parse(data)
      if (error) reject(new Error(error.message))
      for (const { choices } of events) onText(choices[0]?.delta.content ?? '')
      if (error || done) socket.close()
      if (done) resolve()
    }
  })
}
