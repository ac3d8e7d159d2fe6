// .venv with the Python packages that requirements.txt and requirements-dev.txt lock.
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { inCheckout, readJson, readText } from './checkout.mjs'
import { runInstaller } from './installer.mjs'
import { findPython, isNewEnough, versionOf } from './python.mjs'

export const VENV = inCheckout('.venv')
export const VENV_PYTHON = path.join(VENV, 'bin', 'python')
const LOCKS = ['requirements.txt', 'requirements-dev.txt']

// {"state": "installing" | "ready", "key"}: written before the first step and after the last, so
// that an interrupted set-up is found out; the key names what .venv was made from.
const STAMP = path.join(VENV, '.setup.json')

// Settings that would send packages elsewhere than into .venv.
const MISLEADING = ['PIP_TARGET', 'PIP_PREFIX', 'PIP_ROOT', 'PYTHONHOME', 'PYTHONPATH']

export function venvIsReady (env) {
  const stamp = readJson(STAMP)
  const { version } = configuration()
  return stamp?.state === 'ready' && fs.existsSync(VENV_PYTHON) && stamp.key === key(version) &&
    isTheOneAskedFor(version, env)
}

export async function installVenv (env, log) {
  const clean = { ...env, PIP_USER: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1' }
  for (const name of MISLEADING) delete clean[name]
  if (!isReusable(env)) await create(findPython(env), clean, log)
  writeStamp({ state: 'installing' })
  log('installing the locked Python packages into .venv')
  const options = ['-qq', '--no-input', '--no-deps', '--require-hashes']
  const files = LOCKS.flatMap((lock) => ['-r', inCheckout(lock)])
  await runInstaller(VENV_PYTHON, ['-I', '-m', 'pip', 'install', ...options, ...files], clean,
    `pip could not install the packages locked in ${LOCKS.join(' and ')} (its messages are` +
    ' above): check that a Python package registry can be reached (PIP_INDEX_URL, HTTPS_PROXY)' +
    ' and run the command again')
  writeStamp({ state: 'ready', key: key(configuration().version) })
}

async function create (python, env, log) {
  log(`making .venv with ${python.name} (Python ${python.version})`)
  fs.rmSync(VENV, { recursive: true, force: true })
  fs.mkdirSync(VENV)
  writeStamp({ state: 'installing' })
  await runInstaller(python.name, ['-I', '-m', 'venv', VENV], env,
    `${python.name} -m venv failed (its messages are above): mend that Python or name another` +
    ' with PYTHON=/path/to/python3')
}

/** Packages may be installed over a whole .venv that was made here; any other is made anew. */
function isReusable (env) {
  const { version, command } = configuration()
  return version && isNewEnough(version) && command?.endsWith(` ${VENV}`) &&
    fs.existsSync(VENV_PYTHON) && readJson(STAMP)?.state !== 'installing' &&
    isTheOneAskedFor(version, env)
}

function isTheOneAskedFor (version, env) {
  return !env.PYTHON || versionOf(env.PYTHON, env) === version
}

/** What Python's venv module noted about .venv: version, command and more. */
function configuration () {
  const lines = (readText(path.join(VENV, 'pyvenv.cfg')) ?? '').split('\n')
  return Object.fromEntries(lines.map((line) => line.split(/ = (.*)/s, 2)))
}

/** The path counts: the programs in a .venv copied from elsewhere still name that other place. */
function key (version) {
  const hash = createHash('sha256').update(`${VENV}\n${version}\n`)
  for (const lock of LOCKS) hash.update(fs.readFileSync(inCheckout(lock))).update('\n')
  return hash.digest('hex')
}

function writeStamp (stamp) {
  fs.writeFileSync(STAMP, JSON.stringify(stamp))
}
