// Which settings may be deployed, and what they need in the account. No I/O.

const SWITCH = ['true', 'false']
const REQUIRED_PARAMETERS = ['OPENAI_API_KEY_PARAMETER', 'FORWARD_KEY_PARAMETER']
const NO_KEY = '-' // an entry of EXTRA_API_KEY_PARAMETER, for a target that wants none
/** A base URL at Amazon Bedrock; its region is the one group. */
export const BEDROCK_HOST =
  /^https?:\/\/(?:[\w.-]+\.)?bedrock-(?:runtime|mantle)(?:-fips)?\.([a-z0-9-]+)\./

/** In one sentence, why not to deploy these settings, or undefined; `env` is the shell's. */
export function refusal (settings, env) {
  return refusedAuth(settings, env) ?? missingParameter(settings)
}

function refusedAuth (settings, env) {
  const { WEBSOCKET_AUTH: websocket, FUNCTION_URL_AUTH: url } = settings
  if (websocket === 'none') {
    return 'WEBSOCKET_AUTH=none would let anyone spend your key. Deploy with forward_key or' +
      ' aws_iam; none is for the local stack.'
  }
  // The functions' default counts for them alone: the URL and the route are made from the setting.
  if (!websocket) return 'WEBSOCKET_AUTH must be forward_key or aws_iam (it is empty).'
  if (!url) return 'FUNCTION_URL_AUTH must be aws_iam or none (it is empty).'
  // The parameter has a default name: somebody who set neither may not know that it is needed.
  const knowsOfKeys = list(env.FORWARD_KEY).length > 0 || env.FORWARD_KEY_PARAMETER
  if (url === 'none' && !(knowsOfKeys && settings.FORWARD_KEY_PARAMETER)) {
    return 'FUNCTION_URL_AUTH=none requires a forward key, or anyone could spend your key. Set' +
      ' FORWARD_KEY_PARAMETER to the name of an SSM SecureString that holds one;' +
      ' FORWARD_KEY itself is never deployed.'
  }
}

function missingParameter (settings) {
  const missing = REQUIRED_PARAMETERS.find((variable) => !settings[variable])
  if (missing) return `${missing} must be the name of an SSM parameter (it is empty).`
}

/** In one sentence, why not to deploy with these `options`, from custom, or undefined. */
export function refusedOption ({ dashboard, alarms }) {
  for (const [name, value] of Object.entries({ dashboard, alarms })) {
    if (SWITCH.includes(String(value))) continue
    return `param ${name} must be true or false (got '${value}').`
  }
}

/** In one sentence, why one function alone must not get these settings in place of `deployed`. */
export function refusedWaysIn (settings, deployed) {
  for (const variable of ['FUNCTION_URL_AUTH', 'WEBSOCKET_AUTH']) {
    if (settings[variable] === deployed[variable]) continue
    return `${variable} is ${deployed[variable]} where this is deployed, and would be` +
      ` ${settings[variable]} for this function alone, with the way in as it was: set it to` +
      ' what is deployed, or change it with `sls deploy`'
  }
}

/** In a sentence each, what must exist in the account, or be set, for this to work. */
export function requirements (settings, env) {
  const sentences = [openUrl(settings), unsignedFor(settings), unsignedForExtra(settings)]
  return [...sentences, ...keysLeftBehind(settings, env)].filter(Boolean)
}

function openUrl (settings) {
  if (settings.FUNCTION_URL_AUTH !== 'none') return
  return 'FUNCTION_URL_AUTH=none: the keys that open the URL are read from the SSM SecureString' +
    ` ${settings.FORWARD_KEY_PARAMETER}, which must exist; FORWARD_KEY itself is never deployed`
}

function unsignedFor (settings) {
  if (settings.UPSTREAM_AUTH !== 'aws_sigv4' || settings.BEDROCK_MODELS) return
  return 'UPSTREAM_AUTH=aws_sigv4: for Amazon Bedrock set BEDROCK_MODELS to the models that the' +
    ' functions may ask; as it is, their roles allow none'
}

/** Further APIs have no UPSTREAM_AUTH: those of Bedrock are signed where they are given no key. */
function unsignedForExtra (settings) {
  const keys = list(settings.EXTRA_API_KEY_PARAMETER)
  const signed = list(settings.EXTRA_BASE_URL)
    .some((url, index) => BEDROCK_HOST.test(url) && (keys[index] ?? NO_KEY) === NO_KEY)
  if (!signed || settings.BEDROCK_MODELS) return
  return 'EXTRA_BASE_URL names Amazon Bedrock without a key: set BEDROCK_MODELS to the models that' +
    ' the functions may ask; as it is, their roles allow none'
}

/** Keys that the local stack takes from these variables, and a deployment from a parameter. */
function keysLeftBehind (settings, env) {
  return ['AZURE_OPENAI_TOKEN', 'EXTRA_API_KEY']
    .filter((variable) => env[variable] && !settings[`${variable}_PARAMETER`])
    .map((variable) => `${variable} itself is never deployed: store it by` +
      ` \`npm run secrets -- set NAME\` and set ${variable}_PARAMETER to its name`)
}

/** The parameters that a setting names. */
export function namedParameters (text) {
  return list(text).filter((name) => name !== NO_KEY)
}

/** The entries between commas. */
export function list (text) {
  return (text ?? '').split(',').map((entry) => entry.trim()).filter(Boolean)
}

export function isOn (value) {
  return String(value) === 'true'
}

/** As osls makes logical ids of functions' names. */
export function capitalized (name) {
  return name[0].toUpperCase() + name.slice(1)
}
