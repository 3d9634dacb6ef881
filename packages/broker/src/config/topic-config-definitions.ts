import { ConfigType, oneOf, only, whole, type ConfigDefinition } from './config-types.ts'
import type { OverriddenDefinition } from './config-values.ts'

const { BOOLEAN, DOUBLE, INT, LIST, LONG, STRING } = ConfigType
const FOREVER = '9223372036854775807'

/**
 * Every topic configuration of Kafka 4.4 (LogConfig.java), with Kafka's types, defaults and synonyms. Settings that this broker
 * does not honour (compaction, recompression, tiered storage, per-message flush) take only their default, so that nothing is
 * accepted and then ignored.
 */
export const TOPIC_CONFIGS: readonly OverriddenDefinition[] = [
  from('log.cleanup.policy', only('cleanup.policy', LIST, 'delete')),
  from('compression.type', only('compression.type', STRING, 'producer')),
  from('compression.gzip.level', only('compression.gzip.level', INT, '-1')),
  from('compression.lz4.level', only('compression.lz4.level', INT, '9')),
  from('compression.zstd.level', only('compression.zstd.level', INT, '3')),
  from('log.cleaner.delete.retention.ms', only('delete.retention.ms', LONG, '86400000')),
  from('log.segment.delete.delay.ms', only('file.delete.delay.ms', LONG, '60000')),
  from('log.flush.interval.messages', only('flush.messages', LONG, FOREVER)),
  from('log.flush.interval.ms', only('flush.ms', LONG, FOREVER)),
  from('follower.replication.throttled.replicas', only('follower.replication.throttled.replicas', LIST, '')),
  from('log.index.interval.bytes', whole('index.interval.bytes', INT, '4096', 0)),
  from('leader.replication.throttled.replicas', only('leader.replication.throttled.replicas', LIST, '')),
  from('log.local.retention.bytes', only('local.retention.bytes', LONG, '-2')),
  from('log.local.retention.ms', only('local.retention.ms', LONG, '-2')),
  from('log.cleaner.max.compaction.lag.ms', only('max.compaction.lag.ms', LONG, FOREVER)),
  from('message.max.bytes', whole('max.message.bytes', INT, '1048588', 0)),
  from('log.message.timestamp.after.max.ms', whole('message.timestamp.after.max.ms', LONG, '3600000', 0)),
  from('log.message.timestamp.before.max.ms', whole('message.timestamp.before.max.ms', LONG, FOREVER, 0)),
  from('log.message.timestamp.type', oneOf('message.timestamp.type', STRING, ['CreateTime', 'LogAppendTime'], 'CreateTime')),
  from('log.cleaner.min.cleanable.ratio', only('min.cleanable.dirty.ratio', DOUBLE, '0.5')),
  from('log.cleaner.min.compaction.lag.ms', only('min.compaction.lag.ms', LONG, '0')),
  from('min.insync.replicas', whole('min.insync.replicas', INT, '1', 1)),
  from('log.preallocate', only('preallocate', BOOLEAN, 'false')),
  from('remote.storage.enable', only('remote.storage.enable', BOOLEAN, 'false')),
  from('log.retention.bytes', whole('retention.bytes', LONG, '-1', -1)),
  from('log.retention.ms', whole('retention.ms', LONG, '604800000', -1)),
  from('log.segment.bytes', whole('segment.bytes', INT, '1073741824', 1024 * 1024)),
  from('log.index.size.max.bytes', whole('segment.index.bytes', INT, '10485760', 4)),
  from('log.roll.jitter.ms', only('segment.jitter.ms', LONG, '0')),
  from('log.roll.ms', whole('segment.ms', LONG, '604800000', 1)),
  from('unclean.leader.election.enable', only('unclean.leader.election.enable', BOOLEAN, 'false')),
]

export const TOPIC_CONFIG_BY_NAME: ReadonlyMap<string, OverriddenDefinition> = new Map(
  TOPIC_CONFIGS.map((definition) => [definition.name, definition]),
)

function from(brokerSynonym: string, definition: ConfigDefinition): OverriddenDefinition {
  return { ...definition, brokerSynonym }
}
