// A living answer is never silent for longer: then its function was killed, and nobody tells.
const MAX_SILENCE_MS = 330_000

// Calls onText with each piece of the answer, as it comes. Runs in a browser as it is.
export async function streamAnswer (url, key, messages, onText, maxSilenceMs = MAX_SILENCE_MS) {
  // A page can set no headers here: the key travels as a sub-protocol, next to a real one.
  const socket = new WebSocket(url, ['sluice', `bearer.${key}`])
  const request = { model: 'gpt-6-luna', messages }
  let timer
  await new Promise((resolve, reject) => {
    const waitForFrame = () => {
      clearTimeout(timer)
      timer = setTimeout(() => reject(new Error('no frame came: ask again')), maxSilenceMs)
    }
    socket.onopen = () => {
      socket.send(JSON.stringify({ action: 'chat', id: '1', request }))
      waitForFrame()
    }
    socket.onerror = () => reject(new Error('cannot connect: check the key'))
    socket.onclose = () => reject(new Error('the connection ended before the answer'))
    socket.onmessage = ({ data }) => {
      waitForFrame()
      try {
        const { events = [], done, error, message } = JSON.parse(data)
        // API Gateway's own frames have no error, but a message such as "Internal server error".
        if (error || message) throw new Error(error?.message ?? message)
        for (const { choices } of events) {
          const choice = choices?.[0]
          const text = (choice?.delta ?? choice?.message)?.content
          if (text) onText(text)
        }
        if (done) resolve()
      } catch (error) { reject(error) }
    }
  }).finally(() => {
    clearTimeout(timer)
    socket.close()
  })
}
