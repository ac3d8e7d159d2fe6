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
const SECOND_RUN = ['install', '--no-save', '--include=dev', '--fetch-retry-mintimeout=1000']

/** The step that completes node_modules; `omitDev` leaves it at what users run: wscat. */
export function nodeModules (env, omitDev = false) {
  return {
    name: 'node_modules',
    isReady: () => isReady(omitDev),
    install: (log) => install(env, omitDev, log)
  }
}

function isReady (omitDev) {
  const installed = readJson(HIDDEN_LOCK)?.packages
  if (!installed) return false
  const locked = readJson(inCheckout('package-lock.json')).packages
  const isNeeded = (at) => at !== '' && !locked[at].optional && !(omitDev && locked[at].dev)
  return Object.keys(installed).every((at) => installed[at].integrity === locked[at]?.integrity) &&
    Object.keys(locked).filter(isNeeded).every((at) => at in installed)
}

async function install (env, omitDev, log) {
  log('Installing the locked node modules.')
  const clean = Object.entries(env).filter(([name]) => !SETTING.test(name) || KEPT.test(name))
  const npm = (args) => runInstaller('npm', [...args, ...OPTIONS], Object.fromEntries(clean),
    'npm cannot install what package-lock.json names (see its messages above). Check that an npm' +
    ' registry can be reached (npm config get registry), then run the command again.')
  if (!isReady(true)) await npm(FIRST_RUN)
  if (isReady(omitDev)) return
  fs.rmSync(HIDDEN_LOCK, { force: true })
  await npm(SECOND_RUN)
}
