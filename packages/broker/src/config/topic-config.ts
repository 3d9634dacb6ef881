import type { TopicConfig } from '../core/topic-config.ts'
import { ConfigSource, toNumber, type TopicConfigDefinition } from './config-types.ts'
import { TOPIC_CONFIG_BY_NAME } from './topic-config-definitions.ts'

type Values = ReadonlyMap<string, string>

/** A configuration value with where it came from. */
export interface ConfigValue {
  readonly name: string
  readonly value: string
  readonly source: ConfigSource
}

/** What is wrong with a topic configuration, or null. An unknown name is wrong, as in Kafka's LogConfig.validateNames. */
export function checkTopicConfig(name: string, value: string): string | null {
  const definition = TOPIC_CONFIG_BY_NAME.get(name)
  if (definition === undefined) return `Unknown topic config name: ${name}`
  const wrong = definition.check(value)
  return wrong === null ? null : `Invalid value ${value} for configuration ${name}: expected ${wrong}`
}

/** All values that decide, the one in force first: the topic's own, the broker's, the default. */
export function topicConfigValues(definition: TopicConfigDefinition, overrides: Values, broker: Values): ConfigValue[] {
  const values: ConfigValue[] = []
  const own = overrides.get(definition.name)
  if (own !== undefined) values.push({ name: definition.name, value: own, source: ConfigSource.TOPIC_CONFIG })
  const given = broker.get(definition.brokerSynonym)
  if (given !== undefined)
    values.push({ name: definition.brokerSynonym, value: given, source: ConfigSource.STATIC_BROKER_CONFIG })
  values.push({ name: definition.brokerSynonym, value: definition.defaultValue, source: ConfigSource.DEFAULT_CONFIG })
  return values
}

/** The values that a topic with these overrides runs with. */
export function resolveTopicConfig(overrides: Values, broker: Values): TopicConfig {
  const text = (name: string): string => topicConfigValues(TOPIC_CONFIG_BY_NAME.get(name)!, overrides, broker)[0]!.value
  const number = (name: string): number => toNumber(text(name))
  return {
    retentionMs: number('retention.ms'),
    retentionBytes: number('retention.bytes'),
    segmentBytes: number('segment.bytes'),
    segmentMs: number('segment.ms'),
    indexIntervalBytes: number('index.interval.bytes'),
    segmentIndexBytes: number('segment.index.bytes'),
    maxMessageBytes: number('max.message.bytes'),
    messageTimestampType: text('message.timestamp.type') === 'LogAppendTime' ? 'LogAppendTime' : 'CreateTime',
    messageTimestampBeforeMaxMs: number('message.timestamp.before.max.ms'),
    messageTimestampAfterMaxMs: number('message.timestamp.after.max.ms'),
    minInsyncReplicas: number('min.insync.replicas'),
  }
}
