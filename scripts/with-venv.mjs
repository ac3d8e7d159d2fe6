// node scripts/with-venv.mjs COMMAND [ARGUMENT...]
// Sets up what is missing, then runs .venv/bin/COMMAND in the checkout with this process's
// streams, passes signals on to it and ends with its exit code.
import { spawn } from 'node:child_process'
import * as os from 'node:os'
import * as path from 'node:path'
import { ROOT } from './setup/checkout.mjs'
import { SetupError } from './setup/installer.mjs'
import { interruptSetUp, setUp } from './setup/setup.mjs'
import { VENV } from './setup/venv.mjs'

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
  const PATH = `${bin}${path.delimiter}${process.env.PATH}`
  const env = { ...process.env, VIRTUAL_ENV: VENV, PATH }
  delete env.PYTHONHOME
  child = spawn(path.join(bin, command), args, { cwd: ROOT, env, stdio: 'inherit' })
  child.once('error', (error) => {
    const found = `found none named ${command} (${error.code})`
    process.stderr.write(`with-venv: expected a command of .venv, ${found}\n`)
    process.exit(1)
  })
  child.once('exit', (code, signal) => process.exit(code ?? exitCodeOf(signal)))
  if (process.env.npm_lifecycle_event) endWithParent()
}

/** npm passes on SIGINT and SIGTERM alone: ended in another way, it would leave the child. */
function endWithParent () {
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), PARENT_POLL_MS).unref()
}

/** As shells report a death by signal. */
function exitCodeOf (signal) {
  return 128 + os.constants.signals[signal]
}
