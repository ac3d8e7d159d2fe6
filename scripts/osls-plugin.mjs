// What osls cannot be told in serverless.yml: it builds the layers before they are zipped, refuses
// settings that would open the service to everybody, gives each function a role of its own, and
// adds what watches over them.
import { spawnSync } from 'node:child_process'
import * as path from 'node:path'
import { observation } from './osls/observation.mjs'
import { refusedPermissions, refusedRoleNames, roleOf, roles } from './osls/roles.mjs'
import { refusal, refusedOption, refusedWaysIn, requirements } from './osls/settings.mjs'
import { inCheckout } from './setup/checkout.mjs'
import { setUp } from './setup/setup.mjs'
import { VENV_PYTHON } from './setup/venv.mjs'

const THIS_API =
  'arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${WebsocketsApi}/*'

export default class SluicePlugin {
  constructor (serverless, options, { log }) {
    this.serverless = serverless
    this.provider = serverless.getProvider('aws')
    this.log = log
    this.hooks = {
      'before:package:cleanup': () => this.prepare(),
      'before:deploy:function:initialize': () => this.prepare(),
      'after:deploy:function:initialize': () => this.keepWaysIn(),
      'before:package:createDeploymentArtifacts': () => this.buildLayers(),
      'before:package:compileLayers': () => this.stayOffline(),
      'after:package:compileEvents': () => this.narrowTemplate()
    }
  }

  get declared () {
    return this.serverless.service.provider
  }

  get options () {
    return this.serverless.service.custom.options
  }

  get place () {
    const { serverless: { service: { service: project } }, provider } = this
    return { project, stage: provider.getStage(), region: provider.getRegion() }
  }

  stop (message) {
    throw new this.serverless.classes.Error(message)
  }

  async prepare () {
    const { service } = this.serverless
    const { environment } = this.declared
    const refused = refusal(environment, process.env) ?? refusedOption(this.options) ??
      refusedPermissions(service.custom.permissions) ??
      refusedRoleNames(Object.keys(service.functions), this.place) ??
      await this.refusedSettings()
    if (refused) this.stop(refused)
    for (const sentence of requirements(environment, process.env)) this.log.warning(sentence)
    const { url } = service.getFunction('stream')
    if (environment.FUNCTION_URL_AUTH === 'none') delete url.authorizer
    this.limitConcurrency()
    this.addResources()
  }

  /** The functions' own check of their settings: what it refuses is not deployed. */
  async refusedSettings () {
    const { alarmTopic, reservedConcurrency } = this.options
    const settings = {
      ...this.declared.environment,
      ALARM_TOPIC_ARN: alarmTopic,
      RESERVED_CONCURRENCY: String(reservedConcurrency)
    }
    const { status, stderr } = await this.python(['-m', 'scripts.deployed_settings'], {
      input: JSON.stringify(settings), encoding: 'utf8'
    })
    return status === 0 ? undefined : stderr.trim()
  }

  /** Run the Python of .venv, which is made if it is missing. */
  async python (args, options) {
    await setUp({ node: false }).catch((error) => this.stop(error.message))
    return spawnSync(VENV_PYTHON, args, { cwd: inCheckout(), ...options })
  }

  /** A number in serverless.yml would do, were it not that there is none that means no limit. */
  limitConcurrency () {
    const { reservedConcurrency } = this.options
    if (reservedConcurrency === 'none') return
    for (const name of ['default', 'stream']) {
      this.serverless.service.getFunction(name).reservedConcurrency = Number(reservedConcurrency)
    }
  }

  addResources () {
    const { resources: { Resources: resources }, custom, functions } = this.serverless.service
    const { project, stage } = this.place
    const { environment: settings, tracing: { lambda: tracing } } = this.declared
    const granted = Object.keys(functions).map((name) => [name, custom.permissions[name] ?? []])
    Object.assign(resources,
      roles(granted, { ...this.place, settings, tracing }),
      observation(custom.observation, this.options, `${project}-${stage}`))
    for (const [name, declared] of Object.entries(functions)) {
      declared.role = roleOf(name)
      // `sls deploy function` leaves alone the layers of the function, and no others.
      declared.layers ??= this.declared.layers
    }
  }

  /** serverless.yml names the sources; from here on osls sees what was built from them. */
  async buildLayers () {
    const { service, serviceDir } = this.serverless
    const built = path.join('.build', 'layers')
    const { status } = await this.python([
      '-m', 'scripts.build_layers',
      '--sources', path.join(serviceDir, 'layers'),
      '--requirements', path.join(serviceDir, 'layers', 'shared', 'requirements.txt'),
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
    bindWebsocketPermissions(resources)
    dropImpliedOrder(resources)
    if (this.declared.environment.WEBSOCKET_AUTH === 'aws_iam') wantSignatures(resources)
  }

  /** `sls deploy function` gives a function its settings, and leaves its URL or API as it is. */
  keepWaysIn () {
    const { Environment } = this.declared.remoteFunctionData.Configuration
    const refused = refusedWaysIn(this.declared.environment, Environment?.Variables ?? {})
    if (refused) this.stop(refused)
  }
}

/**
 * osls knows no IAM authorization for WebSocket routes, and of those only $connect can have it.
 *
 * A stage serves the routes as they were when its deployment was made. osls names that by what it
 * knows of the routes, so that under the same name a changed authorization would never be served.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-set-up-websocket-deployment.html
 */
function wantSignatures (resources) {
  resources.SconnectWebsocketsRoute.Properties.AuthorizationType = 'AWS_IAM'
  const { Ref: id } = resources.WebsocketsDeploymentStage.Properties.DeploymentId
  resources[`${id}Signed`] = resources[id]
  delete resources[id]
  resources.WebsocketsDeploymentStage.Properties.DeploymentId = { Ref: `${id}Signed` }
}

/** osls lets every API of every account invoke the functions. */
function bindWebsocketPermissions (resources) {
  for (const [name, permission] of Object.entries(resources)) {
    if (!name.endsWith('LambdaPermissionWebsockets')) continue
    permission.Properties.SourceArn = { 'Fn::Sub': THIS_API }
  }
}

/** Where a resource refers to another it waits for it without being told to: cfn-lint's W3005. */
function dropImpliedOrder (resources) {
  for (const resource of Object.values(resources)) {
    const properties = JSON.stringify(resource.Properties)
    const refersTo = (name) => [`"Ref":"${name}"`, `"Fn::GetAtt":["${name}"`, `\${${name}}`]
      .some((reference) => properties.includes(reference))
    const order = [resource.DependsOn ?? []].flat().filter((name) => !refersTo(name))
    if (order.length) resource.DependsOn = order
    else delete resource.DependsOn
  }
}
