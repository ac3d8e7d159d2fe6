// The conversation on the page: prompts, answers as they stream, errors.
import { byId, element, growing } from './elements.mjs'

const USUAL_ENDS = ['', 'stop']

export class ConversationView {
  #list = byId('conversation')
  #empty = byId('empty')

  /** Show a prompt; returns the view of its answer. */
  add (prompt) {
    const answer = new AnswerView(this.#list)
    const turn = element('article', { className: 'turn' },
      element('h3', { className: 'unseen' }, 'You'),
      element('div', { className: 'said' }, prompt),
      element('h3', { className: 'who' }, 'Model'),
      answer.element)
    this.#empty.hidden = true
    this.#list.append(turn)
    this.#list.scrollTop = this.#list.scrollHeight
    return answer
  }

  clear () {
    this.#list.replaceChildren(this.#empty)
    this.#empty.hidden = false
  }
}

class AnswerView {
  #list
  #finish = ''
  #text = element('span', { className: 'text' })

  constructor (list) {
    this.#list = list
    this.element = element('div', {
      className: 'answer', 'data-testid': 'answer', ariaBusy: 'true'
    }, this.#text)
  }

  get text () { return this.#text.textContent }

  /** Note why the model ended: such as `length`, if the answer was cut off. */
  finish (why) { this.#finish = why }

  append (piece) {
    growing(this.#list, () => this.#text.append(piece))
  }

  end (isStopped) {
    this.element.ariaBusy = 'false'
    const end = USUAL_ENDS.includes(this.#finish) ? '' : `Ended by ${this.#finish}.`
    const what = isStopped ? 'Stopped.' : end || (this.text ? '' : 'The answer has no text.')
    if (what) this.#note(element('p', { className: 'stopped', 'data-testid': 'stopped' }, what))
  }

  fail ({ message, code, status }) {
    this.element.ariaBusy = 'false'
    const facts = [code && `code ${code}`, status && `status ${status}`].filter(Boolean).join(', ')
    const text = facts ? `${message} (${facts})` : message
    this.#note(element('p', { className: 'error', 'data-testid': 'error' }, text))
    return text
  }

  #note (note) {
    growing(this.#list, () => this.element.append(note))
  }
}
