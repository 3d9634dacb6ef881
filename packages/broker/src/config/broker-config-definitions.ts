import { ConfigType, listOf, only, oneOf, whole, type ConfigDefinition } from './config-types.ts'
import { TOPIC_CONFIGS } from './topic-config-definitions.ts'

const { BOOLEAN, INT, LONG, STRING } = ConfigType

/** Settings of the broker itself: Kafka's names and defaults, except where the comment says otherwise. */
const OWN: readonly ConfigDefinition[] = [
  oneOf('auto.create.topics.enable', BOOLEAN, ['true', 'false'], 'true'),
  whole('connections.max.idle.ms', LONG, '600000', 1),
  // One node: anything above 1 could never be met.
  only('default.replication.factor', INT, '1'),
  whole('fetch.max.bytes', INT, '57671680', 1024),
  // 1000 in Kafka, where the second member of a new group hears of its partitions a heartbeat later.
  whole('group.consumer.assignment.interval.ms', INT, '0', 0),
  listOf('group.consumer.assignors', ['uniform', 'range'], 'uniform,range'),
  whole('group.consumer.heartbeat.interval.ms', INT, '5000', 1),
  whole('group.consumer.max.assignment.interval.ms', INT, '15000', 0),
  whole('group.consumer.max.heartbeat.interval.ms', INT, '15000', 1),
  whole('group.consumer.max.session.timeout.ms', INT, '60000', 1),
  whole('group.consumer.max.size', INT, '10000', 1, 10_000),
  oneOf('group.consumer.migration.policy', STRING, ['bidirectional', 'upgrade', 'downgrade', 'disabled'], 'bidirectional'),
  whole('group.consumer.min.assignment.interval.ms', INT, '0', 0),
  // 5000 and 45000 in Kafka; tests on an embedded broker want members to be missed sooner.
  whole('group.consumer.min.heartbeat.interval.ms', INT, '1', 1),
  whole('group.consumer.min.session.timeout.ms', INT, '1', 1),
  whole('group.consumer.regex.refresh.interval.ms', INT, '600000', 10_000),
  whole('group.consumer.session.timeout.ms', INT, '45000', 1),
  // 3000 in Kafka; an embedded broker has no reason to let a new group wait.
  whole('group.initial.rebalance.delay.ms', INT, '0', 0),
  whole('group.max.session.timeout.ms', INT, '1800000', 1),
  whole('group.max.size', INT, '10000', 1, 10_000),
  whole('group.min.session.timeout.ms', INT, '6000', 1),
  whole('log.retention.check.interval.ms', LONG, '300000', 1),
  whole('num.partitions', INT, '1', 1, 10_000),
  whole('offset.metadata.max.bytes', INT, '4096', 0, 32_767),
  whole('offsets.retention.check.interval.ms', LONG, '600000', 1),
  whole('offsets.retention.minutes', INT, '10080', 1),
  whole('offsets.topic.num.partitions', INT, '50', 1, 10_000),
  // 3 in Kafka, which no single node can meet.
  only('offsets.topic.replication.factor', INT, '1'),
  whole('producer.id.expiration.ms', INT, '86400000', 1),
]

/** The settings that give topics their defaults, under the broker's names for them. */
const TOPIC_DEFAULTS: readonly ConfigDefinition[] = TOPIC_CONFIGS.filter(({ name }) => !name.endsWith('.throttled.replicas')).map(
  (definition) => ({ ...definition, name: definition.brokerSynonym }),
)

export const BROKER_CONFIGS: readonly ConfigDefinition[] = [...OWN, ...TOPIC_DEFAULTS].toSorted((a, b) =>
  a.name < b.name ? -1 : 1,
)

export const BROKER_CONFIG_BY_NAME: ReadonlyMap<string, ConfigDefinition> = new Map(
  BROKER_CONFIGS.map((definition) => [definition.name, definition]),
)
