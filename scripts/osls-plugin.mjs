// What osls cannot be told in serverless.yml: it builds the layers before they are zipped, refuses
// settings that would open the service to everybody, and narrows what osls grants too widely.
import { spawnSync } from 'node:child_process'
import * as path from 'node:path'
import { inCheckout } from './setup/checkout.mjs'
import { setUp } from './setup/setup.mjs'
import { VENV_PYTHON } from './setup/venv.mjs'

const FUNCTION_URL_AUTH = ['aws_iam', 'none']
const WEBSOCKET_AUTH = ['forward_key', 'aws_iam']
const PARAMETERS = ['OPENAI_API_KEY_PARAMETER', 'FORWARD_KEY_PARAMETER']
const THIS_API =
  'arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${WebsocketsApi}/*'

export default class SluicePlugin {
  constructor (serverless, options, { log }) {
    this.serverless = serverless
    this.log = log
    this.hooks = {
      'before:package:cleanup': () => this.checkSettings(),
      'before:deploy:function:initialize': () => this.checkSettings(),
      'before:package:createDeploymentArtifacts': () => this.buildLayers(),
      'before:package:compileLayers': () => this.stayOffline(),
      'after:package:compileEvents': () => this.narrowTemplate()
    }
  }

  get declared () {
    return this.serverless.service.provider
  }

  stop (message) {
    throw new this.serverless.classes.Error(message)
  }

  checkSettings () {
    const refused = refusal(this.declared.environment, process.env)
    if (refused) this.stop(refused)
    const needed = requirement(this.declared.environment)
    if (needed) this.log.warning(needed)
    const { url } = this.serverless.service.getFunction('stream')
    if (this.declared.environment.FUNCTION_URL_AUTH === 'none') delete url.authorizer
  }

  /** serverless.yml names the sources; from here on osls sees what was built from them. */
  async buildLayers () {
    const { service, serviceDir } = this.serverless
    const built = path.join('.build', 'layers')
    await setUp({ node: false }).catch((error) => this.stop(error.message))
    const { status } = spawnSync(VENV_PYTHON, [
      inCheckout('scripts', 'build_layers.py'),
      '--sources', path.join(serviceDir, 'layers'),
      '--requirements', path.join(serviceDir, 'requirements.txt'),
      '--output', path.join(serviceDir, built),
      '--cache', path.join(serviceDir, '.build'),
      '--python', this.declared.runtime.replace('python', ''),
      '--architecture', this.declared.architecture
    ], { stdio: ['ignore', 2, 2] })
    if (status !== 0) this.stop('the layers could not be built (see above)')
    for (const name of service.getAllLayers()) service.getLayer(name).path = path.join(built, name)
  }

  /** `sls package` needs no account, but osls would ask CloudFormation about each layer. */
  stayOffline () {
    const { pluginManager, processedInput } = this.serverless
    if (processedInput.commands.join(' ') !== 'package') return
    const compiler = pluginManager.plugins.find(({ compareWithLastLayer }) => compareWithLastLayer)
    compiler.compareWithLastLayer = async () => {}
  }

  narrowTemplate () {
    const { Resources: resources } = this.declared.compiledCloudFormationTemplate
    dropWidePermission(resources)
    bindWebsocketPermissions(resources)
    // osls knows no IAM authorization for WebSocket routes, and of those only $connect can have it.
    if (this.declared.environment.WEBSOCKET_AUTH === 'aws_iam') {
      resources.SconnectWebsocketsRoute.Properties.AuthorizationType = 'AWS_IAM'
    }
  }
}

/** In one sentence, why not to deploy these settings, or undefined; `env` is the shell's. */
export function refusal (settings, env) {
  const { WEBSOCKET_AUTH: websocket, FUNCTION_URL_AUTH: url } = settings
  if (websocket === 'none') {
    return 'WEBSOCKET_AUTH=none would let anybody spend your key: deploy with' +
      ` ${WEBSOCKET_AUTH.join(' or ')}; none is for the local stack`
  }
  if (!WEBSOCKET_AUTH.includes(websocket)) {
    return `WEBSOCKET_AUTH must be ${WEBSOCKET_AUTH.join(' or ')}, found '${websocket}'`
  }
  if (!FUNCTION_URL_AUTH.includes(url)) {
    return `FUNCTION_URL_AUTH must be ${FUNCTION_URL_AUTH.join(' or ')}, found '${url}'`
  }
  // The parameter has a default name: somebody who set neither may not know that it is needed.
  const knowsOfKeys = holdsKey(env.FORWARD_KEY) || env.FORWARD_KEY_PARAMETER
  if (url === 'none' && !(knowsOfKeys && settings.FORWARD_KEY_PARAMETER)) {
    return 'FUNCTION_URL_AUTH=none needs a forward key, or anybody could spend your key: set' +
      ' FORWARD_KEY_PARAMETER to the name of an SSM SecureString that holds one;' +
      ' FORWARD_KEY itself is never deployed'
  }
  const unrooted = PARAMETERS.find((name) => !settings[name]?.startsWith('/'))
  if (unrooted) { // "parameter" + the name makes the ARN in the role
    return `${unrooted} must be the name of an SSM parameter that begins with a slash,` +
      ` found '${settings[unrooted] ?? ''}'`
  }
}

/** In one sentence, what must exist in the account for these settings, or undefined. */
export function requirement (settings) {
  if (settings.FUNCTION_URL_AUTH !== 'none') return
  return 'FUNCTION_URL_AUTH=none: the keys that open the URL are read from the SSM SecureString' +
    ` ${settings.FORWARD_KEY_PARAMETER}, which must exist; FORWARD_KEY itself is never deployed`
}

function holdsKey (list = '') {
  return list.split(',').some((key) => key.trim())
}

/** osls lets the role manage the connections of every API, beside what serverless.yml grants. */
function dropWidePermission (resources) {
  const isWide = ({ Resource: named }) => [named].flat().some((resource) =>
    resource['Fn::Sub'] === 'arn:${AWS::Partition}:execute-api:*:*:*/@connections/*')
  for (const { Type: type, Properties: { Policies: policies } } of Object.values(resources)) {
    if (type !== 'AWS::IAM::Role') continue
    for (const { PolicyDocument: document } of policies) {
      document.Statement = document.Statement.filter((statement) => !isWide(statement))
    }
  }
}

/** osls lets every API of every account invoke the functions; and orders what references imply. */
function bindWebsocketPermissions (resources) {
  for (const [name, permission] of Object.entries(resources)) {
    if (!name.endsWith('LambdaPermissionWebsockets')) continue
    permission.Properties.SourceArn = { 'Fn::Sub': THIS_API }
    delete permission.DependsOn // cfn-lint W3005
  }
}
