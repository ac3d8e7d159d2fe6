// The same request as lines to copy: curl, wscat, Python and JavaScript. They hold no key: they read
// SLUICE_KEY, or AWS credentials, from the environment.
import { messageOf } from './request_form.mjs'

const ID = '1'

/** settings: what the server says of the service. request: what requestOf returned. */
export function codeLines (settings, request) {
  const isUrl = request.transport === 'url'
  return {
    curl: curl(settings, request),
    wscat: wscat(settings, request),
    python: isUrl ? pythonUrl(settings, request) : pythonWebSocket(settings, request),
    javascript: isUrl ? javascriptUrl(settings, request) : javascriptWebSocket(settings, request)
  }
}

function curl (settings, { path, document }) {
  const proof = settings.urlAuth === 'signature'
    ? `--aws-sigv4 aws:amz:${settings.region}:lambda --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"`
    : `-H "Authorization: Bearer ${shellKey(settings)}"`
  // curl signs a header without a value, and does not send it. zsh makes one word of all after :+
  const token = settings.urlAuth === 'signature'
    ? '  ${AWS_SESSION_TOKEN:+"-Hx-amz-security-token: $AWS_SESSION_TOKEN"} \\\n'
    : ''
  return `curl -N ${quoted(settings.httpUrl + path)} \\
  ${proof} \\
${token}  -H 'Content-Type: application/json' \\
  -d ${quoted(JSON.stringify(document))}`
}

function wscat (settings, request) {
  const { websocketUrl: url, websocketAuth: auth } = settings
  const message = quoted(JSON.stringify(messageOf(request, ID)))
  const isSigned = auth === 'signature'
  const address = isSigned ? '"$SLUICE_PRESIGNED_URL"' : quoted(url)
  const header = auth === 'key' ? ` -H "Authorization: Bearer ${shellKey(settings)}"` : ''
  const presigned = isSigned ? `${presignLine(settings)}\n` : ''
  return `${presigned}sleep 10 | npx wscat -c ${address}${header} \\\n  -x ${message} -w 10`
}

function presignLine ({ websocketUrl, region }) {
  // A comment of Python's: zsh, the shell of macOS, would take one of the shell's for a command.
  const code = ['# pip install boto3', ...presigning(websocketUrl, region), 'print(url)'].join('\n')
  return `SLUICE_PRESIGNED_URL=$(python3 -c ${quoted(code)})`
}

function presigning (url, region) {
  return [
    'import boto3',
    'from botocore.auth import SigV4QueryAuth',
    'from botocore.awsrequest import AWSRequest',
    '',
    `request = AWSRequest("GET", ${JSON.stringify(url.replace(/^ws/, 'http'))})`,
    'credentials = boto3.Session().get_credentials()',
    `SigV4QueryAuth(credentials, "execute-api", ${JSON.stringify(region)}, expires=60).add_auth(request)`,
    'url = "ws" + request.url.removeprefix("http")'
  ]
}

function pythonUrl (settings, { isTemplate, path, document }) {
  const isSigned = settings.urlAuth === 'signature'
  if (!isTemplate && !isSigned) return pythonSdk(settings, document)
  const url = JSON.stringify(settings.httpUrl + path)
  const proof = isSigned
    ? [
        `signed = AWSRequest("POST", ${url}, {"Content-Type": "application/json"}, body)`,
        `SigV4Auth(boto3.Session().get_credentials(), "lambda", ${JSON.stringify(settings.region)}).add_auth(signed)`,
        'headers = dict(signed.headers)'
      ]
    : [`headers = {"Authorization": "Bearer " + ${pythonKey(settings)}, "Content-Type": "application/json"}`]
  const imports = isSigned
    ? ['import boto3', 'import requests', 'from botocore.auth import SigV4Auth', 'from botocore.awsrequest import AWSRequest']
    : ['import requests']
  return [
    `# pip install ${isSigned ? 'boto3 requests' : 'requests'}`,
    isSigned ? 'import json' : 'import json\nimport os',
    '',
    ...imports,
    '',
    `body = json.dumps(${pythonOf(document)})`,
    ...proof,
    `with requests.post(${url}, body.encode(), headers=headers, stream=True, timeout=900) as reply:`,
    '    reply.raise_for_status()',
    '    for line in reply.iter_lines():',
    '        print(line.decode(), flush=True)'
  ].join('\n')
}

function pythonSdk (settings, { model = settings.model, ...document }) {
  const options = Object.entries({ model, ...document })
    .map(([name, value]) => `    ${name}=${pythonOf(value)},`)
  return [
    '# pip install openai',
    'import os',
    '',
    'from openai import OpenAI',
    '',
    'client = OpenAI(',
    `    base_url=${JSON.stringify(settings.httpUrl + settings.apiPath)},`,
    `    api_key=${pythonKey(settings)},`,
    ')',
    'stream = client.chat.completions.create(',
    ...options,
    ')',
    'for chunk in stream:',
    '    if chunk.choices and chunk.choices[0].delta:',
    '        print(chunk.choices[0].delta.content or "", end="", flush=True)',
    'print()'
  ].join('\n')
}

function pythonWebSocket (settings, request) {
  const { websocketUrl, websocketAuth: auth, region } = settings
  const headers = auth === 'key' ? `headers = {"Authorization": "Bearer " + ${pythonKey(settings)}}` : ''
  const address = auth === 'signature'
    ? presigning(websocketUrl, region)
    : [`url = ${JSON.stringify(websocketUrl)}`]
  return [
    `# pip install websockets${auth === 'signature' ? ' boto3' : ''}`,
    auth === 'key' ? 'import json\nimport os' : 'import json',
    '',
    'from websockets.sync.client import connect',
    ...(auth === 'signature' ? [] : ['']),
    ...address,
    ...(headers ? [headers] : []),
    `with connect(url${headers ? ', additional_headers=headers' : ''}) as socket:`,
    `    socket.send(json.dumps(${pythonOf(messageOf(request, ID))}))`,
    '    for frame in socket:',
    ...pythonFrames(request)
  ].join('\n')
}

function pythonFrames ({ isTemplate, responseType }) {
  if (isTemplate && responseType !== 'stream') return ['        print(frame)', '        break']
  if (isTemplate) {
    return [
      '        if frame == "<END>":',
      '            break',
      '        print(frame, end="", flush=True)',
      'print()'
    ]
  }
  return [
    '        answer = json.loads(frame)',
    '        if "events" not in answer:',
    '            raise SystemExit(frame)',
    '        for event in answer["events"]:',
    '            for choice in event.get("choices", []):',
    '                print(choice["delta"].get("content") or "", end="", flush=True)',
    '        if answer.get("done"):',
    '            break',
    'print()'
  ]
}

function javascriptUrl (settings, { path, document }) {
  const isSigned = settings.urlAuth === 'signature'
  const url = literal(settings.httpUrl + path)
  const head = isSigned
    ? `// npm install aws4fetch
import { AwsClient } from 'aws4fetch'

const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = process.env
const aws = new AwsClient({ accessKeyId, secretAccessKey, sessionToken, service: 'lambda', region: ${literal(settings.region)} })
const reply = await aws.fetch(${url}, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },`
    : `const key = ${javascriptKey(settings)}
const reply = await fetch(${url}, {
  method: 'POST',
  headers: { Authorization: \`Bearer \${key}\`, 'Content-Type': 'application/json' },`
  return `${head}
  body: JSON.stringify(${JSON.stringify(document)})
})
for await (const piece of reply.body.pipeThrough(new TextDecoderStream())) {
  process.stdout.write(piece)
}`
}

function javascriptWebSocket (settings, request) {
  const { websocketUrl, websocketAuth: auth, region } = settings
  const end = {
    stream: "data === '<END>'",
    chat: 'JSON.parse(data).done || JSON.parse(data).error'
  }[request.isTemplate ? request.responseType : 'chat'] ?? 'true'
  const key = `const key = ${javascriptKey(settings)}\n`
  const opening = {
    none: `const socket = new WebSocket(${literal(websocketUrl)})`,
    key: `${key}const socket = new WebSocket(${literal(websocketUrl)}, ['sluice', \`bearer.\${key}\`])`,
    signature: `// presign_websocket.mjs: examples/clients of Sluice
import { presignWebSocket } from './presign_websocket.mjs'

const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = process.env
const credentials = { accessKeyId, secretAccessKey, sessionToken }
const socket = new WebSocket(await presignWebSocket(${literal(websocketUrl)}, credentials, ${literal(region)}))`
  }[auth]
  return `// Node.js 22 or newer, or a browser
${opening}
socket.onopen = () => socket.send(JSON.stringify(${JSON.stringify(messageOf(request, ID))}))
socket.onmessage = ({ data }) => {
  console.log(data)
  if (${end}) socket.close()
}`
}

/** The local stack's key is public: without SLUICE_KEY it is that one. */
function shellKey ({ publicKey }) {
  return publicKey ? `\${SLUICE_KEY:-${publicKey}}` : '$SLUICE_KEY'
}

function pythonKey ({ publicKey }) {
  return publicKey ? `os.environ.get("SLUICE_KEY", "${publicKey}")` : 'os.environ["SLUICE_KEY"]'
}

function javascriptKey ({ publicKey }) {
  return `process.env.SLUICE_KEY${publicKey ? ` ?? '${publicKey}'` : ''}`
}

function quoted (text) {
  return /^[\w/:.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

function literal (text) {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll("'", "\\'").replaceAll('\\"', '"')}'`
}

/** A JSON value as Python writes it. */
function pythonOf (value) {
  if (Array.isArray(value)) return `[${value.map(pythonOf).join(', ')}]`
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (value === null) return 'None'
  if (typeof value !== 'object') return JSON.stringify(value)
  return `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${pythonOf(each)}`).join(', ')}}`
}
