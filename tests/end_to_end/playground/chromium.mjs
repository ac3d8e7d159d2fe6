// A real Chromium for tests in Python. Reads one command a line, {"number", "page", "action",
// "arguments"} as JSON, and answers each with one line: {"number"} with {"result"} or {"error"}.
import * as fs from 'node:fs'
import * as path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { smallPng } from './small_png.mjs'

const PATIENCE_MS = 60_000 // how long a test waits before it fails: other tests may fill the machine
const LAST_MS = 4000 // how long a film shows its last picture
const KEY_MS = 60 // between two keys of a prompt that is filmed
const SYSTEM_BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const LOOPBACK = /^(?:http|ws):\/\/(?:127\.0\.0\.1|localhost|\[::1])[:/]/
const FOLDER = fileURLToPath(new URL('../../../.build/chromium', import.meta.url))
const MANIFEST = new URL('../../../package.json', import.meta.url)
const VERSION = JSON.parse(fs.readFileSync(MANIFEST)).devDependencies['@sparticuz/chromium']
const OPTIONS = [
  '--no-sandbox', // root in a container has none
  '--no-zygote',
  '--disable-gpu',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE ::1'
]

/** The Chromium of the npm package; where that does not run, the system's, or an installed Chrome. */
async function launch () {
  const failures = []
  for (const find of [packaged, system, () => ({ channel: 'chrome' })]) {
    try {
      return await chromium.launch({ ...await find(), args: OPTIONS, timeout: PATIENCE_MS })
    } catch (error) {
      failures.push(String(error.message).split('\n')[0])
    }
  }
  throw new Error(`no Chromium runs here: ${failures.join('; ')}`)
}

/** Unpacked once, by whichever process is first. */
async function packaged () {
  const { platform, arch } = process
  if (platform !== 'linux' || arch !== 'x64') throw new Error(`the package has none for ${platform} ${arch}`)
  const folder = `${FOLDER}-${VERSION}`
  if (!fs.existsSync(folder)) {
    fs.mkdirSync(path.dirname(folder), { recursive: true })
    const own = fs.mkdtempSync(`${folder}-`)
    await unpack(own)
    try {
      fs.renameSync(own, folder)
    } catch { // another process was first
      fs.rmSync(own, { recursive: true })
    }
  }
  return { executablePath: path.join(folder, 'chromium') }
}

/** The package unpacks into TMPDIR. */
async function unpack (folder) {
  const { TMPDIR } = process.env
  process.env.TMPDIR = folder
  try {
    const { default: binary } = await import('@sparticuz/chromium')
    await binary.executablePath()
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
  }
}

function system () {
  const folders = process.env.PATH.split(path.delimiter)
  const files = SYSTEM_BROWSERS.flatMap((name) => folders.map((folder) => path.join(folder, name)))
  const found = files.find((file) => fs.existsSync(file))
  if (!found) throw new Error(`none of ${SYSTEM_BROWSERS.join(', ')} is on PATH`)
  return { executablePath: found }
}

const pages = new Map()

async function open (browser, { url, scheme = 'light', width = 1280, height = 900, motion = 'no-preference', scale = 1, models = true }) {
  const context = await browser.newContext({
    colorScheme: scheme, viewport: { width, height }, reducedMotion: motion, deviceScaleFactor: scale
  })
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(url).origin })
  context.setDefaultTimeout(PATIENCE_MS)
  const page = await context.newPage()
  const faults = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(message.text())
  })
  page.on('pageerror', (error) => faults.push(error.message))
  const check = (address) => LOOPBACK.test(address) || faults.push(`foreign host: ${address}`)
  page.on('request', (request) => check(request.url()))
  page.on('websocket', (socket) => check(socket.url()))
  const listed = models && page.waitForResponse((response) => response.url().endsWith('/models'))
  await page.goto(url)
  await page.locator('#place:not(:empty)').waitFor() // its script sets up the page in one go
  await (await listed)?.finished?.()
  pages.set(pages.size + 1, { page, faults })
  return pages.size
}

const on = (act) => ({ page }, id, ...rest) => act(page.getByTestId(id), ...rest)

const actions = {
  fill: on((found, text) => found.fill(text)),
  click: on((found) => found.click()),
  select: on((found, value) => found.selectOption(value)),
  texts: on((found) => found.allInnerTexts()),
  is_enabled: on((found) => found.isEnabled()),
  wait_text: on((found, text) => found.filter({ hasText: text }).last().waitFor()),
  wait_enabled: on((found) => found.and(found.page().locator(':enabled')).waitFor()),
  wait_disabled: on((found) => found.and(found.page().locator(':disabled')).waitFor()),
  press: ({ page }, key) => page.keyboard.press(key),
  type: ({ page }, text) => page.keyboard.type(text),
  tab: ({ page }, name) => page.getByRole('tab', { name }).click(),
  tree: ({ page }) => page.locator('body').ariaSnapshot(),
  evaluate: ({ page }, code) => page.evaluate(code),
  screenshot,
  film,
  faults: ({ faults }) => faults.splice(0),
  close: ({ page }) => page.context().close()
}

async function screenshot ({ page }, file) {
  await page.mouse.move(0, 0)
  fs.writeFileSync(file, smallPng([{ png: await page.screenshot({ fullPage: true }), at: 0 }]))
}

/** Type a prompt, send it and write a moving picture of all that to a file, at its real pace. */
async function film ({ page }, prompt, file) {
  let isTyped = false
  const typing = page.keyboard.type(prompt, { delay: KEY_MS })
    .then(() => page.keyboard.press('Enter')).then(() => { isTyped = true })
  const frames = []
  const began = performance.now()
  for (let isOver = false; !isOver;) {
    isOver = isTyped && await page.getByTestId('stop').isDisabled()
    const at = performance.now() - began
    frames.push({ png: await page.screenshot({ caret: 'initial' }), at })
  }
  await typing
  fs.writeFileSync(file, smallPng(frames, LAST_MS))
}

async function perform (browser, { page, action, arguments: given }) {
  return action === 'open' ? open(browser, ...given) : actions[action](pages.get(page), ...given)
}

const answer = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)

let browser
try {
  browser = await launch()
  answer({ result: browser.version() })
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line)
    const { number } = command
    try {
      answer({ number, result: (await perform(browser, command)) ?? null })
    } catch (error) {
      answer({ number, error: error.message })
    }
  }
} catch (error) {
  answer({ error: error.message })
} finally {
  await browser?.close()
}
