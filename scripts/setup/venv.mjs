// .venv with the Python packages that a lock names.
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { inCheckout, readJson, readText } from './checkout.mjs'
import { runInstaller, SetupError } from './installer.mjs'
import { findPython, probe } from './python.mjs'

/** SLUICE_VENV: a second one next to .venv, for another Python. */
export const VENV = inCheckout(process.env.SLUICE_VENV || '.venv')
export const VENV_PYTHON = path.join(VENV, 'bin', 'python')
export const SERVICE = 'requirements.txt'
export const DEVELOPMENT = 'requirements-dev.txt'
const LOCKS = [SERVICE, DEVELOPMENT] // each includes the one before it

// {place, version, locks}: where .venv was made, its Python and what is installed. Missing while
// packages are installed, so that the next command notices an interrupted installation.
const STAMP = path.join(VENV, '.setup.json')

/** The step that installs one of the locks. */
export function venv (lock, env) {
  return {
    name: '.venv',
    isReady: () => isWhole(env) && readJson(STAMP).locks[lock] === hash(lock),
    install: (log) => install(lock, env, log)
  }
}

async function install (lock, env, log) {
  if (VENV.includes(path.delimiter)) {
    throw new SetupError(`Python and PATH take no folder with "${path.delimiter}": ${VENV}. Move the checkout.`)
  }
  const kept = isWhole(env) && { name: VENV_PYTHON, version: readJson(STAMP).version }
  const { name, version } = kept || findPython(env)
  if (kept) {
    fs.rmSync(STAMP)
  } else {
    log(`Making .venv with ${name} (Python ${version}).`)
    fs.rmSync(VENV, { recursive: true, force: true })
  }
  log(`Installing the Python packages that ${lock} locks.`)
  await runInstaller(name, ['-I', inCheckout('scripts', 'locked_packages.py'), VENV, lock], env,
    `pip cannot install what ${lock} locks (see its messages above). Check that a Python package` +
    ' registry can be reached (PIP_INDEX_URL, HTTPS_PROXY), then run the command again.')
  const installed = LOCKS.slice(0, LOCKS.indexOf(lock) + 1)
  const locks = Object.fromEntries(installed.map((each) => [each, hash(each)]))
  fs.writeFileSync(STAMP, JSON.stringify({ place: VENV, version, locks }))
}

/** The place counts: the programs in a .venv copied from elsewhere still name that other place. */
function isWhole (env) {
  const stamp = readJson(STAMP)
  return stamp?.place === VENV && fs.existsSync(VENV_PYTHON) &&
    (!env.PYTHON || probe(env.PYTHON, env)?.version === stamp.version)
}

function hash (lock) {
  return createHash('sha256').update(readText(inCheckout(lock))).digest('hex')
}
