import { KafkaError } from '@millrace/protocol'
import type { RecordHeaderInput } from '@millrace/records/internal'
import { batchSizeUpperBound, type Accumulator } from './accumulator.ts'
import type { Partitioner, ProducerConfig } from './config.ts'
import { partitionerFailed, RecordTooLargeError } from './errors.ts'
import { BATCH_HEADER_BYTES, KEY_SCRATCH_BYTES, RECORD_OVERHEAD_BYTES_MAX } from './limits.ts'
import { partitionForKey } from './murmur2.ts'
import type { TopicQueues } from './partition-queue.ts'
import type { ProducerBatch } from './producer-batch.ts'
import { checkRecord, headerPairs, type Bytes, type RecordInput } from './record.ts'

const NO_HEADERS: readonly RecordHeaderInput[] = []
const UTF8_BYTES_PER_UNIT_MAX = 3

/** Puts one record into the batch of the partition that is right for it. */
export class RecordAppender {
  readonly #config: ProducerConfig
  readonly #accumulator: Accumulator
  /** Keys that are strings are hashed here. */
  readonly #scratch: Buffer = Buffer.allocUnsafeSlow(KEY_SCRATCH_BYTES)
  readonly #sizeLimit: number
  readonly #custom: Partitioner | null
  readonly #usesKeys: boolean
  readonly #refresh: (topic: string) => void

  /** @param refresh asks for a topic's metadata: it may have more partitions by now */
  constructor(config: ProducerConfig, accumulator: Accumulator, refresh: (topic: string) => void) {
    this.#config = config
    this.#accumulator = accumulator
    this.#refresh = refresh
    this.#custom = typeof config.partitioner === 'function' ? config.partitioner : null
    this.#usesKeys = config.partitioner === null && !config.partitionerIgnoreKeys
    this.#sizeLimit = Math.min(config.maxRequestSize, config.bufferMemory)
  }

  /** @throws {KafkaError} INVALID_RECORD, or {RecordTooLargeError} */
  check(record: RecordInput, topic: string): void {
    checkRecord(record, topic)
    // Mostly it is plain that the record is small, and nothing needs to be measured.
    const most = BATCH_HEADER_BYTES + RECORD_OVERHEAD_BYTES_MAX + mostBytes(record.value) + mostBytes(record.key ?? null)
    if (record.headers === undefined && most <= this.#sizeLimit) return
    const headers = record.headers === undefined ? NO_HEADERS : headerPairs(record.headers, topic)
    const size = batchSizeUpperBound(record.key ?? null, record.value, headers)
    const { maxRequestSize, bufferMemory } = this.#config
    if (size > maxRequestSize) throw new RecordTooLargeError(topic, size, 'maxRequestSize', maxRequestSize)
    if (size > bufferMemory) throw new RecordTooLargeError(topic, size, 'bufferMemory', bufferMemory)
  }

  /**
   * Null when buffer memory is short. The record must have been checked, and the topic must have partitions.
   * @throws {KafkaError} UNKNOWN_TOPIC_OR_PARTITION for a partition that is not there, PARTITIONER_FAILED
   */
  append(topic: TopicQueues, record: RecordInput, now: number, timestamp: number): ProducerBatch | null {
    const key = record.key ?? null
    const headers = record.headers === undefined ? NO_HEADERS : headerPairs(record.headers, topic.name)
    const { partitions } = topic
    if (record.partition !== undefined || this.#custom !== null || (key !== null && this.#usesKeys)) {
      const queue = partitions[this.#partitionOf(topic, record, key)]!
      return this.#accumulator.append(queue, now, timestamp, key, record.value, headers)
    }
    const queue = partitions[topic.partitioner.choose(partitions)]!
    const before = queue.open?.builder?.sizeInBytes ?? 0
    const batch = this.#accumulator.append(queue, now, timestamp, key, record.value, headers)
    if (batch === null) return null
    const after = batch.builder!.sizeInBytes
    const size = after > before && batch.recordCount > 1 ? after - before : after
    const hasRoom = this.#accumulator.hasRoom(queue, size)
    topic.partitioner.account(size, hasRoom)
    // The next record goes elsewhere: a full batch must not linger for it.
    if (!hasRoom && queue.open === batch) this.#accumulator.close(batch)
    return batch
  }

  /** Why the partition that the record names cannot be; null if it can, or it names none. */
  wrongPartition(topic: TopicQueues, record: RecordInput): KafkaError | null {
    const count = topic.partitions.length
    if (record.partition === undefined || record.partition < count) return null
    this.#refresh(topic.name)
    return unknownPartition(topic.name, record.partition, count)
  }

  #partitionOf(topic: TopicQueues, record: RecordInput, key: Bytes): number {
    const count = topic.partitions.length
    if (record.partition !== undefined) {
      const error = this.wrongPartition(topic, record)
      if (error !== null) throw error
      return record.partition
    }
    if (this.#custom !== null) {
      const chosen = chosenBy(this.#custom, topic.name, key, count)
      if (typeof chosen !== 'number' || !Number.isInteger(chosen) || chosen < 0 || chosen >= count) {
        throw unknownPartition(topic.name, chosen, count)
      }
      return chosen
    }
    if (typeof key !== 'string') return partitionForKey(key!, count)
    if (key.length * UTF8_BYTES_PER_UNIT_MAX > KEY_SCRATCH_BYTES) return partitionForKey(Buffer.from(key), count)
    return partitionForKey(this.#scratch, count, 0, this.#scratch.write(key, 0, 'utf8'))
  }
}

function chosenBy(partitioner: Partitioner, topic: string, key: Bytes, count: number): unknown {
  try {
    return partitioner(topic, key, count)
  } catch (error) {
    throw partitionerFailed(topic, error)
  }
}

function mostBytes(bytes: Bytes): number {
  if (bytes === null) return 0
  return typeof bytes === 'string' ? bytes.length * UTF8_BYTES_PER_UNIT_MAX : bytes.length
}

function unknownPartition(topic: string, partition: unknown, count: number): KafkaError {
  return new KafkaError(
    'UNKNOWN_TOPIC_OR_PARTITION',
    `${topic} has ${count} partitions, 0 to ${count - 1}; there is no partition ${String(partition)}`,
  )
}
