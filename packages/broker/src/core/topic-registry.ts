import type { PartitionLog } from '../log/partition-log.ts'
import type { TopicConfig } from './topic-config.ts'

/** One partition that this broker leads (it leads all of them: there is one broker). */
export interface Partition {
  readonly topic: Topic
  readonly index: number
  readonly leaderEpoch: number
  readonly log: PartitionLog
}

export interface Topic {
  readonly name: string
  /** Kafka's Uuid: 22 characters of base64url. */
  readonly id: string
  /** `__consumer_offsets` and its like. */
  readonly internal: boolean
  /** By partition index, without gaps. */
  readonly partitions: readonly Partition[]
  /** The values in force now; another object after each change. */
  readonly config: TopicConfig
  /** True once the topic is deleted: parked requests that still hold it answer UNKNOWN_TOPIC_OR_PARTITION. */
  readonly deleted: boolean
}

/** What handlers may ask about topics. The metadata image behind it is the only one that changes them. */
export interface TopicRegistry {
  byName(name: string): Topic | undefined
  byId(id: string): Topic | undefined
  all(): Iterable<Topic>
  partition(name: string, index: number): Partition | undefined
  /** Calls `listener` for each topic that is deleted from now on, after it left the registry; returns the way to stop. */
  onDeleted(listener: (topic: Topic) => void): () => void
}

/** Producer ids, never given twice, also across restarts (blocks of 1000 in `ProducerIdsRecord`). */
export interface ProducerIds {
  next(): number
}

/** What the metadata side asks of the log side (src/log/log-manager.ts). All calls are synchronous. */
export interface LogStore {
  /** Opens the partition's log, creating it when absent, and recovers it when the last shutdown was not clean. */
  open(topic: string, topicId: string, partition: number, config: TopicConfig): PartitionLog
  /** Applies a changed configuration to a log that is open. */
  reconfigure(log: PartitionLog, config: TopicConfig): void
  /** Removes the log and its files (Kafka: renamed to `-delete` and gone after `file.delete.delay.ms`). When that throws a StorageError, it is closed all the same. */
  delete(log: PartitionLog): void
}
