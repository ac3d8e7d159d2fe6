// The figures of one answer. Times are in milliseconds.

const CHARACTERS_PER_TOKEN = 4 // a common estimate, for answers whose tokens nobody counts

export class Measures {
  #now
  #began
  #first
  #last
  #pieces = 0
  #characters = 0
  #counted = 0
  #ended

  constructor (now = () => performance.now()) {
    this.#now = now
    this.#began = now()
  }

  /** Time since the request. */
  elapsed () {
    return this.#now() - this.#began
  }

  /** A piece of text arrived. */
  piece (text) {
    this.#last = this.elapsed()
    this.#first ??= this.#last
    this.#pieces += 1
    this.#characters += text.length
  }

  usage ({ completion_tokens: tokens }) {
    this.#counted = tokens || this.#counted
  }

  end () {
    this.#ended ??= this.elapsed()
  }

  /** {firstMs, tokens, isEstimated, perSecond, totalMs}; undefined where nothing is known yet. */
  figures () {
    // A frame may hold several tokens, and a provider may send several in one event.
    const estimate = Math.max(this.#pieces, Math.round(this.#characters / CHARACTERS_PER_TOKEN))
    const tokens = this.#counted || estimate
    const seconds = (this.#last - this.#first) / 1000
    return {
      firstMs: this.#first,
      tokens: tokens || undefined,
      isEstimated: !this.#counted,
      perSecond: tokens > 1 && seconds > 0 ? (tokens - 1) / seconds : undefined,
      totalMs: this.#ended
    }
  }
}
