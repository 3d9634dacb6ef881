/** What a log needs of its topic's configuration. Names and meaning are Kafka's topic settings. */
export interface LogConfig {
  /** `segment.bytes`: a segment is closed before it would grow beyond this. */
  readonly segmentBytes: number
  /** `segment.ms`: a segment is closed when its first record is this much older than the one to append. */
  readonly segmentMs: number
  readonly segmentIndexBytes: number
  readonly indexIntervalBytes: number
  /** `retention.ms`; -1: keep for ever. */
  readonly retentionMs: number
  /** `retention.bytes`; -1: no limit. */
  readonly retentionBytes: number
  /** `max.message.bytes`: the largest batch, header included, as it is stored. */
  readonly maxMessageBytes: number
  readonly messageTimestampType: 'CreateTime' | 'LogAppendTime'
  readonly messageTimestampBeforeMaxMs: number
  readonly messageTimestampAfterMaxMs: number
  /** Whether `cleanup.policy` names `compact`: then every record needs a key. Default false. */
  readonly compacted?: boolean
}

/** Kafka's defaults (LogConfig.java). */
export const DEFAULT_LOG_CONFIG: LogConfig = {
  segmentBytes: 1024 * 1024 * 1024,
  segmentMs: 7 * 24 * 60 * 60 * 1000,
  segmentIndexBytes: 10 * 1024 * 1024,
  indexIntervalBytes: 4096,
  retentionMs: 7 * 24 * 60 * 60 * 1000,
  retentionBytes: -1,
  maxMessageBytes: 1_048_588,
  messageTimestampType: 'CreateTime',
  messageTimestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  messageTimestampAfterMaxMs: 60 * 60 * 1000,
}
