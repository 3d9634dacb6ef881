import { KafkaError } from '@millrace/protocol'
import { isA, messageOf } from '@millrace/protocol/internal'
import { TOPIC_NAME_LENGTH_MAX } from './limits.ts'

/** What a key, a value or a header may be given as. Strings are written as UTF-8; `null` is Kafka's null. */
export type Bytes = string | Uint8Array | null

/** Headers as pairs, which keep order and repeats, or as an object. */
export type HeadersInput = HeaderPairs | Readonly<Record<string, Bytes>>

/** Headers in their order; names may repeat. */
export type HeaderPairs = ReadonlyArray<readonly [name: string, value: Bytes]>

/** A record without its topic, as `sendAll` takes them. */
export interface RecordInput<Key = Bytes, Value = Bytes> {
  /** Chooses the partition (Java's murmur2) and is stored. Default: none, and the partition is the producer's choice. */
  readonly key?: Key | null | undefined
  /** `null` is a tombstone in a compacted topic. */
  readonly value: Value | null
  readonly headers?: HeadersInput | undefined
  /** Epoch milliseconds. Default: now. */
  readonly timestamp?: number | undefined
  /** The exact partition, instead of the partitioner's choice. It must exist. */
  readonly partition?: number | undefined
}

export interface ProducerRecord<Key = Bytes, Value = Bytes> extends RecordInput<Key, Value> {
  readonly topic: string
}

/** Where a record was stored. */
export interface RecordMetadata {
  readonly topic: string
  readonly partition: number
  /** -1 where the broker gives none: with `acks: 0`, or for a batch that it knew already but no longer remembered where. */
  readonly offset: number
  /** Epoch milliseconds: the record's own, or the broker's where the topic says LogAppendTime. */
  readonly timestamp: number
}

const TOPIC_NAME = /^[a-zA-Z0-9._-]+$/

/** @throws {KafkaError} INVALID_TOPIC_EXCEPTION, naming the topic */
export function checkTopicName(topic: unknown): asserts topic is string {
  if (typeof topic !== 'string') throw invalidTopic(topic, 'a topic is a string')
  if (topic.length === 0 || topic.length > TOPIC_NAME_LENGTH_MAX)
    throw invalidTopic(topic, `1 to ${TOPIC_NAME_LENGTH_MAX} characters`)
  if (topic === '.' || topic === '..') throw invalidTopic(topic, 'it is neither . nor ..')
  if (!TOPIC_NAME.test(topic)) throw invalidTopic(topic, 'letters, digits, dot, underscore and hyphen')
}

function invalidTopic(topic: unknown, rule: string): KafkaError {
  return new KafkaError('INVALID_TOPIC_EXCEPTION', `invalid topic name ${JSON.stringify(topic) ?? String(topic)}: ${rule}`)
}

/** @throws {KafkaError} INVALID_RECORD for what has no fields at all, not even a topic */
export function checkIsRecord(record: unknown): void {
  if (typeof record !== 'object' || record === null) throw invalidRecord('no topic', 'record', record, 'an object')
}

/** The topic that a record names, be it one or not. @throws {KafkaError} INVALID_RECORD when it cannot even be looked at */
export function topicOf(record: ProducerRecord<unknown, unknown>): string {
  checkIsRecord(record)
  try {
    return record.topic
  } catch (error) {
    throw asRecordError(error, 'no topic')
  }
}

/** @throws {KafkaError} INVALID_RECORD, naming the field */
export function checkRecord(record: RecordInput, topic: string): void {
  if (typeof record !== 'object' || record === null) throw invalidRecord(topic, 'record', record, 'an object')
  checkBytes(record.value, topic, 'value')
  if (record.key !== undefined) checkBytes(record.key, topic, 'key')
  const { timestamp, partition } = record
  if (timestamp !== undefined && !(Number.isSafeInteger(timestamp) && timestamp >= 0)) {
    throw invalidRecord(topic, 'timestamp', timestamp, 'epoch milliseconds, a whole number of at least 0')
  }
  if (partition !== undefined && !isPartition(partition)) {
    throw invalidRecord(topic, 'partition', partition, 'a whole number of at least 0')
  }
}

export function isPartition(partition: unknown): partition is number {
  return typeof partition === 'number' && Number.isInteger(partition) && partition >= 0
}

function checkBytes(value: unknown, topic: string, field: string): void {
  if (typeof value === 'string' || value === null || value instanceof Uint8Array) return
  throw invalidRecord(topic, field, value, 'a string, a Uint8Array or null')
}

export function invalidRecord(topic: string, field: string, value: unknown, allowed: string): KafkaError {
  const shown =
    typeof value === 'number' || typeof value === 'boolean' || value === undefined || value === null
      ? String(value)
      : typeof value
  return new KafkaError('INVALID_RECORD', `record for ${topic}: ${field} is ${shown}; expected ${allowed}`)
}

/** What a look at a record threw, typed: the record may be an object whose properties throw. */
export function asRecordError(error: unknown, topic: string): KafkaError {
  if (isA(error, KafkaError)) return error
  return new KafkaError('INVALID_RECORD', `record for ${topic}: ${messageOf(error)}`, {
    cause: error,
  })
}

/** Headers as pairs. @throws {KafkaError} INVALID_RECORD, naming the header */
export function headerPairs(headers: HeadersInput, topic: string): HeaderPairs {
  if (typeof headers !== 'object' || headers === null) throw invalidRecord(topic, 'headers', headers, 'pairs or an object')
  const pairs = (Array.isArray(headers) ? headers : Object.entries(headers)) as HeaderPairs
  for (const pair of pairs) {
    if (!Array.isArray(pair) || typeof pair[0] !== 'string')
      throw invalidRecord(topic, 'headers', pair, 'pairs of a name and a value')
    checkBytes(pair[1], topic, `header ${JSON.stringify(pair[0])}`)
  }
  return pairs
}
