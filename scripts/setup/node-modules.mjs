// node_modules as package-lock.json wants them.
import { inCheckout, readJson } from './checkout.mjs'
import { runInstaller } from './installer.mjs'

/** npm writes its hidden lock last: an interrupted install lacks it, one by hand has it. */
export function nodeModulesAreReady () {
  const installed = readJson(inCheckout('node_modules', '.package-lock.json'))?.packages
  if (!installed) return false
  const locked = readJson(inCheckout('package-lock.json')).packages
  const isAsLocked = (place) => place in installed
    ? installed[place].integrity === locked[place].integrity
    : locked[place].optional === true // such as one for another platform
  return Object.keys(installed).every((place) => place in locked) &&
    Object.keys(locked).every((place) => place === '' || isAsLocked(place))
}

export async function installNodeModules (env, log) {
  log('installing the locked node modules')
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  await runInstaller('npm', args, env,
    'npm ci could not install what package-lock.json names (its messages are above): check that' +
    ' an npm registry can be reached (npm config get registry) and run the command again')
}
