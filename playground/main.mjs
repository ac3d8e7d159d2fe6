// The page: joins the form, the two transports and the views.
import { AnswerError } from './answer_reader.mjs'
import { codeLines } from './code_lines.mjs'
import { CodeView } from './code_view.mjs'
import { ConversationView } from './conversation_view.mjs'
import { fillPublicKey, showCredentials, urlPlace, webSocketPlace } from './credentials_form.mjs'
import { byId, element } from './elements.mjs'
import { showFigures } from './figures_view.mjs'
import { askUrl, listModels } from './function_url.mjs'
import { Measures } from './measures.mjs'
import { requestOf, usesTemplate } from './request_form.mjs'
import { followRequests } from './requests_view.mjs'
import { TrafficView } from './traffic_view.mjs'
import { WebSocketChannel } from './websocket.mjs'

const COMPOSING = 229 // the code of keys that an input method takes
const LONG = 50_000 // characters of code
const PAUSE_MS = 300

const settings = await (await fetch('/_local/playground/settings.json')).json()
const conversation = new ConversationView()
const traffic = new TrafficView()
const code = new CodeView(say)
const channel = new WebSocketChannel()
let turns = []
let pausing
let running // an AbortController while an answer streams

setUp()

function setUp () {
  byId('place').textContent = `${settings.title} · ${settings.httpUrl} · ${settings.websocketUrl}`
  if (!settings.isUrlUsable) byId('transport').value = 'websocket'
  byId('model').placeholder = settings.model
  byId('templates').append(...settings.templates.map((value) => element('option', { value })))
  byId('notices').append(...settings.notes.map((note) => element('p', { className: 'notice' }, note)))
  fillPublicKey(settings)
  showForm()
  showCode('Hello')
  byId('settings').addEventListener('submit', (event) => event.preventDefault())
  byId('settings').addEventListener('input', showForm)
  byId('key').addEventListener('change', fillModels)
  byId('composer').addEventListener('submit', (event) => { event.preventDefault(); send() })
  byId('prompt').addEventListener('keydown', sendOnEnter)
  byId('prompt').addEventListener('input', showCodeWhileTyping)
  byId('stop').addEventListener('click', stop)
  byId('new').addEventListener('click', startAnew)
  document.addEventListener('keydown', ({ key }) => { if (key === 'Escape') stop() })
  if (settings.requests) followRequests(settings.requests)
  else byId('requests-section').hidden = true
  fillModels()
}

function form () {
  return {
    transport: byId('transport').value,
    model: byId('model').value.trim(),
    template: byId('template').value.trim(),
    responseType: byId('response-type').value,
    system: byId('system').value.trim()
  }
}

function showForm () {
  const isTemplate = usesTemplate(form())
  byId('system').disabled = byId('model').disabled = isTemplate
  byId('system-note').hidden = !isTemplate
  showCredentials(settings, form().transport)
  if (!running) showCodeWhileTyping()
}

function showCode (prompt) {
  const request = requestOf(form(), [...turns, { role: 'user', content: prompt }], settings.apiPath)
  code.show(codeLines(settings, request))
}

/** A long conversation is shown when the typing pauses: to lay it out takes longer than a key. */
function showCodeWhileTyping () {
  clearTimeout(pausing)
  const show = () => showCode(byId('prompt').value || 'Hello')
  if (code.length < LONG) show()
  else pausing = setTimeout(show, PAUSE_MS)
}

function sendOnEnter (event) {
  // Enter that chooses a character of Chinese, Japanese or Korean: Safari tells it by the code only.
  const isComposing = event.isComposing || event.keyCode === COMPOSING
  if (event.key !== 'Enter' || event.shiftKey || isComposing) return
  event.preventDefault()
  send()
}

async function fillModels () {
  if (!settings.isUrlUsable) return
  const place = urlPlace(settings)
  if (!place.key && !place.signer?.credentials.secretAccessKey) return
  try {
    const ids = await listModels(place, `${settings.apiPath}/models`)
    byId('models').replaceChildren(...ids.map((value) => element('option', { value })))
  } catch (error) {
    if (!(error instanceof AnswerError)) throw error
    // The list is a help only: the first prompt shows what is wrong.
  }
}

async function send () {
  const prompt = byId('prompt').value.trim()
  if (!prompt || running) return
  clearTimeout(pausing)
  running = new AbortController()
  const asked = [...turns, { role: 'user', content: prompt }]
  const request = requestOf(form(), asked, settings.apiPath)
  code.show(codeLines(settings, request))
  byId('prompt').value = ''
  showRunning()
  say('The model answers.')
  const answer = conversation.add(prompt)
  const measures = new Measures()
  traffic.begin(() => measures.elapsed())
  showFigures(measures.figures())
  try {
    const { isStopped } = await ask(request, listener(answer, measures), running.signal)
    measures.end()
    answer.end(isStopped)
    say(isStopped ? 'Stopped.' : `Answer: ${answer.text}`)
  } catch (error) {
    measures.end()
    say(`Error: ${answer.fail(error)}`)
    if (!answer.text) byId('prompt').value ||= prompt // to send again
    if (!(error instanceof AnswerError)) throw error
  } finally {
    // Providers reject an answer without text. A new conversation has begun if the answer is gone.
    const isKept = answer.text && answer.element.isConnected
    if (isKept) turns = [...asked, { role: 'assistant', content: answer.text }]
    showFigures(measures.figures())
    running = undefined
    showRunning()
  }
}

function ask (request, on, signal) {
  return request.transport === 'url'
    ? askUrl(urlPlace(settings), request, on, signal)
    : channel.ask(webSocketPlace(settings), request, on, signal)
}

function listener (answer, measures) {
  return {
    sent: (text) => traffic.sent(text),
    received: (text) => traffic.received(text),
    reasoning: () => { byId('ttft').textContent = 'thinking…' },
    usage: (counts) => measures.usage(counts),
    finish: (why) => answer.finish(why),
    piece: (text) => {
      measures.piece(text)
      answer.append(text)
      showFigures(measures.figures())
    }
  }
}

function showRunning () {
  const hadFocus = document.activeElement === byId('stop') || document.activeElement === byId('send')
  byId('stop').disabled = !running
  byId('send').disabled = Boolean(running)
  if (hadFocus) byId(running ? 'stop' : 'prompt').focus()
}

function stop () {
  running?.abort()
}

function startAnew () {
  stop()
  turns = []
  conversation.clear()
  byId('prompt').focus()
  showCode(byId('prompt').value || 'Hello')
}

/** Have a screen reader say it when it is done with what it says now. */
function say (text) {
  byId('spoken').textContent = text
}
