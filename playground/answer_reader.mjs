// Reads the parts of an answer in the provider's JSON: text, token counts, errors.

/** An answer that failed: `message` is for people, `code` and `status` come from the service. */
export class AnswerError extends Error {
  constructor (message, { code = '', status = 0 } = {}) {
    super(message)
    this.code = code
    this.status = status
  }
}

/** Report what one event, or a whole completion, holds. Throws AnswerError. */
export function report (document, on) {
  const { text, isReasoning, usage, finish } = partsOf(document)
  if (text) on.piece(text)
  if (isReasoning) on.reasoning()
  if (usage) on.usage(usage)
  if (finish) on.finish(finish)
}

/** {text, isReasoning, usage, finish}: `finish` is why the answer ended. Throws AnswerError. */
export function partsOf (document) {
  if (document?.error) throw errorOf(document)
  const choice = document?.choices?.[0]
  const said = choice?.delta ?? choice?.message ?? {}
  const content = said.content || said.refusal
  const text = Array.isArray(content) ? content.map((part) => part.text ?? '').join('') : content
  const isReasoning = !text && Boolean(said.reasoning_content ?? said.reasoning)
  const finish = choice?.finish_reason ?? ''
  return { text: text ?? '', isReasoning, usage: document?.usage ?? null, finish }
}

/** The error in a reply or a frame, in any of the shapes that servers use. */
export function errorOf (document, status = 0) {
  const error = document?.error ?? document
  const message = wordsOf(error) || `The service replied with status ${status}.`
  return new AnswerError(message, { code: String(error?.code ?? ''), status })
}

/** JSON as a value; other text as it is. */
export function parsed (text) {
  try { return JSON.parse(text) } catch { return text }
}

function wordsOf (said) {
  if (typeof said !== 'object' || said === null) return String(said ?? '')
  return wordsOf(said.message ?? said.Message ?? said.detail ?? said.msg ?? said[0])
}
