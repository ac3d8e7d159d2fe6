// node scripts/with-venv.mjs COMMAND [ARGUMENT...]
// Sets up what is missing (scripts/setup.mjs), then runs .venv/bin/COMMAND in the checkout with this
// process's streams, passes signals on to it and ends with its exit code.
import { spawn } from 'node:child_process'
import * as path from 'node:path'
import { exitCodeOf, interruptSetUp, ROOT, setUp, SetupError, VENV } from './setup.mjs'

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP']
const PARENT_POLL_MS = 1000
const [command, ...args] = process.argv.slice(2)
let child

for (const signal of FORWARDED) {
  process.on(signal, () => {
    if (child) return child.kill(signal)
    interruptSetUp()
    process.exit(exitCodeOf(signal))
  })
}

try {
  await setUp()
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`setup: ${error.message}\n`)
  process.exit(1)
}
if (command) runInVenv()

function runInVenv () {
  const bin = path.join(VENV, 'bin')
  const env = { ...process.env, VIRTUAL_ENV: VENV, PATH: `${bin}${path.delimiter}${process.env.PATH}` }
  delete env.PYTHONHOME
  child = spawn(path.join(bin, command), args, { cwd: ROOT, env, stdio: 'inherit' })
  child.once('error', (error) => {
    process.stderr.write(`with-venv: expected a command of .venv, found none named ${command} (${error.code})\n`)
    process.exit(1)
  })
  child.once('exit', (code, signal) => process.exit(code ?? exitCodeOf(signal)))
  if (process.env.npm_lifecycle_event) endWithParent()
}

/** npm passes on SIGINT and SIGTERM alone: killed in another way, it would leave the child behind. */
function endWithParent () {
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), PARENT_POLL_MS).unref()
}
