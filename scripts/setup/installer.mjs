// Installers as child processes. Of what they print, only errors are shown.
import { spawn } from 'node:child_process'
import { ROOT } from './checkout.mjs'

/** What the user can fix; the message says what is wrong and what to do. */
export class SetupError extends Error {}

const running = new Set()

/** Run a command in the checkout. Throws SetupError(failure) unless it exits with 0. */
export function runInstaller (command, args, env, failure) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'ignore', 2] })
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
