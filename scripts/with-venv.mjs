// node scripts/with-venv.mjs [--start | --dev | --terminal] [COMMAND [ARGUMENT...]]
// Sets up what is missing, then runs .venv/bin/COMMAND in the checkout with this process's
// streams, passes signals on to it and exits with its exit code.
//
//           .venv                  node_modules
// (none)    requirements.txt       -
// --start   requirements.txt       in the background: wscat, then osls for `npx sls`
// --dev     requirements-dev.txt   first
// --terminal: as without an option, for a command that counts each Ctrl-C
import { spawn } from 'node:child_process'
import * as os from 'node:os'
import * as path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ROOT } from './setup/checkout.mjs'
import { endInstallers, SetupError } from './setup/installer.mjs'
import { COMMANDS, nodeModules, WSCAT } from './setup/node-modules.mjs'
import { setUp } from './setup/setup.mjs'
import { DEVELOPMENT, SERVICE, VENV, venv } from './setup/venv.mjs'

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP']
const PARENT_POLL_MS = 1000
const BACKGROUND_DELAY_MS = 5000 // npm keeps disk and processors busy; the service starts first

const { argv, env } = process
const option = argv[2]?.startsWith('--') ? argv.splice(2, 1)[0] : ''
const [, , command, ...args] = argv
let child

for (const signal of FORWARDED) {
  process.on(signal, () => {
    if (!child) exit(exitCodeOf(signal))
    else if (!isFromTerminal(signal)) child.kill(signal)
  })
}

const ready = setUp(
  option === '--dev' ? [venv(DEVELOPMENT, env), nodeModules(env)] : [venv(SERVICE, env)])
if (option === '--start') setUpNodeInBackground().catch(report)
try {
  await ready
} catch (error) {
  report(error)
  exit(1)
}
if (command) runInVenv()

async function setUpNodeInBackground () {
  const quietly = () => {}
  await setUp([nodeModules(env, WSCAT)], quietly) // at the same time as .venv
  await ready.catch(quietly)
  await delay(BACKGROUND_DELAY_MS)
  await setUp([nodeModules(env, COMMANDS)], quietly)
}

function report (error) {
  process.stderr.write(`setup: ${error instanceof SetupError ? error.message : error.stack}\n`)
}

function exit (code) {
  endInstallers()
  process.exit(code)
}

function runInVenv () {
  const bin = path.join(VENV, 'bin')
  const PATH = `${bin}${path.delimiter}${env.PATH}`
  const environment = { ...env, VIRTUAL_ENV: VENV, PATH }
  delete environment.PYTHONHOME
  // Without __pycache__ each of a test run's many processes spends seconds on compiling.
  if (option === '--dev') delete environment.PYTHONDONTWRITEBYTECODE
  child = spawn(path.join(bin, command), args, { cwd: ROOT, env: environment, stdio: 'inherit' })
  child.once('error', (error) => {
    process.stderr.write(`with-venv: .venv has no command ${command} (${error.code}).\n`)
    exit(1)
  })
  child.once('exit', (code, signal) => exit(code ?? exitCodeOf(signal)))
  if (env.npm_lifecycle_event) endWithParent()
}

/** npm passes on SIGINT and SIGTERM only: if it ends in another way, it would leave the child. */
function endWithParent () {
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), PARENT_POLL_MS).unref()
}

/** A terminal sends Ctrl-C to the child as well, and npm sends this process a second one. */
function isFromTerminal (signal) {
  return option === '--terminal' && signal === 'SIGINT' && process.stdin.isTTY
}

/** As shells report a death by signal. */
function exitCodeOf (signal) {
  return 128 + os.constants.signals[signal]
}
