// Installers as child processes: what they print goes to stderr, because stdout belongs to the
// command that runs after the set-up.
import { spawn } from 'node:child_process'
import { ROOT } from './checkout.mjs'

/** What the user can mend; the message says what was expected, what was found and what to do. */
export class SetupError extends Error {}

const running = new Set()

/** Run a command in the checkout; a SetupError that says `failure` unless it exits with 0. */
export function runInstaller (command, args, env, failure) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 2, 2] })
    running.add(child)
    const settle = (code) => {
      running.delete(child)
      code === 0 ? resolve() : reject(new SetupError(failure))
    }
    child.once('error', settle)
    child.once('exit', settle)
  })
}

export function endInstallers () {
  for (const child of running) child.kill('SIGTERM')
}
