import { ConfigType, only, whole, type ConfigDefinition } from './config-types.ts'
import type { OverriddenDefinition } from './config-values.ts'

const { BOOLEAN, INT, STRING } = ConfigType

/**
 * Every group configuration of Kafka 4.3.1 (GroupConfig.java), with Kafka's types, defaults and synonyms. This broker has no share groups and no streams
 * groups, so what is theirs takes only its default: nothing is accepted and then ignored.
 */
export const GROUP_CONFIGS: readonly OverriddenDefinition[] = [
  // 1000 in Kafka: see group.consumer.assignment.interval.ms.
  from('group.consumer.assignment.interval.ms', whole('consumer.assignment.interval.ms', INT, '0', 0)),
  from('group.consumer.heartbeat.interval.ms', whole('consumer.heartbeat.interval.ms', INT, '5000', 1)),
  from('group.consumer.session.timeout.ms', whole('consumer.session.timeout.ms', INT, '45000', 1)),
  from('group.share.assignment.interval.ms', only('share.assignment.interval.ms', INT, '1000')),
  from('share.auto.offset.reset', only('share.auto.offset.reset', STRING, 'latest')),
  from('group.share.delivery.count.limit', only('share.delivery.count.limit', INT, '5')),
  from('group.share.heartbeat.interval.ms', only('share.heartbeat.interval.ms', INT, '5000')),
  from('share.isolation.level', only('share.isolation.level', STRING, 'read_uncommitted')),
  from('group.share.partition.max.record.locks', only('share.partition.max.record.locks', INT, '2000')),
  from('group.share.record.lock.duration.ms', only('share.record.lock.duration.ms', INT, '30000')),
  from('share.renew.acknowledge.enable', only('share.renew.acknowledge.enable', BOOLEAN, 'true')),
  from('group.share.session.timeout.ms', only('share.session.timeout.ms', INT, '45000')),
  from('group.streams.assignment.interval.ms', only('streams.assignment.interval.ms', INT, '1000')),
  from('group.streams.heartbeat.interval.ms', only('streams.heartbeat.interval.ms', INT, '5000')),
  from('group.streams.initial.rebalance.delay.ms', only('streams.initial.rebalance.delay.ms', INT, '3000')),
  from('group.streams.num.standby.replicas', only('streams.num.standby.replicas', INT, '0')),
  from('group.streams.session.timeout.ms', only('streams.session.timeout.ms', INT, '45000')),
]

export const GROUP_CONFIG_BY_NAME: ReadonlyMap<string, OverriddenDefinition> = new Map(
  GROUP_CONFIGS.map((definition) => [definition.name, definition]),
)

function from(brokerSynonym: string, definition: ConfigDefinition): OverriddenDefinition {
  return { ...definition, brokerSynonym }
}
