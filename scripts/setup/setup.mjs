// Sets up what the checkout lacks: .venv and node_modules. Node's own modules only, because
// node_modules may be what is missing; nothing is written outside the checkout.
import * as fs from 'node:fs'
import * as path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { inCheckout, readText } from './checkout.mjs'
import { SetupError } from './installer.mjs'

const LOCK_POLL_MS = 200

/**
 * Do those of the steps that are not done, all at once and all to their end. Throws SetupError for
 * what the user can fix. A step has a name, isReady() and install(log).
 */
export async function setUp (steps, log = logToStderr) {
  const results = await Promise.allSettled(steps.map((step) => doStep(step, log)))
  const failures = results
    .filter(({ status }) => status === 'rejected').map(({ reason }) => readable(reason))
  const unexpected = failures.find((failure) => !(failure instanceof SetupError))
  if (unexpected) throw unexpected
  const sentences = failures.map(({ message }) => message)
  if (sentences.length) throw new SetupError(sentences.join('\nsetup: '))
}

async function doStep (step, log) {
  if (step.isReady()) return
  const release = await takeLock(step.name, log)
  try {
    if (step.isReady()) return // another process did it while this one waited
    const started = Date.now()
    await step.install(log)
    if (!step.isReady()) throw new SetupError(`${step.name} still lacks what its lock file names.`)
    log(`${step.name} is ready after ${Math.round((Date.now() - started) / 1000)} s.`)
  } finally {
    release()
  }
}

/** The operating system's refusals: a folder that may not be written, a full disk. */
function readable (error) {
  return error.syscall
    ? new SetupError(`Cannot write to the checkout: ${error.message}. Make it writable, or clone it elsewhere.`)
    : error
}

/** Held while a step runs, so that `npm test` waits for a starting `npm start`. */
async function takeLock (name, log) {
  const lock = inCheckout('.build', `${name}.pid`)
  fs.mkdirSync(path.dirname(lock), { recursive: true })
  for (let told = false; !createLock(lock); await delay(LOCK_POLL_MS)) {
    const owner = Number(readText(lock))
    if (owner && !isRunning(owner)) fs.rmSync(lock, { force: true })
    else if (!told) log(`Waiting for process ${owner}, which sets up ${name}.`)
    told = true
  }
  const release = () => {
    process.off('exit', release)
    fs.rmSync(lock, { force: true })
  }
  process.on('exit', release)
  return release
}

function createLock (lock) {
  try {
    fs.writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
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
