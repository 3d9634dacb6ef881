import type { BrokerConfig } from './broker-config.ts'
import { ConfigSource, toNumber } from './config-types.ts'
import { decidingValues, wrongValue, type ConfigValue, type OverriddenDefinition, type Values } from './config-values.ts'
import { GROUP_CONFIG_BY_NAME } from './group-config-definitions.ts'

/** What a consumer group (KIP-848) runs with. */
export interface GroupConfig {
  readonly assignmentIntervalMs: number
  readonly heartbeatIntervalMs: number
  readonly sessionTimeoutMs: number
}

const SESSION_TIMEOUT = 'consumer.session.timeout.ms'
const HEARTBEAT_INTERVAL = 'consumer.heartbeat.interval.ms'
const ASSIGNMENT_INTERVAL = 'consumer.assignment.interval.ms'

/** All values that decide, the one in force first: the group's own, the broker's, the default. */
export function groupConfigValues(definition: OverriddenDefinition, overrides: Values, broker: Values): ConfigValue[] {
  return decidingValues(definition, overrides, ConfigSource.GROUP_CONFIG, broker)
}

/**
 * What is wrong with a group's own configuration as a whole, or null: names, values, the broker's bounds, and a session that would be
 * over before the next heartbeat (GroupConfig.validate).
 */
export function checkGroupConfig(overrides: Values, config: BrokerConfig): string | null {
  for (const name of overrides.keys()) if (!GROUP_CONFIG_BY_NAME.has(name)) return `Unknown group config name: ${name}`
  for (const [name, value] of overrides) {
    const wrong = wrongValue(GROUP_CONFIG_BY_NAME.get(name)!, value)
    if (wrong !== null) return wrong
  }
  for (const { name, min, max } of boundsOf(config)) {
    const own = overrides.get(name)
    if (own === undefined) continue
    if (toNumber(own) < min) return `${name} must be greater than or equal to ${boundName(name, 'min')}, which is ${min}`
    if (toNumber(own) > max) return `${name} must be less than or equal to ${boundName(name, 'max')}, which is ${max}`
  }
  const isOwnTiming = overrides.has(SESSION_TIMEOUT) || overrides.has(HEARTBEAT_INTERVAL)
  const { sessionTimeoutMs, heartbeatIntervalMs } = resolveGroupConfig(overrides, config)
  if (!isOwnTiming || sessionTimeoutMs > heartbeatIntervalMs) return null
  return `${SESSION_TIMEOUT} must be greater than ${HEARTBEAT_INTERVAL}`
}

/**
 * What a group with these overrides runs with. The broker's bounds may be others than when an override was made: it counts as the nearest that is
 * allowed (GroupConfig.evaluate).
 */
export function resolveGroupConfig(overrides: Values, config: BrokerConfig): GroupConfig {
  const [session, heartbeat, assignment] = boundsOf(config).map(({ name, min, max, byDefault }) => {
    const own = overrides.get(name)
    return own === undefined ? byDefault : Math.min(max, Math.max(min, toNumber(own)))
  })
  return { sessionTimeoutMs: session!, heartbeatIntervalMs: heartbeat!, assignmentIntervalMs: assignment! }
}

interface Bounds {
  readonly name: string
  readonly min: number
  readonly max: number
  readonly byDefault: number
}

function boundsOf(config: BrokerConfig): readonly [Bounds, Bounds, Bounds] {
  return [
    { name: SESSION_TIMEOUT, ...config.consumerGroupSessionTimeoutBounds, byDefault: config.consumerGroupSessionTimeoutMs },
    {
      name: HEARTBEAT_INTERVAL,
      ...config.consumerGroupHeartbeatIntervalBounds,
      byDefault: config.consumerGroupHeartbeatIntervalMs,
    },
    {
      name: ASSIGNMENT_INTERVAL,
      ...config.consumerGroupAssignmentIntervalBounds,
      byDefault: config.consumerGroupAssignmentIntervalMs,
    },
  ]
}

/** `consumer.session.timeout.ms` has the bound `group.consumer.min.session.timeout.ms`. */
function boundName(name: string, bound: 'min' | 'max'): string {
  return `group.${name.replace('consumer.', `consumer.${bound}.`)}`
}
