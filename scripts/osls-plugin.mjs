// What osls cannot be told in serverless.yml: it builds the layers before they are zipped, refuses settings
// that would open the service to everybody, and narrows what osls grants too widely.
import { spawnSync } from 'node:child_process'
import * as path from 'node:path'
import { ROOT, setUp, VENV } from './setup.mjs'

export default class SluicePlugin {
  constructor (serverless) {
    this.serverless = serverless
    this.hooks = {
      'before:package:cleanup': () => this.checkSettings(),
      'before:deploy:function:initialize': () => this.checkSettings(),
      'before:package:createDeploymentArtifacts': () => this.buildLayers(),
      'before:package:compileLayers': () => this.stayOffline(),
      'after:package:compileEvents': () => narrow(this.template(), this.environment())
    }
  }

  environment () {
    return this.serverless.service.provider.environment
  }

  template () {
    return this.serverless.service.provider.compiledCloudFormationTemplate
  }

  stop (message) {
    throw new this.serverless.classes.Error(message)
  }

  checkSettings () {
    const refused = refusal(this.environment(), process.env)
    if (refused) this.stop(refused)
    if (this.environment().FUNCTION_URL_AUTH === 'none') delete this.serverless.service.functions.stream.url.authorizer
  }

  /** serverless.yml names the sources, which the local stack reads; from here on osls sees what was built. */
  async buildLayers () {
    const { service, serviceDir } = this.serverless
    const built = path.join('.build', 'layers')
    await setUp({ node: false }).catch((error) => this.stop(error.message))
    const { status } = spawnSync(path.join(VENV, 'bin', 'python'), [
      path.join(ROOT, 'scripts', 'build_layers.py'),
      '--sources', path.join(serviceDir, 'layers'),
      '--requirements', path.join(serviceDir, 'requirements.txt'),
      '--output', path.join(serviceDir, built),
      '--cache', path.join(serviceDir, '.build'),
      '--python', service.provider.runtime.replace('python', ''),
      '--architecture', service.provider.architecture
    ], { stdio: ['ignore', 2, 2] })
    if (status !== 0) this.stop('the layers could not be built (see above)')
    for (const [name, layer] of Object.entries(service.layers)) layer.path = path.join(built, name)
  }

  /** `sls package` needs no account, but osls would ask CloudFormation whether a layer is there already. */
  stayOffline () {
    if (this.serverless.processedInput.commands.join(' ') !== 'package') return
    const compiler = this.serverless.pluginManager.plugins.find(({ compareWithLastLayer }) => compareWithLastLayer)
    compiler.compareWithLastLayer = async () => {}
  }
}

const FUNCTION_URL_AUTH = ['aws_iam', 'none']
const WEBSOCKET_AUTH = ['forward_key', 'aws_iam']
const PARAMETERS = ['OPENAI_API_KEY_PARAMETER', 'FORWARD_KEY_PARAMETER']

/** Why these settings must not be deployed, in one sentence, or undefined. `env` is the deploying shell's. */
export function refusal (settings, env) {
  const { WEBSOCKET_AUTH: websocket, FUNCTION_URL_AUTH: url } = settings
  if (websocket === 'none') {
    return 'WEBSOCKET_AUTH=none would let anybody spend your key: deploy with forward_key or aws_iam; none is for the local stack'
  }
  if (!WEBSOCKET_AUTH.includes(websocket)) {
    return `WEBSOCKET_AUTH must be ${WEBSOCKET_AUTH.join(' or ')}, found '${websocket}'`
  }
  if (!FUNCTION_URL_AUTH.includes(url)) {
    return `FUNCTION_URL_AUTH must be ${FUNCTION_URL_AUTH.join(' or ')}, found '${url}'`
  }
  if (url === 'none' && !env.FORWARD_KEY && !env.FORWARD_KEY_PARAMETER) {
    return 'FUNCTION_URL_AUTH=none needs a forward key, or anybody could spend your key: set FORWARD_KEY_PARAMETER to the name of an SSM SecureString that holds one'
  }
  const relative = PARAMETERS.find((name) => !settings[name].startsWith('/'))
  if (relative) return `${relative} must be the name of an SSM parameter that begins with a slash, found '${settings[relative]}'`
}

/** Take back, in the compiled template, what osls grants or orders beyond need. */
export function narrow (template, settings) {
  const resources = template.Resources
  for (const role of Object.values(resources).filter(({ Type }) => Type === 'AWS::IAM::Role')) {
    for (const { PolicyDocument: document } of role.Properties.Policies ?? []) {
      document.Statement = document.Statement.filter((statement) => !reachesEveryApi(statement))
    }
  }
  for (const [name, permission] of Object.entries(resources)) {
    if (!name.endsWith('LambdaPermissionWebsockets')) continue
    delete permission.DependsOn // both are implied by the references in Properties; cfn-lint W3005
    permission.Properties.SourceArn = { 'Fn::Sub': THIS_API }
  }
  // osls knows no IAM authorization for WebSocket routes; only $connect can have one.
  if (settings.WEBSOCKET_AUTH === 'aws_iam') resources.SconnectWebsocketsRoute.Properties.AuthorizationType = 'AWS_IAM'
}

const THIS_API = 'arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${WebsocketsApi}/*'

/** osls adds execute-api:ManageConnections on every API of the account beside the statement in serverless.yml. */
function reachesEveryApi ({ Action, Resource }) {
  return [Action].flat().includes('execute-api:ManageConnections') &&
    [Resource].flat().some((resource) => resource['Fn::Sub']?.includes?.(':execute-api:*:*:*/'))
}
