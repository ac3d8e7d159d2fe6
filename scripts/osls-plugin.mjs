// What serverless.yml cannot say to osls: this plugin builds the layers before they are zipped, rejects
// settings that would open the service to everyone, gives each function its own role, and adds
// metrics, alarms and a dashboard.
import { spawnSync } from 'node:child_process'
import * as path from 'node:path'
import { observation } from './osls/observation.mjs'
import { refusedPermissions, refusedRoleNames, roleOf, roles } from './osls/roles.mjs'
import { hasCacheTable, refusal, refusedOption, refusedWaysIn, requirements, reserved } from './osls/settings.mjs'
import { inCheckout } from './setup/checkout.mjs'
import { setUp } from './setup/setup.mjs'
import { SERVICE, VENV_PYTHON, venv } from './setup/venv.mjs'

const THIS_API =
  'arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${WebsocketsApi}/*'

// Per second and at once: what API Gateway allows all APIs of an account, in its smallest regions.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const DISCONNECT_LIMITS = [2500, 1250]

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
      refusedRoleNames(Object.keys(service.functions), this.place)
    if (refused) this.stop(refused)
    this.limits = await this.checkedSettings()
    for (const sentence of requirements(environment, process.env)) this.log.warning(sentence)
    const { url } = service.getFunction('stream')
    if (environment.FUNCTION_URL_AUTH === 'none') delete url.authorizer
    this.limitConcurrency()
    this.dropUnusedTable()
    this.addResources()
    await this.compileHandlers()
  }

  /** The values of the options. Stops for what the functions would reject at their start. */
  async checkedSettings () {
    const {
      alarmTopic, spendAlarm, tokenAlarm, firstTokenAlarm, reservedConcurrency, websocketRate,
      websocketBurst
    } = this.options
    const settings = {
      ...this.declared.environment,
      FORWARD_KEY: process.env.FORWARD_KEY,
      ALARM_TOPIC_ARN: alarmTopic,
      SPEND_ALARM: String(spendAlarm),
      TOKEN_ALARM: String(tokenAlarm),
      FIRST_TOKEN_ALARM: String(firstTokenAlarm),
      RESERVED_CONCURRENCY: String(reservedConcurrency),
      WEBSOCKET_RATE: String(websocketRate),
      WEBSOCKET_BURST: String(websocketBurst)
    }
    const { status, stdout, stderr } = await this.python([
      '-m', 'scripts.deployed_settings', this.serverless.serviceDir, this.place.stage
    ], { input: JSON.stringify(settings), encoding: 'utf8' })
    if (status !== 0) this.stop(stderr.trim())
    const { values, warnings } = JSON.parse(stdout)
    for (const paragraph of warnings) this.log.warning(paragraph)
    return values
  }

  /** Runs the Python of .venv, and makes .venv first if it is missing. */
  async python (args, options) {
    await setUp([venv(SERVICE, process.env)]).catch((error) => this.stop(error.message))
    return spawnSync(VENV_PYTHON, args, { cwd: inCheckout(), ...options })
  }

  /** serverless.yml cannot do this: no number means "no limit". */
  limitConcurrency () {
    for (const [name, places] of Object.entries(reserved(this.limits.RESERVED_CONCURRENCY))) {
      this.serverless.service.getFunction(name).reservedConcurrency = places
    }
  }

  /** serverless.yml has no conditions. */
  dropUnusedTable () {
    const { environment } = this.declared
    if (hasCacheTable(environment)) return
    delete environment.CACHE_TABLE
    delete this.serverless.service.resources.Resources.CacheTable
  }

  addResources () {
    const { resources: { Resources: resources }, custom, functions } = this.serverless.service
    const { project, stage } = this.place
    const { environment: settings } = this.declared
    const granted = Object.keys(functions).map((name) => [name, custom.permissions[name] ?? []])
    Object.assign(resources,
      roles(granted, { ...this.place, settings, tracing: this.options.tracing }),
      observation(custom.observation, this.options, `${project}-${stage}`))
    for (const [name, declared] of Object.entries(functions)) {
      declared.role = roleOf(name)
      // `sls deploy function` keeps layers only if the function itself names them.
      declared.layers ??= this.declared.layers
    }
  }

  /** Each function's zip gets the bytecode of its handler. */
  async compileHandlers () {
    const { service, serviceDir } = this.serverless
    const { status, stdout } = await this.python([
      '-m', 'scripts.compile_handlers',
      path.join(serviceDir, 'functions'), this.declared.runtime.replace('python', '')
    ], { stdio: ['ignore', 'pipe', 2], encoding: 'utf8' })
    if (status !== 0) this.stop('The handlers could not be compiled (see above).')
    const tag = stdout.trim()
    for (const name of tag ? service.getAllFunctions() : []) {
      service.getFunction(name).package.patterns.push(`functions/${name}/__pycache__/handler.${tag}.pyc`)
    }
  }

  /** serverless.yml names the sources. From here on osls sees what was built from them. */
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
    if (status !== 0) this.stop('The layers could not be built (see above).')
    for (const name of service.getAllLayers()) service.getLayer(name).path = path.join(built, name)
  }

  /** Without this, osls asks CloudFormation about each layer, and `sls package` needs an account. */
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
    throttle(resources, this.limits.WEBSOCKET_RATE, this.limits.WEBSOCKET_BURST)
    if (this.declared.environment.WEBSOCKET_AUTH === 'aws_iam') wantSignatures(resources)
  }

  /** `sls deploy function` changes a function's settings, but not its URL or API. */
  keepWaysIn () {
    const { Environment } = this.declared.remoteFunctionData.Configuration
    const refused = refusedWaysIn(this.declared.environment, Environment?.Variables ?? {})
    if (refused) this.stop(refused)
  }
}

/**
 * osls has no IAM authorization for WebSocket routes. Only $connect can have it.
 *
 * A stage serves the routes of its deployment. osls names a deployment by what it knows of the routes:
 * under the same name, a changed authorization would never be served.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-set-up-websocket-deployment.html
 */
function wantSignatures (resources) {
  resources.SconnectWebsocketsRoute.Properties.AuthorizationType = 'AWS_IAM'
  const { Ref: id } = resources.WebsocketsDeploymentStage.Properties.DeploymentId
  resources[`${id}Signed`] = resources[id]
  delete resources[id]
  resources.WebsocketsDeploymentStage.Properties.DeploymentId = { Ref: `${id}Signed` }
}

/** osls has no throttling of WebSocket routes. */
function throttle ({ WebsocketsDeploymentStage: { Properties: stage } }, rate, burst) {
  const limits = (ThrottlingRateLimit, ThrottlingBurstLimit) =>
    ({ ThrottlingRateLimit, ThrottlingBurstLimit })
  stage.DefaultRouteSettings = { ...stage.DefaultRouteSettings, ...limits(rate, burst) }
  // A crowd may leave at once, and the answers of a $disconnect that is lost run on.
  stage.RouteSettings = { $disconnect: limits(...DISCONNECT_LIMITS) }
}

/** Otherwise osls lets every API of every account invoke the functions. */
function bindWebsocketPermissions (resources) {
  for (const [name, permission] of Object.entries(resources)) {
    if (!name.endsWith('LambdaPermissionWebsockets')) continue
    permission.Properties.SourceArn = { 'Fn::Sub': THIS_API }
  }
}

/** A resource waits for what it refers to even without DependsOn: cfn-lint's W3005. */
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
