// The tabs with the same request as curl, wscat, Python and JavaScript lines.
// Keys as in https://www.w3.org/WAI/ARIA/apg/patterns/tabs/
import { byId } from './elements.mjs'

const SHOWN_MS = 1500

export class CodeView {
  #tabs = [...document.querySelectorAll('[role="tab"]')]
  #lines = {}
  #selected = 'curl'
  #say

  constructor (say) {
    this.#say = say
    for (const tab of this.#tabs) {
      tab.addEventListener('click', () => this.#select(tab))
      tab.addEventListener('keydown', (event) => this.#move(event, tab))
    }
    byId('copy').addEventListener('click', () => this.#copy())
  }

  /** Of what is shown, in characters. */
  get length () { return byId('code').textContent.length }

  show (lines) {
    this.#lines = lines
    byId('code').textContent = lines[this.#selected]
  }

  #select (chosen) {
    for (const tab of this.#tabs) {
      tab.ariaSelected = String(tab === chosen)
      tab.tabIndex = tab === chosen ? 0 : -1
    }
    this.#selected = chosen.dataset.code
    byId('code-panel').setAttribute('aria-labelledby', chosen.id)
    byId('code').textContent = this.#lines[this.#selected] ?? ''
  }

  #move (event, tab) {
    const count = this.#tabs.length
    const at = this.#tabs.indexOf(tab)
    const next = {
      ArrowRight: (at + 1) % count, ArrowLeft: (at + count - 1) % count, Home: 0, End: count - 1
    }[event.key]
    if (next === undefined) return
    event.preventDefault()
    this.#tabs[next].focus()
    this.#select(this.#tabs[next])
  }

  async #copy () {
    const button = byId('copy')
    try {
      await navigator.clipboard.writeText(byId('code').textContent)
      button.textContent = 'Copied'
      this.#say('Copied.')
    } catch {
      getSelection().selectAllChildren(byId('code'))
      button.textContent = 'Press Ctrl+C'
      this.#say('The browser does not permit copying. The lines are selected: copy them by keyboard.')
    }
    setTimeout(() => { button.textContent = 'Copy' }, SHOWN_MS)
  }
}
