import type { TopicConfig } from '../core/topic-config.ts'
import { ConfigSource, toNumber } from './config-types.ts'
import { decidingValues, wrongValue, type ConfigValue, type OverriddenDefinition, type Values } from './config-values.ts'
import { TOPIC_CONFIG_BY_NAME } from './topic-config-definitions.ts'

/** What is wrong with a topic configuration, or null. An unknown name is wrong, as in Kafka's LogConfig.validateNames. */
export function checkTopicConfig(name: string, value: string): string | null {
  const definition = TOPIC_CONFIG_BY_NAME.get(name)
  if (definition === undefined) return `Unknown topic config name: ${name}`
  return wrongValue(definition, value)
}

/** All values that decide, the one in force first: the topic's own, the broker's, the default. */
export function topicConfigValues(definition: OverriddenDefinition, overrides: Values, broker: Values): ConfigValue[] {
  return decidingValues(definition, overrides, ConfigSource.TOPIC_CONFIG, broker)
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
