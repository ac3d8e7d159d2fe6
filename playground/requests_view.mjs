// The last requests of the local stack, live: its server sends one event a request.
import { milliseconds } from './figures_view.mjs'
import { byId, element } from './elements.mjs'

const MAX_SHOWN = 100
const MICRO = 1_000_000
const NOTHING = '–'
const TRANSPORTS = { url: 'Function URL', websocket: 'WebSocket', connect: 'WebSocket' }

export function followRequests (path) {
  const body = byId('requests')
  const state = byId('requests-state')
  let source
  const open = () => {
    source = new EventSource(path)
    source.onopen = () => { state.textContent = 'live' }
    source.onerror = () => { state.textContent = 'The stack does not answer. Waiting for it.' }
    // Each connection gets all of them again, also after a restart of the stack.
    source.addEventListener('start', () => body.replaceChildren())
    source.onmessage = ({ data }) => {
      body.prepend(rowOf(JSON.parse(data)))
      if (body.children.length > MAX_SHOWN) body.lastChild.remove()
    }
  }
  // A browser opens six connections to a host: hidden tabs must not hold them all.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) source.close()
    else if (source.readyState === EventSource.CLOSED) open()
  })
  open()
}

function rowOf (request) {
  const isOk = request.outcome === 'ok'
  const cells = [
    new Date(request.time * 1000).toLocaleTimeString([], { hour12: false }),
    TRANSPORTS[request.transport] ?? request.transport,
    request.what,
    request.status ?? NOTHING,
    element('span', { className: isOk ? 'ok' : 'failed' }, request.outcome),
    request.model ?? NOTHING,
    request.principal ?? NOTHING
  ]
  const figures = [
    timeOf(request.first_ms),
    timeOf(request.total_ms),
    request.tokens ?? NOTHING,
    request.micro_usd === undefined ? NOTHING : `$${(request.micro_usd / MICRO).toFixed(6)}`
  ]
  return element('tr', {},
    ...cells.map((cell) => element('td', {}, cell)),
    ...figures.map((figure) => element('td', { className: 'number' }, figure)),
    element('td', {}, request.cache ?? NOTHING))
}

function timeOf (time) {
  return time === undefined ? NOTHING : milliseconds(time)
}
