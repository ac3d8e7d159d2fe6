// Sends requests over a WebSocket that stays open between them, and reads their frames.
import { AnswerError, errorOf, parsed, report } from './answer_reader.mjs'
import { messageOf } from './request_form.mjs'

const END = '<END>'
const CANCEL_WAIT_MS = 5000 // a cancelled answer ends within two seconds
const NORMAL = 1000
const CLOSED = {
  1001: 'The service ended it, as it does when it stops, and after two hours. Send the prompt again.',
  1006: 'Check that the service runs and that the key or signature is right. Its log says more.',
  1009: 'The message is too long: API Gateway takes 32 KB a frame. Use the Function URL.'
}

export class WebSocketChannel {
  #socket
  #place = ''
  #next = 1

  /**
   * Calls on.sent(text), on.received(text), on.piece(text), on.reasoning(), on.usage(counts)
   * and on.finish(why).
   * `place` is {name, open()}: one socket serves all requests to places of the same name.
   * Returns {isStopped}. Throws AnswerError.
   */
  async ask (place, request, on, signal) {
    const socket = await this.#open(place, signal)
    if (signal.aborted) return { isStopped: true }
    const id = String(this.#next++)
    const text = JSON.stringify(messageOf(request, id))
    const answer = receive(socket, request, on, signal, id)
    on.sent(text)
    socket.send(text)
    return answer
  }

  close () {
    this.#socket?.close(NORMAL)
    this.#socket = undefined
  }

  async #open ({ name, open }, signal) {
    if (this.#place === name && this.#socket?.readyState === WebSocket.OPEN) return this.#socket
    this.close()
    this.#place = name
    this.#socket = await open()
    await opened(this.#socket, signal)
    return this.#socket
  }
}

/** Waits until it is open, or until the user stops waiting. */
function opened (socket, signal) {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', resolve, { once: true })
    socket.onopen = resolve
    socket.onclose = ({ code, reason }) => reject(closed('Cannot connect', socket, code, reason))
  })
}

function receive (socket, request, on, signal, id) {
  return new Promise((resolve, reject) => {
    let waiting
    const settle = (how, value) => {
      socket.onmessage = null
      signal.removeEventListener('abort', cancel)
      clearTimeout(waiting)
      how(value)
    }
    const cancel = () => {
      const message = JSON.stringify({ action: 'cancel', id })
      on.sent(message)
      socket.send(message)
      waiting = setTimeout(() => {
        socket.close(NORMAL)
        settle(resolve, { isStopped: true })
      }, CANCEL_WAIT_MS)
    }
    signal.addEventListener('abort', cancel)
    socket.onclose = ({ code, reason }) => {
      settle(reject, closed('The connection ended before the answer', socket, code, reason))
    }
    socket.onmessage = ({ data }) => {
      on.received(data)
      try {
        const state = readFrame(data, request, on)
        if (state) settle(resolve, { isStopped: state === 'cancelled' })
      } catch (error) {
        const isCancelled = error.code === 'cancelled'
        settle(...(isCancelled ? [resolve, { isStopped: true }] : [reject, error]))
      }
    }
  })
}

/** Returns 'done' or 'cancelled' for an answer's last frame. Throws AnswerError. */
function readFrame (data, request, on) {
  const frame = parsed(data)
  // API Gateway's own frames have no error, but a message such as "Internal server error".
  const isError = frame?.requestId && (frame.error || frame.message)
  if (isError) throw errorOf(frame)
  if (!request.isTemplate) return readChat(frame, on)
  if (data === END && request.responseType === 'stream') return 'done'
  if (data) on.piece(data)
  return request.responseType === 'stream' ? '' : 'done'
}

function readChat ({ events = [], done, cancelled }, on) {
  for (const event of events) report(event, on)
  if (!done) return ''
  return cancelled ? 'cancelled' : 'done'
}

function closed (what, socket, code, reason) {
  const address = new URL(socket.url)
  const why = reason || CLOSED[code] || `It was closed with code ${code}.`
  return new AnswerError(`${what} (${address.origin}). ${why}`, { code: `close ${code}` })
}
