// Sends a request to the Function URL by fetch and reads the answer as it streams.
import { AnswerError, errorOf, parsed, report } from './answer_reader.mjs'
import { EventParser } from './event_parser.mjs'
import { signedHeaders } from './sign_request.mjs'

/**
 * Calls on.sent(text), on.received(text), on.piece(text), on.reasoning(), on.usage(counts)
 * and on.finish(why).
 * Returns {isStopped}. Throws AnswerError.
 */
export async function askUrl (place, request, on, signal) {
  const body = JSON.stringify(request.document)
  try {
    const headers = { 'Content-Type': 'application/json' }
    on.sent(`POST ${request.path}\n${body}`)
    const response = await send(place, 'POST', request.path, { headers, body, signal })
    await read(response, request, on)
    return { isStopped: false }
  } catch (error) {
    if (signal.aborted) return { isStopped: true }
    throw readable(error, place)
  }
}

/** The ids of the provider's models; throws AnswerError. */
export async function listModels (place, path) {
  try {
    const response = await send(place, 'GET', path, { headers: {} })
    const document = parsed(await response.text())
    if (!response.ok) throw errorOf(document, response.status)
    return (document?.data ?? []).map(({ id }) => id).filter(Boolean)
  } catch (error) {
    throw readable(error, place)
  }
}

async function send (place, method, path, { headers, body = '', signal }) {
  const url = place.url + path
  const all = place.signer
    ? await signedHeaders({ method, url, headers, body, ...place.signer })
    : { ...headers, ...(place.key ? { Authorization: `Bearer ${place.key}` } : {}) }
  return fetch(url, { method, headers: headersOf(all), ...(body ? { body } : {}), signal })
}

/** Only a key can be wrong here: fetch would fail as if the service did not answer. */
function headersOf (fields) {
  try {
    return new Headers(fields)
  } catch {
    throw new AnswerError('The key must be ASCII. Copy the whole key again.')
  }
}

async function read (response, request, on) {
  const type = response.headers.get('content-type') ?? ''
  on.received(`HTTP ${response.status} ${type}`)
  if (!response.ok) {
    const text = await response.text()
    on.received(text)
    throw errorOf(parsed(text), response.status)
  }
  const isText = request.isTemplate && request.responseType !== 'stream'
  const parser = new EventParser()
  const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (let done = false, value; !done;) {
    ({ done, value = '' } = await pieces.read())
    if (isText) onText(value, on)
    else (done ? parser.end() : parser.feed(value)).forEach((event) => onEvent(event, on))
  }
}

function onText (text, on) {
  if (!text) return
  on.received(text)
  on.piece(text)
}

function onEvent ({ raw, data }, on) {
  on.received(raw)
  if (!data || data === '[DONE]') return
  report(parsed(data), on)
}

/** fetch hides why it failed: CORS, a closed port and a broken connection look the same. */
function readable (error, place) {
  if (error instanceof AnswerError) return error
  return new AnswerError(`Cannot reach ${place.url}, or the answer broke off. ${place.networkHint}`)
}
