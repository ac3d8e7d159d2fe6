// Finds the Python to make .venv with.
import { spawnSync } from 'node:child_process'
import { SetupError } from './installer.mjs'

const MINIMUM = [3, 11] // the oldest Python that the code is tested with
const NAMES = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python']

const PRINT_VERSION = "print('%d.%d.%d' % sys.version_info[:3])"
// venv imports without ensurepip on Debian until the package python3-venv is installed.
const PRINT_VERSION_WITH_VENV = `import sys, venv, ensurepip; ${PRINT_VERSION}`

/** The first Python that is new enough and can make a .venv: {name, version}. PYTHON names one. */
export function findPython (env) {
  const found = []
  for (const name of env.PYTHON ? [env.PYTHON] : NAMES) {
    const version = run(name, PRINT_VERSION_WITH_VENV, env)
    if (version && isNewEnough(version)) return { name, version }
    const withoutVenv = version ?? versionOf(name, env)
    if (withoutVenv) found.push({ name, version: withoutVenv })
  }
  throw new SetupError(describeMissing(found, env))
}

/** The version of the Python called `name`, or undefined where it does not run. */
export function versionOf (name, env) {
  return run(name, `import sys; ${PRINT_VERSION}`, env)
}

export function isNewEnough (version) {
  const [major, minor] = version.split('.').map(Number)
  return major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])
}

/** A pyenv shim may exist and fail, so that only running a Python tells whether it is there. */
function run (name, code, env) {
  const stdio = ['ignore', 'pipe', 'ignore']
  const { status, stdout } = spawnSync(name, ['-I', '-c', code], { env, encoding: 'utf8', stdio })
  return status === 0 ? stdout.trim() : undefined
}

function describeMissing (found, env) {
  const other = 'name another Python with PYTHON=/path/to/python3'
  const withoutVenv = found.find(({ version }) => isNewEnough(version))
  if (withoutVenv) {
    return `${withoutVenv.name} is Python ${withoutVenv.version} but lacks the modules venv and` +
      ` ensurepip: install them (Debian, Ubuntu: apt install python3-venv) or ${other}`
  }
  const minimum = MINIMUM.join('.')
  const where = env.PYTHON ? `PYTHON=${env.PYTHON}` : `any of ${NAMES.join(', ')} on PATH`
  const list = found.map(({ name, version }) => `${name} is ${version}`).join(', ')
  return `expected Python ${minimum} or newer as ${where}, found ${list || 'none that runs'}:` +
    ` install Python ${minimum} or newer, or ${other}`
}
