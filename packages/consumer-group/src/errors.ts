import { KafkaError } from '@millrace/protocol'
import { isA, messageOf } from '@millrace/protocol/internal'
import type { ConsumerRecord } from './consumer-record.ts'
import type { TopicPartition } from './topic-partition.ts'

/**
 * What was fetched cannot be read: its CRC-32C is wrong, or its bytes contradict themselves. `code` and `cause` tell which. Nothing is skipped:
 * whoever goes on consuming meets it again, unless it was only damaged on the way.
 */
export class UnreadableRecordError extends KafkaError {
  override readonly name: string = 'UnreadableRecordError'
  readonly topic: string
  readonly partition: number
  /** Where the consumer stood: the record is this one or a later one of its batch. */
  readonly offset: number
  /** Where to `seek` to pass the batch by, as its header says; -1 if that makes no sense either, or it is not the data that is wrong. */
  readonly nextOffset: number

  constructor(topic: string, partition: number, offset: number, nextOffset: number, cause: unknown) {
    const code = isA(cause, KafkaError) ? cause.code : 'UNREADABLE_RECORD'
    const reason = messageOf(cause)
    super(code, `${topic}-${partition} at offset ${offset}: ${reason}`, { cause })
    this.topic = topic
    this.partition = partition
    this.offset = offset
    this.nextOffset = nextOffset
  }
}

/**
 * A key or a value cannot be deserialized; `cause` is what the deserializer threw. Code `DESERIALIZATION_FAILED`. Where the record is thrown, it was
 * not handled: seek to `offset + 1` to pass it.
 */
export class DeserializationError extends KafkaError {
  override readonly name: string = 'DeserializationError'
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly part: 'key' | 'value'
  /** The record with its bytes. */
  readonly record: ConsumerRecord

  constructor(record: ConsumerRecord, part: 'key' | 'value', cause: unknown) {
    const { topic, partition, offset } = record
    const reason = messageOf(cause)
    super('DESERIALIZATION_FAILED', `${topic}-${partition} at offset ${offset}: its ${part} cannot be deserialized: ${reason}`, {
      cause,
    })
    this.topic = topic
    this.partition = partition
    this.offset = offset
    this.part = part
    this.record = record
  }
}

/**
 * The log does not have any more what this consumer, or its group, has read: an unclean election has put another in its place (KIP-320), and
 * `autoOffsetReset` is `'none'`. Code `LOG_TRUNCATION`.
 */
export class LogTruncationError extends KafkaError {
  override readonly name: string = 'LogTruncationError'
  readonly topic: string
  readonly partition: number
  /** Where the consumer stood. */
  readonly offset: number
  /** The first offset at which the log differs from what was read: seek there to go on. null if the log does not say. */
  readonly divergentOffset: number | null

  constructor(topic: string, partition: number, offset: number, divergentOffset: number | null) {
    const where = divergentOffset === null ? 'somewhere before it' : `from offset ${divergentOffset} on`
    super(
      'LOG_TRUNCATION',
      `${topic}-${partition} at offset ${offset}: the log was truncated ${where}, and autoOffsetReset is 'none'`,
    )
    this.topic = topic
    this.partition = partition
    this.offset = offset
    this.divergentOffset = divergentOffset
  }
}

/**
 * There is no offset to go on from, and `autoOffsetReset` is `'none'`. Code `NO_OFFSET_FOR_PARTITION` when none was
 * committed, `OFFSET_OUT_OF_RANGE` when the log has it no more.
 */
export class NoOffsetError extends KafkaError {
  override readonly name: string = 'NoOffsetError'
  readonly topic: string
  readonly partition: number
  /** What was asked for; -1 when none was committed. */
  readonly offset: number

  constructor(topic: string, partition: number, offset: number) {
    const code = offset < 0 ? 'NO_OFFSET_FOR_PARTITION' : 'OFFSET_OUT_OF_RANGE'
    const what = offset < 0 ? 'the group has committed no offset' : `the log does not have offset ${offset}`
    super(code, `${topic}-${partition}: ${what}, and autoOffsetReset is 'none'`)
    this.topic = topic
    this.partition = partition
    this.offset = offset
  }
}

/**
 * A commit was refused. `retriable` says whether the next one may succeed. When the member is not in the group's generation any more, its
 * partitions belong to others and their records come again there.
 */
export class CommitError extends KafkaError {
  override readonly name: string = 'CommitError'
  readonly groupId: string

  constructor(groupId: string, cause: KafkaError) {
    super(cause.code, `group ${groupId}: offsets were not committed: ${cause.message}`, { retriable: cause.retriable, cause })
    this.groupId = groupId
  }
}

export function consumerClosed(): KafkaError {
  return new KafkaError('CONSUMER_CLOSED', 'the consumer is closed')
}

export function consumerBusy(what = 'the consumer'): KafkaError {
  return new KafkaError(
    'CONSUMER_BUSY',
    `${what} is being iterated already: one loop at a time, one record or batch asked for at a time`,
  )
}

export function unknownPosition({ topic, partition }: TopicPartition, timeoutMs: number): KafkaError {
  return new KafkaError('API_TIMED_OUT', `the position in ${topic}-${partition} was not known within ${timeoutMs} ms`, {
    retriable: true,
  })
}

/** A call that names a partition which is not ours. Code `NOT_ASSIGNED`. */
export function notAssigned(call: string, topic: string, partition: number): KafkaError {
  return new KafkaError('NOT_ASSIGNED', `${call} of ${topic}-${partition}: the partition is not assigned to this consumer`)
}

export function invalidOffset(call: string, topic: string, partition: number, offset: unknown): KafkaError {
  return new KafkaError(
    'INVALID_OFFSET',
    `${call} of ${topic}-${partition}: ${String(offset)} is no offset; expected a whole number of at least 0`,
  )
}

/** What only a group has, asked of a consumer without one. */
export function noGroup(call: string): KafkaError {
  return new KafkaError('NO_GROUP', `${call} needs a groupId, and this consumer has none`)
}

export function notSubscribed(): KafkaError {
  return new KafkaError('NOT_SUBSCRIBED', 'the consumer has no partitions to come: give it topics, or call subscribe or assign')
}

/** Java: subscription to topics, partitions and pattern are mutually exclusive. */
export function mixedSubscription(call: string, other: string): KafkaError {
  return new KafkaError('MIXED_SUBSCRIPTION', `${call}: the consumer ${other}; call unsubscribe first, and await it`)
}
