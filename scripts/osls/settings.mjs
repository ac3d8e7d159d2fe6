// Which ways in may be deployed, and what settings need in the account. No I/O. The values themselves
// are checked by scripts/deployed_settings.py.

const REQUIRED_PARAMETERS = ['OPENAI_API_KEY_PARAMETER', 'FORWARD_KEY_PARAMETER']
const ADDRESSES = ['OPENAI_BASE_URL', 'AZURE_OPENAI_ENDPOINT', 'EXTRA_BASE_URL']
/** An http:// URL of another machine. */
const UNENCRYPTED = /^http:\/\/(?!(?:localhost|127\.[\d.]+|\[::1\])(?:[:/]|$))/i
const NO_KEY = '-' // in EXTRA_API_KEY_PARAMETER: this API needs no key
/** Each may be a new environment, which reads the forward keys: SSM allows 40 reads a second. */
const MAX_CONNECTING = 40
/** A base URL at Amazon Bedrock. Its one group is the region. */
export const BEDROCK_HOST =
  /^https?:\/\/(?:[\w.-]+\.)?bedrock-(?:runtime|mantle)(?:-fips)?\.([a-z0-9-]+)\./

/** A sentence that says why these settings cannot be deployed, or undefined. `env`: the shell's. */
export function refusal (settings, env) {
  return refusedAuth(settings, env) ?? missingParameter(settings)
}

function refusedAuth (settings, env) {
  const { WEBSOCKET_AUTH: websocket, FUNCTION_URL_AUTH: url } = settings
  if (websocket === 'none') {
    return 'WEBSOCKET_AUTH=none would let anyone spend your key. Deploy with forward_key or' +
      ' aws_iam; none is for the local stack.'
  }
  // Functions have a default. The URL and the route, which are made from the setting, have none.
  if (!websocket) return 'WEBSOCKET_AUTH must be forward_key or aws_iam (it is empty).'
  if (!url) return 'FUNCTION_URL_AUTH must be aws_iam or none (it is empty).'
  // The parameter has a default name: a user who set neither may not know that it must exist.
  const knowsOfKeys = list(env.FORWARD_KEY).length > 0 || env.FORWARD_KEY_PARAMETER
  if (url === 'none' && !(knowsOfKeys && settings.FORWARD_KEY_PARAMETER)) {
    const name = settings.FORWARD_KEY_PARAMETER || '/sluice/STAGE/forward-key'
    return 'FUNCTION_URL_AUTH=none requires a forward key, or anyone could spend your key. Store' +
      ` one with \`npm run secrets -- set forward-key\`, and set FORWARD_KEY_PARAMETER=${name}.` +
      ' FORWARD_KEY itself is never deployed.'
  }
}

function missingParameter (settings) {
  const missing = REQUIRED_PARAMETERS.find((variable) => !settings[variable])
  if (missing) return `${missing} must be the name of an SSM parameter (it is empty).`
}

/** A sentence that says which of these options is wrong, or undefined. */
export function refusedOption ({ dashboard, alarms, budgetAlarm, tracing }) {
  for (const [name, value] of Object.entries({ dashboard, alarms, budgetAlarm, tracing })) {
    if (['true', 'false'].includes(String(value))) continue
    return `param ${name} must be true or false (got '${value}').`
  }
}

/** A sentence that says why one function alone cannot get these settings, or undefined. */
export function refusedWaysIn (settings, deployed) {
  for (const variable of ['FUNCTION_URL_AUTH', 'WEBSOCKET_AUTH']) {
    if (settings[variable] === deployed[variable]) continue
    return `${variable} is deployed as ${deployed[variable]}, and would become ${settings[variable]}` +
      ' for this function alone: its URL or route would stay as it is. Run `sls deploy` instead.'
  }
}

/**
 * How many invocations of each function may run at once. `answers` is RESERVED_CONCURRENCY.
 *
 * What clients without a key can cause is limited: `connect`. `disconnect` and `control` are not, and
 * so share what Lambda keeps unreserved, at least 100. Only admitted clients cause their events, and
 * Lambda drops what exceeds a limit: a $disconnect that is lost leaves its answers running.
 */
export function reserved (answers) {
  if (answers === 'none') return {}
  const places = Number(answers)
  return { connect: Math.min(places, MAX_CONNECTING), default: places, stream: places }
}

/** Sentences that say what must exist in the account, or be set, for this to work. */
export function requirements (settings, env) {
  return [
    openUrl(settings), ...unencrypted(settings), ...unsigned(settings), ...keysLeftBehind(settings, env)
  ].filter(Boolean)
}

function unencrypted (settings) {
  return ADDRESSES.filter((name) => list(settings[name]).some((url) => UNENCRYPTED.test(url)))
    .map((name) => `${name} is http://: the key and all prompts will cross the network in clear` +
      ' text. Use https:// if the server has it.')
}

function openUrl (settings) {
  if (settings.FUNCTION_URL_AUTH !== 'none') return
  return 'FUNCTION_URL_AUTH=none: functions read the forward keys from the SSM SecureString' +
    ` ${settings.FORWARD_KEY_PARAMETER}, which must exist. FORWARD_KEY itself is never deployed.`
}

function unsigned (settings) {
  if (settings.BEDROCK_MODELS) return []
  const keys = list(settings.EXTRA_API_KEY_PARAMETER)
  // Further APIs have no UPSTREAM_AUTH: requests to Bedrock are signed if it has no key.
  const signsExtra = list(settings.EXTRA_BASE_URL)
    .some((url, index) => BEDROCK_HOST.test(url) && (keys[index] ?? NO_KEY) === NO_KEY)
  return [
    settings.UPSTREAM_AUTH === 'aws_sigv4' && 'UPSTREAM_AUTH=aws_sigv4: for Amazon Bedrock,',
    signsExtra && 'EXTRA_BASE_URL names Amazon Bedrock without a key:'
  ].filter(Boolean).map((reason) => `${reason} set BEDROCK_MODELS to the models that the functions` +
    ' may call. Their roles allow none now.')
}

/** Keys that the local stack reads from variables, and a deployment from parameters. */
function keysLeftBehind (settings, env) {
  return ['AZURE_OPENAI_TOKEN', 'EXTRA_API_KEY']
    .filter((variable) => env[variable] && !settings[`${variable}_PARAMETER`])
    .map((variable) => `${variable} itself is never deployed. Store it with` +
      ` \`npm run secrets -- set NAME\`, and set ${variable}_PARAMETER to its name.`)
}

/** Whether answers are kept, and in DynamoDB. */
export function hasCacheTable ({ CACHE_CHAT_COMPLETION: cache = '', CACHE_BACKEND: backend = '' }) {
  return isOn(cache.trim().toLowerCase()) && ['', 'DYNAMODB'].includes(backend.trim().toUpperCase())
}

/** The parameters that a setting names. */
export function namedParameters (text) {
  return list(text).filter((name) => name !== NO_KEY)
}

/** The entries of a list between commas or, as the functions read it, of a JSON array of texts. */
export function list (text) {
  const found = text?.trim().startsWith('[') ? parsed(text) : (text ?? '').split(',')
  return found.map((entry) => String(entry).trim()).filter(Boolean)
}

function parsed (text) {
  try {
    return JSON.parse(text)
  } catch {
    return [] // scripts/deployed_settings.py says what is wrong
  }
}

export function isOn (value) {
  return String(value) === 'true'
}

/** How osls makes logical ids from functions' names. */
export function capitalized (name) {
  return name[0].toUpperCase() + name.slice(1)
}
