// Sets up what the checkout lacks: .venv with the hash-locked Python packages, and node_modules.
// Node's own modules only, because node_modules may be what is missing. Everything is written inside the
// checkout, and every line goes to stderr: stdout belongs to the command that runs afterwards.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const ROOT = fs.realpathSync(path.dirname(path.dirname(fileURLToPath(import.meta.url))))
export const VENV = path.join(ROOT, '.venv')
const VENV_PYTHON = path.join(VENV, 'bin', 'python')
const PYTHON_LOCKS = ['requirements.txt', 'requirements-dev.txt']

// Lives inside .venv: {"state": "installing" | "ready", "key": ...}. Written before the first step and
// after the last, so that an interrupted set-up is found out; the key names what .venv was made from.
const STAMP = path.join(VENV, '.setup.json')

// Held while setting up, so that `npm test` beside a starting `npm start` waits instead of interfering.
const LOCK = path.join(ROOT, '.build', 'setup.pid')
const LOCK_POLL_MS = 200

const MINIMUM_PYTHON = [3, 11] // the oldest Python that the code is tested with
const PYTHON_NAMES = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python']
// venv imports without ensurepip on Debian until the package python3-venv is installed.
const PROBE = "import sys, venv, ensurepip; print('%d.%d.%d' % sys.version_info[:3])"
const VERSION_PROBE = "import sys; print('%d.%d.%d' % sys.version_info[:3])"

/** What the user can mend; the message says what was expected, what was found and what to do. */
export class SetupError extends Error {}

/** Set up whatever is missing; costs a few file reads when nothing is. `node: false` leaves node_modules alone. */
export async function setUp ({ node = true, env = process.env, log = logToStderr } = {}) {
  const isReady = () => venvIsReady(env) && (!node || nodeModulesAreReady())
  if (isReady()) return
  const release = await takeLock(log)
  try {
    if (isReady()) return // another process did it while this one waited
    const started = Date.now()
    const steps = []
    if (!venvIsReady(env)) steps.push(installPython(env, log))
    if (node && !nodeModulesAreReady()) steps.push(installNodeModules(env, log))
    const failed = (await Promise.allSettled(steps)).find((step) => step.status === 'rejected')
    if (failed) throw failed.reason
    log(`ready after ${Math.round((Date.now() - started) / 1000)} s`)
  } finally {
    release()
  }
}

function logToStderr (line) {
  process.stderr.write(`setup: ${line}\n`)
}

// ---- Python

function venvIsReady (env) {
  const stamp = readJson(STAMP)
  if (stamp?.state !== 'ready' || !fs.existsSync(VENV_PYTHON)) return false
  const version = venvVersion()
  return stamp.key === venvKey(version) && (!env.PYTHON || probe(env.PYTHON, VERSION_PROBE, env) === version)
}

/** The path is part of the key: the scripts of a .venv copied from elsewhere still name that other place. */
function venvKey (version) {
  const hash = createHash('sha256').update(`${VENV}\n${version}\n`)
  for (const lock of PYTHON_LOCKS) hash.update(fs.readFileSync(path.join(ROOT, lock))).update('\n')
  return hash.digest('hex')
}

function venvConfig () {
  const text = readText(path.join(VENV, 'pyvenv.cfg')) ?? ''
  return Object.fromEntries(text.split('\n').map((line) => line.split(/ = (.*)/s, 2)))
}

function venvVersion () {
  return venvConfig().version
}

async function installPython (env, log) {
  const isolated = { ...env, PIP_USER: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1' }
  for (const name of ['PIP_TARGET', 'PIP_PREFIX', 'PIP_ROOT', 'PYTHONHOME', 'PYTHONPATH']) delete isolated[name]
  if (!venvIsReusable(env)) await createVenv(findPython(env), isolated, log)
  fs.writeFileSync(STAMP, JSON.stringify({ state: 'installing' }))
  log('installing the locked Python packages into .venv')
  const files = PYTHON_LOCKS.flatMap((lock) => ['-r', lock])
  const pip = ['-I', '-m', 'pip', 'install', '-qq', '--no-input', '--no-deps', '--require-hashes', ...files]
  await run(VENV_PYTHON, pip, isolated,
    'pip could not install the packages locked in requirements.txt and requirements-dev.txt (its messages are above): ' +
    'check that a Python package registry can be reached (PIP_INDEX_URL, HTTPS_PROXY) and run the command again')
  fs.writeFileSync(STAMP, JSON.stringify({ state: 'ready', key: venvKey(venvVersion()) }))
}

/** Packages may be installed over a whole .venv that was made here; anything else is made anew. */
function venvIsReusable (env) {
  const { version, command = '' } = venvConfig()
  if (!version || !isNewEnough(version) || !command.endsWith(` ${VENV}`)) return false
  if (readJson(STAMP)?.state === 'installing' || !fs.existsSync(VENV_PYTHON)) return false
  return !env.PYTHON || probe(env.PYTHON, VERSION_PROBE, env) === version
}

async function createVenv (python, env, log) {
  log(`making .venv with ${python.name} (Python ${python.version})`)
  fs.rmSync(VENV, { recursive: true, force: true })
  fs.mkdirSync(VENV)
  fs.writeFileSync(STAMP, JSON.stringify({ state: 'installing' }))
  await run(python.name, ['-I', '-m', 'venv', VENV], env,
    `${python.name} -m venv failed (its messages are above): choose another Python with PYTHON=/path/to/python3 or mend this one`)
}

function findPython (env) {
  const found = []
  for (const name of env.PYTHON ? [env.PYTHON] : PYTHON_NAMES) {
    const version = probe(name, PROBE, env)
    if (version && isNewEnough(version)) return { name, version }
    const bare = version ?? probe(name, VERSION_PROBE, env)
    if (bare) found.push({ name, version: bare })
  }
  throw new SetupError(describeMissingPython(found, env))
}

function describeMissingPython (found, env) {
  const minimum = MINIMUM_PYTHON.join('.')
  const withoutVenv = found.find(({ version }) => isNewEnough(version))
  if (withoutVenv) {
    return `${withoutVenv.name} is Python ${withoutVenv.version} but lacks the modules venv and ensurepip: ` +
      'install them (Debian, Ubuntu: apt install python3-venv) or name another Python with PYTHON=/path/to/python3'
  }
  const list = found.map(({ name, version }) => `${name} is ${version}`).join(', ') || 'none that runs'
  const where = env.PYTHON ? `PYTHON=${env.PYTHON}` : `any of ${PYTHON_NAMES.join(', ')} on PATH`
  return `expected Python ${minimum} or newer as ${where}, found ${list}: ` +
    `install Python ${minimum} or newer, or name it with PYTHON=/path/to/python3`
}

/** The version that `name` prints, or undefined where it does not run: a pyenv shim may exist and fail. */
function probe (name, code, env) {
  const { status, stdout } = spawnSync(name, ['-I', '-c', code], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return status === 0 ? stdout.trim() : undefined
}

function isNewEnough (version) {
  const [major, minor] = version.split('.').map(Number)
  return major > MINIMUM_PYTHON[0] || (major === MINIMUM_PYTHON[0] && minor >= MINIMUM_PYTHON[1])
}

// ---- node_modules

/** npm writes node_modules/.package-lock.json last, so that an interrupted or hand-made install shows itself. */
function nodeModulesAreReady () {
  const installed = readJson(path.join(ROOT, 'node_modules', '.package-lock.json'))?.packages
  if (!installed) return false
  const locked = Object.entries(readJson(path.join(ROOT, 'package-lock.json')).packages).filter(([place]) => place !== '')
  const extra = Object.keys(installed).length - locked.filter(([place]) => place in installed).length
  return extra === 0 && locked.every(([place, { integrity, optional }]) =>
    place in installed ? installed[place].integrity === integrity : optional)
}

async function installNodeModules (env, log) {
  log('installing the locked node modules')
  await run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], env,
    'npm ci could not install what package-lock.json names (its messages are above): ' +
    'check that an npm registry can be reached (npm config get registry) and run the command again')
}

// ---- Processes and files

const children = new Set()

/** End the installers that run; what they left behind is made anew at the next start. */
export function interruptSetUp () {
  for (const child of children) child.kill('SIGTERM')
  if (readText(LOCK) === String(process.pid)) fs.rmSync(LOCK, { force: true })
}

function run (command, args, env, failure) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 2, 2] })
    children.add(child)
    const settle = (code) => {
      children.delete(child)
      code === 0 ? resolve() : reject(new SetupError(failure))
    }
    child.once('error', settle)
    child.once('exit', settle)
  })
}

async function takeLock (log) {
  fs.mkdirSync(path.dirname(LOCK), { recursive: true })
  for (let told = false; ; told = true) {
    try {
      fs.writeFileSync(LOCK, String(process.pid), { flag: 'wx' })
      return () => fs.rmSync(LOCK, { force: true })
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const owner = Number(readText(LOCK))
    if (owner && !isRunning(owner)) fs.rmSync(LOCK, { force: true })
    else if (!told) log(`waiting for the set-up that process ${owner} does`)
    await delay(LOCK_POLL_MS)
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

function readText (file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function readJson (file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** 128 + the signal's number, as shells report it. */
export function exitCodeOf (signal) {
  return 128 + os.constants.signals[signal]
}
