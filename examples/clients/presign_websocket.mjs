// Presigns the address of a WebSocket API (WEBSOCKET_AUTH=aws_iam). Runs in a browser as it is.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
export async function presignWebSocket (url, credentials, region = 'us-east-1', options = {}) {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials
  const { expiresS = 60, now = new Date() } = options
  const { protocol, host, pathname, searchParams } = new URL(url)
  const stamp = stampOf(now)
  const scope = scopeOf(stamp, region, 'execute-api')
  const query = sortedQuery([
    ...searchParams,
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `${accessKeyId}/${scope}`],
    ['X-Amz-Date', stamp],
    ['X-Amz-Expires', String(expiresS)],
    ['X-Amz-SignedHeaders', 'host'],
    ...(sessionToken ? [['X-Amz-Security-Token', sessionToken]] : [])
  ])
  const request = ['GET', canonicalPath(pathname), query, `host:${host}\n`, 'host', await sha256('')]
  const signature = await signatureOf(request.join('\n'), secretAccessKey, stamp, scope)
  return `${protocol}//${host}${pathname}?${query}&X-Amz-Signature=${signature}`
}

const bytes = (text) => new TextEncoder().encode(text)
const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('')

export const sha256 = async (text) => hex(await crypto.subtle.digest('SHA-256', bytes(text)))

export const stampOf = (date) => date.toISOString().replace(/[-:]|\.\d+/g, '')

export const scopeOf = (stamp, region, service) =>
  `${stamp.slice(0, 8)}/${region}/${service}/aws4_request`

// encodeURIComponent leaves five more characters than AWS does.
const encoded = (text) => encodeURIComponent(text)
  .replace(/[!'()*]/g, (sign) => '%' + sign.charCodeAt().toString(16).toUpperCase())

export const canonicalPath = (path) => path.split('/').map(encoded).join('/')

export const sortedQuery = (pairs) => pairs
  .map(([name, value]) => [encoded(name), encoded(value)])
  .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
  .map((pair) => pair.join('=')).join('&')

async function hmac (key, text) {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const imported = await crypto.subtle.importKey('raw', key, algorithm, false, ['sign'])
  return crypto.subtle.sign('HMAC', imported, bytes(text))
}

export async function signatureOf (request, secret, stamp, scope) {
  let key = bytes('AWS4' + secret)
  for (const part of scope.split('/')) key = await hmac(key, part)
  const text = ['AWS4-HMAC-SHA256', stamp, scope, await sha256(request)].join('\n')
  return hex(await hmac(key, text))
}
