// What was sent and received for the last request: events of the Function URL, frames of the WebSocket.
import { byId, element, growing } from './elements.mjs'

const MAX_SHOWN = 500 // rows; more would slow the page down
const MAX_CHARACTERS = 4000 // of a row

export class TrafficView {
  #list = byId('traffic-list')
  #count = byId('traffic-count')
  #received = 0
  #elapsed = () => 0

  /** Begin anew; `elapsed` is the time since the request in milliseconds. */
  begin (elapsed) {
    this.#elapsed = elapsed
    this.#received = 0
    this.#list.replaceChildren()
    this.#count.textContent = ''
  }

  sent (text) { this.#add('→', 'sent', text) }

  received (text) {
    this.#received += 1
    this.#count.textContent = `${this.#received} received`
    this.#add('←', 'received', text)
  }

  #add (arrow, way, text) {
    const shown = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text
    const row = element('li', {},
      element('time', {}, `${Math.round(this.#elapsed())} ms`),
      element('span', { className: 'way', title: way, role: 'img', ariaLabel: way }, arrow),
      element('span', { className: 'data' }, shown))
    growing(this.#list, () => this.#list.append(row))
    if (this.#list.children.length > MAX_SHOWN) this.#list.firstChild.remove()
  }
}
