/**
 * A topic's configuration with every value resolved (topic override, else broker default). One object per topic; it is
 * replaced, not changed, when IncrementalAlterConfigs alters the topic.
 */
export interface TopicConfig {
  /** `retention.ms`; -1: keep for ever. */
  readonly retentionMs: number
  /** `retention.bytes` per partition; -1: no limit. */
  readonly retentionBytes: number
  readonly segmentBytes: number
  readonly segmentMs: number
  readonly indexIntervalBytes: number
  readonly segmentIndexBytes: number
  /** `max.message.bytes`: the largest batch, as sent. */
  readonly maxMessageBytes: number
  readonly messageTimestampType: 'CreateTime' | 'LogAppendTime'
  readonly messageTimestampBeforeMaxMs: number
  readonly messageTimestampAfterMaxMs: number
  readonly minInsyncReplicas: number
}
