// Sets up what the checkout lacks: .venv and node_modules. Node's own modules only, because
// node_modules may be what is missing; nothing is written outside the checkout.
import * as fs from 'node:fs'
import * as path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { inCheckout, readText } from './checkout.mjs'
import { endInstallers, SetupError } from './installer.mjs'
import { installNodeModules, nodeModulesAreReady } from './node-modules.mjs'
import { installVenv, venvIsReady } from './venv.mjs'

// Held while setting up, so that `npm test` beside a starting `npm start` waits for it.
const LOCK = inCheckout('.build', 'setup.pid')
const LOCK_POLL_MS = 200

/**
 * Set up whatever is missing; a few file reads when nothing is. `node: false` leaves node_modules
 * alone. Throws SetupError for what the user can mend.
 */
export async function setUp ({ node = true, env = process.env, log = logToStderr } = {}) {
  const isReady = () => venvIsReady(env) && (!node || nodeModulesAreReady())
  if (isReady()) return
  await takeLock(log)
  try {
    if (isReady()) return // another process did it while this one waited
    const started = Date.now()
    await installMissing(node, env, log)
    log(`ready after ${Math.round((Date.now() - started) / 1000)} s`)
  } finally {
    releaseLock()
  }
}

/** End what runs; what it left behind is made anew at the next start. */
export function interruptSetUp () {
  endInstallers()
  releaseLock()
}

/** Both at once, and both to their end: the lock is held until neither writes any more. */
async function installMissing (node, env, log) {
  const steps = []
  if (!venvIsReady(env)) steps.push(installVenv(env, log))
  if (node && !nodeModulesAreReady()) steps.push(installNodeModules(env, log))
  const results = await Promise.allSettled(steps)
  const failures = results.filter(({ status }) => status === 'rejected').map(({ reason }) => reason)
  const unforeseen = failures.find((failure) => !(failure instanceof SetupError))
  if (unforeseen) throw unforeseen
  const sentences = failures.map(({ message }) => message)
  if (sentences.length) throw new SetupError(sentences.join('\nsetup: '))
}

async function takeLock (log) {
  fs.mkdirSync(path.dirname(LOCK), { recursive: true })
  for (let told = false; !createLock(); await delay(LOCK_POLL_MS)) {
    const owner = Number(readText(LOCK))
    if (owner && !isRunning(owner)) fs.rmSync(LOCK, { force: true })
    else if (!told) log(`waiting for the set-up that process ${owner} does`)
    told = true
  }
}

function createLock () {
  try {
    fs.writeFileSync(LOCK, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

function releaseLock () {
  if (readText(LOCK) === String(process.pid)) fs.rmSync(LOCK)
}

function isRunning (pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function logToStderr (line) {
  process.stderr.write(`setup: ${line}\n`)
}
