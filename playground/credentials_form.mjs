// The key and the AWS credentials that the user types. They stay in the fields: nothing stores them.
import { byId } from './elements.mjs'
import { presignWebSocket } from './presign_websocket.mjs'

const IN_A_PROTOCOL = /^[!#$%&'*+.^_`|~\w-]+$/ // what a sub-protocol may hold (RFC 9110, token)

/** Fill in what is public, and show the fields that this transport needs. */
export function showCredentials (settings, transport) {
  const auth = transport === 'url' ? settings.urlAuth : settings.websocketAuth
  byId('key-field').hidden = auth !== 'key'
  byId('aws-fields').hidden = auth !== 'signature'
  byId('memory').hidden = auth === 'none'
}

export function fillPublicKey ({ publicKey }) {
  for (const id of ['key', 'access-key', 'secret-key']) byId(id).value = publicKey
}

/** Where requests to the Function URL go, and the proof they carry. */
export function urlPlace (settings) {
  const isSigned = settings.urlAuth === 'signature'
  return {
    // The local stack serves this page, under whichever name the user typed.
    url: settings.isDeployed ? settings.httpUrl : location.origin,
    key: isSigned ? '' : byId('key').value.trim(),
    signer: isSigned ? { credentials: credentials(), region: settings.region } : null,
    networkHint: settings.networkHint
  }
}

/** The WebSocket to connect to; `name` differs whenever another connection is needed. */
export function webSocketPlace ({ websocketUrl: url, websocketAuth: auth, region }) {
  const key = byId('key').value.trim()
  const pair = credentials()
  const openings = {
    none: () => new WebSocket(url),
    key: () => IN_A_PROTOCOL.test(key)
      // A page can set no headers here: the key travels as a sub-protocol, next to a real one.
      ? new WebSocket(url, ['sluice', `bearer.${key}`])
      : new WebSocket(`${url}?key=${encodeURIComponent(key)}`),
    signature: async () => new WebSocket(await presignWebSocket(url, pair, region))
  }
  const proof = { none: '', key, signature: JSON.stringify(pair) }[auth]
  return { name: `${url} ${proof}`, open: openings[auth] }
}

function credentials () {
  return {
    accessKeyId: byId('access-key').value.trim(),
    secretAccessKey: byId('secret-key').value.trim(),
    sessionToken: byId('session-token').value.trim()
  }
}
