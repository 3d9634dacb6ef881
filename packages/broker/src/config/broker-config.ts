import { ConfigError } from '@millrace/protocol'
import { BROKER_CONFIG_BY_NAME } from './broker-config-definitions.ts'
import { listItems, toNumber } from './config-types.ts'

/** Which way groups with members may move between the classic and the consumer protocol. */
export type MigrationPolicy = 'bidirectional' | 'upgrade' | 'downgrade' | 'disabled'

export interface Bounds {
  readonly min: number
  readonly max: number
}

/** A broker's settings, validated. Fixed for the life of the broker. */
export interface BrokerConfig {
  /** Settings that were given, by Kafka's name, as text. All others have their default. */
  readonly given: ReadonlyMap<string, string>
  readonly autoCreateTopics: boolean
  /** `connections.max.idle.ms`. */
  readonly connectionsMaxIdleMs: number
  readonly numPartitions: number
  /** `fetch.max.bytes`. */
  readonly fetchMaxBytes: number
  /** `group.initial.rebalance.delay.ms`; 0 here, 3 s in Kafka. */
  readonly groupInitialRebalanceDelayMs: number
  readonly groupMinSessionTimeoutMs: number
  readonly groupMaxSessionTimeoutMs: number
  readonly groupMaxSize: number
  /** `group.consumer.assignment.interval.ms`: 0 here, 1 s in Kafka. */
  readonly consumerGroupAssignmentIntervalMs: number
  /** `group.consumer.assignors`: names of the server's assignors; the first is for groups whose members ask for none. */
  readonly consumerGroupAssignors: readonly string[]
  /** `group.consumer.min.…` and `group.consumer.max.…`: what a group's own configuration may be. */
  readonly consumerGroupAssignmentIntervalBounds: Bounds
  readonly consumerGroupHeartbeatIntervalMs: number
  readonly consumerGroupHeartbeatIntervalBounds: Bounds
  readonly consumerGroupMaxSize: number
  readonly consumerGroupMigrationPolicy: MigrationPolicy
  readonly consumerGroupRegexRefreshIntervalMs: number
  readonly consumerGroupSessionTimeoutMs: number
  readonly consumerGroupSessionTimeoutBounds: Bounds
  readonly offsetsRetentionMs: number
  readonly offsetsRetentionCheckIntervalMs: number
  readonly offsetMetadataMaxBytes: number
  readonly offsetsTopicPartitions: number
  readonly logRetentionCheckIntervalMs: number
  /** `producer.id.expiration.ms`. */
  readonly producerIdExpirationMs: number
}

/** Values as a user may write them in `Broker.start({ config })`. */
export type BrokerConfigValues = Readonly<Record<string, string | number | boolean>>

/**
 * @param values by Kafka's broker configuration names, for example `{ 'num.partitions': 4 }`
 * @throws ConfigError for a name that Kafka does not have or this broker does not honour, and for a value out of bounds
 */
export function parseBrokerConfig(values: BrokerConfigValues): BrokerConfig {
  const given = new Map<string, string>()
  for (const [name, value] of Object.entries(values)) {
    const definition = BROKER_CONFIG_BY_NAME.get(name)
    if (definition === undefined)
      throw new ConfigError(`config['${name}']`, value, 'a broker configuration name that this broker honours')
    const wrong = definition.check(String(value))
    if (wrong !== null) throw new ConfigError(`config['${name}']`, value, wrong)
    given.set(name, String(value).trim())
  }
  const config = resolve(given)
  if (config.groupMinSessionTimeoutMs > config.groupMaxSessionTimeoutMs) {
    const most = `at most group.max.session.timeout.ms (${config.groupMaxSessionTimeoutMs})`
    throw new ConfigError("config['group.min.session.timeout.ms']", config.groupMinSessionTimeoutMs, most)
  }
  checkBounds('assignment.interval.ms', config.consumerGroupAssignmentIntervalMs, config.consumerGroupAssignmentIntervalBounds)
  checkBounds('heartbeat.interval.ms', config.consumerGroupHeartbeatIntervalMs, config.consumerGroupHeartbeatIntervalBounds)
  checkBounds('session.timeout.ms', config.consumerGroupSessionTimeoutMs, config.consumerGroupSessionTimeoutBounds)
  if (config.consumerGroupHeartbeatIntervalMs >= config.consumerGroupSessionTimeoutMs) {
    const less = `less than group.consumer.session.timeout.ms (${config.consumerGroupSessionTimeoutMs})`
    throw new ConfigError("config['group.consumer.heartbeat.interval.ms']", config.consumerGroupHeartbeatIntervalMs, less)
  }
  return config
}

/** As Kafka at its start (GroupCoordinatorConfig): the bounds hold for what the groups have by default, too. */
function checkBounds(name: string, value: number, { min, max }: Bounds): void {
  if (min > max) throw new ConfigError(`config['group.consumer.min.${name}']`, min, `at most group.consumer.max.${name} (${max})`)
  if (value >= min && value <= max) return
  const allowed = `group.consumer.min.${name} (${min}) to group.consumer.max.${name} (${max})`
  throw new ConfigError(`config['group.consumer.${name}']`, value, allowed)
}

/** A broker setting as text: what was given, else the default. */
export function brokerValue(given: ReadonlyMap<string, string>, name: string): string {
  const value = given.get(name) ?? BROKER_CONFIG_BY_NAME.get(name)?.defaultValue
  if (value === undefined) throw new Error(`no broker configuration ${name}`)
  return value
}

function resolve(given: ReadonlyMap<string, string>): BrokerConfig {
  const number = (name: string): number => toNumber(brokerValue(given, name))
  const bounds = (name: string): Bounds => ({
    min: number(`group.consumer.min.${name}`),
    max: number(`group.consumer.max.${name}`),
  })
  return {
    given,
    autoCreateTopics: brokerValue(given, 'auto.create.topics.enable') === 'true',
    connectionsMaxIdleMs: number('connections.max.idle.ms'),
    numPartitions: number('num.partitions'),
    fetchMaxBytes: number('fetch.max.bytes'),
    groupInitialRebalanceDelayMs: number('group.initial.rebalance.delay.ms'),
    groupMinSessionTimeoutMs: number('group.min.session.timeout.ms'),
    groupMaxSessionTimeoutMs: number('group.max.session.timeout.ms'),
    groupMaxSize: number('group.max.size'),
    consumerGroupAssignmentIntervalMs: number('group.consumer.assignment.interval.ms'),
    consumerGroupAssignors: listItems(brokerValue(given, 'group.consumer.assignors')),
    consumerGroupAssignmentIntervalBounds: bounds('assignment.interval.ms'),
    consumerGroupHeartbeatIntervalBounds: bounds('heartbeat.interval.ms'),
    consumerGroupSessionTimeoutBounds: bounds('session.timeout.ms'),
    consumerGroupHeartbeatIntervalMs: number('group.consumer.heartbeat.interval.ms'),
    consumerGroupMaxSize: number('group.consumer.max.size'),
    consumerGroupMigrationPolicy: brokerValue(given, 'group.consumer.migration.policy') as MigrationPolicy,
    consumerGroupRegexRefreshIntervalMs: number('group.consumer.regex.refresh.interval.ms'),
    consumerGroupSessionTimeoutMs: number('group.consumer.session.timeout.ms'),
    offsetsRetentionMs: number('offsets.retention.minutes') * 60_000,
    offsetsRetentionCheckIntervalMs: number('offsets.retention.check.interval.ms'),
    offsetMetadataMaxBytes: number('offset.metadata.max.bytes'),
    offsetsTopicPartitions: number('offsets.topic.num.partitions'),
    logRetentionCheckIntervalMs: number('log.retention.check.interval.ms'),
    producerIdExpirationMs: number('producer.id.expiration.ms'),
  }
}
