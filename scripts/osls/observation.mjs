// CloudWatch's part of the template: metrics from the functions' log lines, alarms, a dashboard.
// deployment/ describes them; sluice.request_log writes the lines.
import { capitalized, isOn } from './settings.mjs'

const ALARM_PERIOD_S = 300 // in a shorter period, one failure counts too much

/** The resources by logical id. `observed` is custom.observation; `name` is the stack's. */
export function observation (observed, options, name) {
  return {
    ...metricFilters(observed.metrics, name),
    ...(isOn(options.alarms) ? alarms(observed.alarms, name, options) : {}),
    ...(isOn(options.dashboard) ? dashboard(observed.dashboard, name) : {})
  }
}

/** One filter per log group, and per name that the figure may have in a line. */
function metricFilters (metrics, namespace) {
  const resources = {}
  for (const metric of metrics) {
    for (const log of metric.logs) {
      for (const [index, field] of (metric.of ?? [undefined]).entries()) {
        const id = `${capitalized(log)}${metric.metric}Metric${index || ''}`
        resources[id] = metricFilter(metric, log, field, namespace)
      }
    }
  }
  return resources
}

function metricFilter ({ metric, where, unit = 'Count', dimensions }, log, field, namespace) {
  const pattern = [where, field && `$.${field} = *`].filter(Boolean).join(' && ')
  return {
    Type: 'AWS::Logs::MetricFilter',
    Properties: {
      LogGroupName: { Ref: `${capitalized(log)}LogGroup` },
      FilterPattern: `{ ${pattern} }`,
      MetricTransformations: [{
        MetricNamespace: namespace,
        MetricName: metric,
        MetricValue: field ? `$.${field}` : '1',
        Unit: unit,
        ...(dimensions && {
          Dimensions: dimensions.map((name) => ({ Key: name, Value: `$.${name}` }))
        })
      }]
    }
  }
}

function alarms (list, name, options) {
  const wanted = list.filter(({ option }) => !option || isWanted(options[option]))
  return Object.fromEntries(wanted.map((alarm) => [`${alarm.alarm}Alarm`, {
    Type: 'AWS::CloudWatch::Alarm',
    Properties: {
      AlarmName: `${name}-${alarm.alarm}`,
      AlarmDescription: `${alarm.description} See ${alarm.alarm} in docs/operate.md.`,
      Metrics: [
        { Id: 'result', Label: alarm.alarm, Expression: alarm.formula },
        ...alarmMetrics(alarm, name)
      ],
      ComparisonOperator: 'GreaterThanThreshold',
      Threshold: alarm.above ?? Number(options[alarm.option]),
      EvaluationPeriods: alarm.periods ?? 2,
      TreatMissingData: 'notBreaching', // no requests at night are no failure
      ...notified(options.alarmTopic)
    }
  }]))
}

/** A switch that is on, or a number. */
function isWanted (value) {
  return isOn(value) || Number(value) > 0
}

function notified (topic) {
  return topic ? { AlarmActions: [topic], OKActions: [topic] } : {}
}

function alarmMetrics ({ lambda = {}, logged = {}, seconds = ALARM_PERIOD_S }, namespace) {
  const ofLambda = Object.entries(lambda).map(([id, [name, MetricName]]) => statistic(id, seconds, {
    Namespace: 'AWS/Lambda',
    MetricName,
    Dimensions: [{ Name: 'FunctionName', Value: { Ref: `${capitalized(name)}LambdaFunction` } }]
  }))
  const ofLogs = Object.entries(logged).map(([id, named]) => {
    const [MetricName, stat] = [named].flat()
    return statistic(id, seconds, { Namespace: namespace, MetricName }, stat)
  })
  return [...ofLambda, ...ofLogs]
}

function statistic (Id, Period, Metric, Stat = 'Sum') {
  return { Id, ReturnData: false, MetricStat: { Metric, Stat, Period } }
}

/** The body is a JSON text, into which CloudFormation writes the region. */
function dashboard (widgets, name) {
  return {
    Dashboard: {
      Type: 'AWS::CloudWatch::Dashboard',
      Properties: {
        // With the region, because a dashboard's name is unique in the account.
        DashboardName: { 'Fn::Sub': `${name}-\${AWS::Region}` },
        DashboardBody: { 'Fn::Sub': JSON.stringify({ start: '-PT24H', widgets }) }
      }
    }
  }
}
