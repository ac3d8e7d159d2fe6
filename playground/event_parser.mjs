// Splits a stream of text into server-sent events, as it comes in pieces of any size.
// https://html.spec.whatwg.org/multipage/server-sent-events.html

export class EventParser {
  #rest = ''
  #raw = []

  /** The events that end in `piece`: {raw, data}, where data is '' for a comment. */
  feed (piece) {
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop() // the line may go on in the next piece
    return lines.flatMap((line) => this.#line(line))
  }

  /** The last event, if no blank line ended it. */
  end () {
    return this.feed('\n\n')
  }

  #line (line) {
    if (line) {
      this.#raw.push(line)
      return []
    }
    const raw = this.#raw
    this.#raw = []
    if (!raw.length) return []
    return [{ raw: raw.join('\n'), data: raw.map(dataOf).join('').trim() }]
  }
}

// Some servers send JSON or an error without "data:".
function dataOf (line) {
  return /^(event|id|retry)?(:|$)/.test(line) ? '' : line.replace(/^(data|error)(: ?|$)/, '') + '\n'
}
