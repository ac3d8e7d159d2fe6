// .venv with the Python packages that a lock names.
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { inCheckout, readJson, readText } from './checkout.mjs'
import { runInstaller } from './installer.mjs'
import { findPython, isNewEnough, versionOf } from './python.mjs'

/** SLUICE_VENV: a second one beside .venv, for another Python. */
export const VENV = inCheckout(process.env.SLUICE_VENV || '.venv')
export const VENV_PYTHON = path.join(VENV, 'bin', 'python')
export const SERVICE = 'requirements.txt'
export const DEVELOPMENT = 'requirements-dev.txt'
const LOCKS = [SERVICE, DEVELOPMENT] // each includes the one before it

// The locks that are installed, each with a key of what it was installed from. Empty while
// installing, so that the next command notices an interrupted installation.
const STAMP = path.join(VENV, '.setup.json')

/** The step that installs one of the locks. */
export function venv (lock, env) {
  return {
    name: '.venv',
    isReady: () => fs.existsSync(VENV_PYTHON) && readJson(STAMP)?.[lock] === key(lock) &&
      isRequestedVersion(env),
    install: (log) => install(lock, env, log)
  }
}

async function install (lock, env, log) {
  let python = VENV_PYTHON
  if (!isReusable(env)) {
    const found = findPython(env)
    log(`Making .venv with ${found.name} (Python ${found.version}).`)
    python = found.name
    fs.rmSync(VENV, { recursive: true, force: true })
    fs.mkdirSync(VENV)
  }
  writeStamp([])
  log(`Installing the Python packages that ${lock} locks.`)
  await runInstaller(python, ['-I', inCheckout('scripts', 'locked_packages.py'), VENV, lock], {
    env,
    failure: `pip cannot install what ${lock} locks (see its messages above). Check that a Python` +
      ' package registry can be reached (PIP_INDEX_URL, HTTPS_PROXY), then run the command again.'
  })
  writeStamp(LOCKS.slice(0, LOCKS.indexOf(lock) + 1))
}

/** Packages may be installed over a whole .venv that was made here; any other is made anew. */
function isReusable (env) {
  const { version, command } = configuration()
  return version && isNewEnough(version) && command?.endsWith(` ${VENV}`) &&
    fs.existsSync(path.join(VENV, 'bin', 'pip')) && !isInterrupted() && isRequestedVersion(env)
}

function isInterrupted () {
  const stamp = readJson(STAMP)
  return stamp !== undefined && Object.keys(stamp).length === 0
}

function isRequestedVersion (env) {
  return !env.PYTHON || versionOf(env.PYTHON, env) === configuration().version
}

/** What Python's venv module noted about .venv: version, command and more. */
function configuration () {
  const lines = (readText(path.join(VENV, 'pyvenv.cfg')) ?? '').split('\n')
  return Object.fromEntries(lines.map((line) => line.split(/ = (.*)/s, 2)))
}

/** The path counts: the programs in a .venv copied from elsewhere still name that other place. */
function key (lock) {
  const parts = [VENV, configuration().version, readText(inCheckout(lock))]
  return createHash('sha256').update(parts.join('\n')).digest('hex')
}

function writeStamp (locks) {
  fs.writeFileSync(STAMP, JSON.stringify(Object.fromEntries(locks.map((lock) => [lock, key(lock)]))))
}
