/** Broker settings that code asks for, already validated. The Kafka names and their defaults are in config-definitions.ts. */
export interface BrokerConfig {
  readonly host: string
  readonly nodeId: number
  readonly autoCreateTopics: boolean
  readonly numPartitions: number
  /** `fetch.max.bytes`. */
  readonly fetchMaxBytes: number
  /** `group.initial.rebalance.delay.ms`; 0 here, 3 s in Kafka. */
  readonly groupInitialRebalanceDelayMs: number
  readonly groupMinSessionTimeoutMs: number
  readonly groupMaxSessionTimeoutMs: number
  readonly groupMaxSize: number
  readonly offsetsRetentionMs: number
  readonly offsetsRetentionCheckIntervalMs: number
  readonly offsetMetadataMaxBytes: number
  readonly offsetsTopicPartitions: number
  readonly logRetentionCheckIntervalMs: number
  /** `producer.id.expiration.ms`. */
  readonly producerIdExpirationMs: number
}
