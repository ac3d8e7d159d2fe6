// node_modules as package-lock.json names them.
import * as fs from 'node:fs'
import { inCheckout, readJson, ROOT } from './checkout.mjs'
import { runInstaller } from './installer.mjs'

// npm writes its hidden lock last, so that an interrupted installation has none.
const HIDDEN_LOCK = inCheckout('node_modules', '.package-lock.json')

// Of npm's settings in variables, those stay that say where packages come from; others could lead
// npm out of the checkout. OPTIONS overrides .npmrc files, an enclosing workspace and NODE_ENV.
// https://docs.npmjs.com/cli/using-npm/config
const SETTING = /^npm_config_/i
const KEPT = /registry|proxy|auth|config_\/\/|config_(ca|cafile|cert|key|cache|strict_ssl|userconfig|globalconfig)$/i
const OPTIONS = [
  '--prefix', ROOT, '--location=project', '--no-global', '--no-workspaces', '--no-dry-run',
  '--package-lock', '--bin-links', '--install-strategy=hoisted', '--no-engine-strict',
  '--no-audit', '--no-fund', '--loglevel=error'
]
// The first run is small and soon says that no registry answers.
const FIRST_RUN = ['ci', '--omit=dev', '--fetch-retries=0', '--fetch-timeout=4000']
const SECOND_RUN = ['install', '--no-save', '--fetch-retry-mintimeout=1000']
const OSLS = 'node_modules/osls'

// What is installed: wscat; osls for `npx sls`, too; or all, which has the browser of the tests.
export const WSCAT = 'wscat'
export const COMMANDS = 'commands'
export const ALL = 'all'

/** The step that completes node_modules. */
export function nodeModules (env, extent = ALL) {
  return {
    name: 'node_modules',
    isReady: () => isReady(extent),
    install: (log) => install(env, extent, log)
  }
}

function isReady (extent) {
  const installed = readJson(HIDDEN_LOCK)?.packages
  if (!installed) return false
  const locked = lockedPackages()
  const isNeeded = (at) => at !== '' && !locked[at].optional && (extent === ALL || !locked[at].dev)
  return Object.keys(installed).every((at) => installed[at].integrity === locked[at]?.integrity) &&
    Object.keys(locked).filter(isNeeded).every((at) => at in installed) &&
    (extent === WSCAT || OSLS in installed)
}

async function install (env, extent, log) {
  log('Installing the locked node modules.')
  const clean = Object.entries(env).filter(([name]) => !SETTING.test(name) || KEPT.test(name))
  const npm = (args) => runInstaller('npm', [...args, ...OPTIONS], Object.fromEntries(clean),
    'npm cannot install what package-lock.json names (see its messages above). Check that an npm' +
    ' registry can be reached (npm config get registry), then run the command again.')
  if (!isReady(WSCAT)) await npm(FIRST_RUN)
  if (isReady(extent)) return
  fs.rmSync(HIDDEN_LOCK, { force: true })
  // As if osls were no development package, but nothing is saved.
  const osls = ['--omit=dev', '--save-prod', `osls@${lockedPackages()[OSLS].version}`]
  await npm([...SECOND_RUN, ...(extent === ALL ? ['--include=dev'] : osls)])
}

function lockedPackages () {
  return readJson(inCheckout('package-lock.json')).packages
}
