// Finds the Python to make .venv with.
import { spawnSync } from 'node:child_process'
import { SetupError } from './installer.mjs'

const MINIMUM = [3, 11] // the oldest Python that the code is tested with
const NAMES = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python']

// Debian's python3 has neither pip nor ensurepip until python3-pip or python3-venv is installed.
const PROBE = `
import sys, venv, importlib.util as imports
has_pip = imports.find_spec('pip') or imports.find_spec('ensurepip')
print('%d.%d.%d' % sys.version_info[:3], 'pip' if has_pip else '')
`

/** The first Python that is new enough and can make a .venv: {name, version}. PYTHON names one. */
export function findPython (env) {
  const found = []
  for (const name of env.PYTHON ? [env.PYTHON] : NAMES) {
    const python = probe(name, env)
    if (python?.isNewEnough && python.hasPip) return python
    if (python) found.push(python)
  }
  throw new SetupError(describeMissing(found, env))
}

/** A Python, or undefined. A pyenv shim may exist and fail: only running it tells. */
export function probe (name, env) {
  const options = { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }
  const { status, stdout } = spawnSync(name, ['-I', '-c', PROBE], options)
  if (status !== 0) return undefined
  const [version, pip] = stdout.trim().split(' ')
  const [major, minor] = version.split('.').map(Number)
  const isNewEnough = major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])
  return { name, version, isNewEnough, hasPip: pip === 'pip' }
}

function describeMissing (found, env) {
  const other = 'name another Python with PYTHON=/path/to/python3.'
  const withoutPip = found.find(({ isNewEnough }) => isNewEnough)
  if (withoutPip) {
    return `${withoutPip.name} is Python ${withoutPip.version} but has neither ensurepip nor pip.` +
      ` Install them (Debian, Ubuntu: apt install python3-venv), or ${other}`
  }
  const minimum = MINIMUM.join('.')
  const where = env.PYTHON ? `PYTHON=${env.PYTHON}` : `any of ${NAMES.join(', ')} on PATH`
  const list = found.map(({ name, version }) => `${name} is ${version}`).join(', ')
  return `Python ${minimum} or newer is missing: expected as ${where}, got ${list || 'none that runs'}.` +
    ` Install Python ${minimum} or newer, or ${other}`
}
