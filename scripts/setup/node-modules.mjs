// node_modules as package-lock.json names them: wscat at once, what packages and tests after it.
import * as fs from 'node:fs'
import { inCheckout, readJson, ROOT } from './checkout.mjs'
import { runInstaller } from './installer.mjs'

// npm writes its hidden lock last, so that an interrupted installation has none.
const HIDDEN_LOCK = inCheckout('node_modules', '.package-lock.json')

// Settings of npm that say where packages come from; others could lead it out of the checkout.
// https://docs.npmjs.com/cli/using-npm/config
const KEPT_SETTING = /registry|proxy|^(ca|cafile|cert|key|cache|strict_ssl|userconfig|globalconfig)$|^\/\/|auth/i
const NPM_SETTING = /^npm_config_/i

// What .npmrc files, an enclosing workspace and NODE_ENV may say otherwise.
const OPTIONS = [
  '--prefix', ROOT, '--location=project', '--no-global', '--no-workspaces', '--no-dry-run',
  '--package-lock', '--bin-links', '--install-strategy=hoisted', '--no-engine-strict',
  '--no-audit', '--no-fund', '--loglevel=error'
]
// The first installation is small and soon says that no registry answers.
const FIRST = ['ci', '--omit=dev', '--fetch-retries=0', '--fetch-timeout=4000']
const REST = ['install', '--no-save', '--include=dev', '--fetch-retry-mintimeout=1000']

/** The step that installs the commands that users run: wscat. */
export function nodeCommands (env) {
  return { name: 'node_modules', isReady: hasCommands, install: () => npm(FIRST, env) }
}

/** The step that completes node_modules. `niceness` leaves the processor to others. */
export function nodeModules (env, niceness = 0) {
  return { name: 'node_modules', isReady, install: (log) => install(env, niceness, log) }
}

const hasCommands = () => isReady({ omitDev: true })

function isReady ({ omitDev = false } = {}) {
  const installed = readJson(HIDDEN_LOCK)?.packages
  if (!installed) return false
  const locked = readJson(inCheckout('package-lock.json')).packages
  const isNeeded = (place) => place !== '' && !locked[place].optional && !(omitDev && locked[place].dev)
  return Object.keys(installed).every((at) => installed[at].integrity === locked[at]?.integrity) &&
    Object.keys(locked).filter(isNeeded).every((place) => place in installed)
}

async function install (env, niceness, log) {
  log('Installing the locked node modules.')
  if (!hasCommands()) await npm(FIRST, env, niceness)
  if (isReady()) return
  fs.rmSync(HIDDEN_LOCK, { force: true })
  await npm(REST, env, niceness)
}

function npm (args, env, niceness) {
  return runInstaller('npm', [...args, ...OPTIONS], {
    env: withoutSettings(env),
    niceness,
    failure: 'npm cannot install what package-lock.json names (see its messages above). Check that' +
      ' an npm registry can be reached (npm config get registry), then run the command again.'
  })
}

function withoutSettings (env) {
  const isKept = (name) => !NPM_SETTING.test(name) || KEPT_SETTING.test(name.replace(NPM_SETTING, ''))
  return Object.fromEntries(Object.entries(env).filter(([name]) => isKept(name)))
}
