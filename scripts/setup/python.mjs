// Finds the Python to make .venv with.
import { spawnSync } from 'node:child_process'
import { SetupError } from './installer.mjs'

const MINIMUM = [3, 11] // the oldest Python that the code is tested with
const NAMES = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python']

const PRINT_VERSION = "print('%d.%d.%d' % sys.version_info[:3])"
// Debian's python3 has neither until python3-venv or python3-pip is installed.
const PRINT_VERSION_WITH_PIP =
  `import sys, venv, importlib.util as u; (u.find_spec('pip') or u.find_spec('ensurepip')) and ${PRINT_VERSION}`

/** The first Python that is new enough and can make a .venv: {name, version}. PYTHON names one. */
export function findPython (env) {
  const found = []
  for (const name of env.PYTHON ? [env.PYTHON] : NAMES) {
    const version = run(name, PRINT_VERSION_WITH_PIP, env)
    if (version && isNewEnough(version)) return { name, version }
    const withoutPip = version || versionOf(name, env)
    if (withoutPip) found.push({ name, version: withoutPip })
  }
  throw new SetupError(describeMissing(found, env))
}

/** The version of the Python called `name`, or undefined if it does not run. */
export function versionOf (name, env) {
  return run(name, `import sys; ${PRINT_VERSION}`, env)
}

export function isNewEnough (version) {
  const [major, minor] = version.split('.').map(Number)
  return major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])
}

/** A pyenv shim may exist and fail: only running a Python tells whether it is there. */
function run (name, code, env) {
  const stdio = ['ignore', 'pipe', 'ignore']
  const { status, stdout } = spawnSync(name, ['-I', '-c', code], { env, encoding: 'utf8', stdio })
  return status === 0 ? stdout.trim() : undefined
}

function describeMissing (found, env) {
  const other = 'name another Python with PYTHON=/path/to/python3.'
  const withoutPip = found.find(({ version }) => isNewEnough(version))
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
