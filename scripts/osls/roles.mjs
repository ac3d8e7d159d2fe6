// One IAM role per function: what custom.permissions in serverless.yml lists for it, and writing its
// own log.
// https://docs.aws.amazon.com/service-authorization/latest/reference/
import { BEDROCK_HOST, capitalized, hasCacheTable, isOn, list, namedParameters } from './settings.mjs'

const HERE = '${AWS::Region}:${AWS::AccountId}'
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const MAX_ROLE_NAME = 64

/** The IAM statements of each name in custom.permissions. `settings` are the variables. */
const PERMISSIONS = {
  // With aws_iam, API Gateway and Lambda check signatures, and functions read no key.
  admitToWebsocket: ({ settings }) =>
    settings.WEBSOCKET_AUTH === 'forward_key' ? read(settings, 'FORWARD_KEY_PARAMETER') : [],
  admitToUrl: ({ settings }) =>
    settings.FUNCTION_URL_AUTH === 'none' ? read(settings, 'FORWARD_KEY_PARAMETER') : [],
  readProviderKeys: ({ settings }) => read(settings, ...providerKeys(settings)),
  readExtraKeys: ({ settings }) => read(settings, 'EXTRA_API_KEY_PARAMETER'),
  readState: () => allow(['dynamodb:BatchGetItem'], [arnOf('StateTable')]),
  writeState: () => allow(['dynamodb:PutItem'], [arnOf('StateTable')]),
  countUse: () => allow(['dynamodb:UpdateItem'], [arnOf('StateTable')]),
  cacheAnswers: ({ settings }) => allow(['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:PutItem'],
    hasCacheTable(settings) ? [arnOf('CacheTable')] : []),
  sendToConnections: ({ stage }) => allow(['execute-api:ManageConnections'], [
    sub(`execute-api:${HERE}:\${WebsocketsApi}/${stage}/POST/@connections/*`)
  ]),
  askBedrock: ({ settings }) => {
    const all = bedrockResources(settings)
    return [
      ...allow(['bedrock:InvokeModel', 'bedrock:InvokeModelWithResponseStream'],
        all.filter((arn) => !isOfMantle(arn) && !isGuardrail(arn))),
      ...allow(['bedrock:ApplyGuardrail'], all.filter(isGuardrail)),
      ...allow(['bedrock-mantle:CreateInference'], all.filter(isOfMantle))
    ]
  }
}

/** A sentence that says what is wrong with custom.permissions, or undefined. */
export function refusedPermissions (permissions) {
  const unknown = Object.values(permissions).flat().find((name) => !(name in PERMISSIONS))
  if (!unknown) return
  return `custom.permissions must list ${Object.keys(PERMISSIONS).join(', ')} (got ${unknown}).`
}

/**
 * The roles by logical id. `granted` has a pair for each function: its name and its permissions.
 * `deployment` is {project, stage, region, settings, tracing}.
 */
export function roles (granted, deployment) {
  return Object.fromEntries(granted.map(([name, permissions]) =>
    [roleOf(name), role(name, statements(name, permissions, deployment), deployment)]))
}

/** A sentence that says why IAM would reject the roles, or undefined. */
export function refusedRoleNames (names, { project, stage, region }) {
  const longest = names.map((name) => roleName(name, { project, stage, region }))
    .reduce((one, other) => one.length >= other.length ? one : other)
  if (longest.length <= MAX_ROLE_NAME) return
  return `The stage '${stage}' must be ${longest.length - MAX_ROLE_NAME} characters shorter in` +
    ` ${region}: IAM allows ${MAX_ROLE_NAME} characters in a role's name, such as ${longest}.`
}

/** The logical id of a function's role. */
export function roleOf (name) {
  return `${capitalized(name)}Role`
}

/** `sls deploy function` finds the role by its name. */
function roleName (name, { project, stage, region }) {
  return `${project}-${stage}-${region}-${name}`
}

function role (name, Statement, deployment) {
  return {
    Type: 'AWS::IAM::Role',
    Properties: {
      RoleName: roleName(name, deployment),
      AssumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [{
          Effect: 'Allow',
          Action: ['sts:AssumeRole'],
          Principal: { Service: ['lambda.amazonaws.com'] }
        }]
      },
      Policies: [{ PolicyName: name, PolicyDocument: { Version: '2012-10-17', Statement } }]
    }
  }
}

function statements (name, permissions, deployment) {
  const logStreams = arnOf(`${capitalized(name)}LogGroup`) // it ends with ":*"
  return merged([
    ...allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logStreams]),
    // Traces belong to the account: X-Ray has no resources to name.
    ...allow(['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], isOn(deployment.tracing) ? ['*'] : []),
    ...permissions.flatMap((permission) => PERMISSIONS[permission](deployment))
  ])
}

/** What sluice.upstream.targets reads for the default target. Signed requests need no key. */
function providerKeys (settings) {
  const { AZURE_OPENAI_PROXY_MODE: mode, AZURE_OPENAI_TOKEN_PARAMETER: token } = settings
  const asksAzure = mode === 'azure' || (!mode && settings.AZURE_OPENAI_ENDPOINT)
  if (asksAzure && token) return ['AZURE_OPENAI_TOKEN_PARAMETER']
  return !asksAzure && settings.UPSTREAM_AUTH === 'aws_sigv4' ? [] : ['OPENAI_API_KEY_PARAMETER']
}

/** Decrypting with the account's key aws/ssm needs no further permission. */
function read (settings, ...variables) {
  const names = variables.flatMap((variable) => namedParameters(settings[variable]))
  return allow(['ssm:GetParameters'], names.map((name) => sub(`ssm:${HERE}:parameter${name}`)))
}

/** Entries of BEDROCK_MODELS are names of foundation models, or ARNs of anything else. */
function bedrockResources (settings) {
  return list(settings.BEDROCK_MODELS).flatMap((entry) => entry.startsWith('arn:')
    ? [entry]
    : bedrockRegions(settings).map((region) => sub(`bedrock:${region}::foundation-model/${entry}`)))
}

function bedrockRegions (settings) {
  const urls = [settings.OPENAI_BASE_URL, ...list(settings.EXTRA_BASE_URL)]
  const found = urls.map((url) => BEDROCK_HOST.exec(url)?.[1]).filter(Boolean)
  const regions = settings.UPSTREAM_AWS_REGION ? [settings.UPSTREAM_AWS_REGION] : found
  return regions.length ? distinct(regions) : ['${AWS::Region}']
}

function isOfMantle (arn) {
  return typeof arn === 'string' && arn.split(':')[2] === 'bedrock-mantle'
}

/** A client may name a guardrail in a header, and the role must then allow it. */
function isGuardrail (arn) {
  return typeof arn === 'string' && /^guardrail(-profile)?\//.test(arn.split(':')[5])
}

/** No statement without a resource: IAM rejects an empty list. */
function allow (Action, Resource) {
  return Resource.length ? [{ Effect: 'Allow', Action, Resource }] : []
}

/** Joins statements that have the same actions. */
function merged (all) {
  const byActions = new Map()
  for (const statement of all) {
    const key = statement.Action.join()
    const earlier = byActions.get(key)?.Resource ?? []
    byActions.set(key, { ...statement, Resource: distinct([...earlier, ...statement.Resource]) })
  }
  return [...byActions.values()]
}

function distinct (resources) {
  return [...new Map(resources.map((each) => [JSON.stringify(each), each])).values()]
}

function sub (resource) {
  return { 'Fn::Sub': `arn:\${AWS::Partition}:${resource}` }
}

function arnOf (logicalId) {
  return { 'Fn::GetAtt': [logicalId, 'Arn'] }
}
