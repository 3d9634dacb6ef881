import { KafkaError } from '@millrace/protocol'

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

  constructor(topic: string, partition: number, offset: number, cause: unknown) {
    const code = cause instanceof KafkaError ? cause.code : 'CORRUPT_MESSAGE'
    const reason = cause instanceof Error ? cause.message : String(cause)
    super(code, `${topic}-${partition} at offset ${offset}: ${reason}`, { cause })
    this.topic = topic
    this.partition = partition
    this.offset = offset
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

export function consumerBusy(): KafkaError {
  return new KafkaError(
    'CONSUMER_BUSY',
    'the consumer is being iterated already: one loop at a time, one record or batch asked for at a time',
  )
}
