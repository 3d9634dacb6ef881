import { KafkaError } from '@millrace/protocol'
import { messageOf } from '@millrace/protocol/internal'

/** The record alone is larger than an option allows. Code `RECORD_TOO_LARGE`, never retriable. */
export class RecordTooLargeError extends KafkaError {
  override readonly name: string = 'RecordTooLargeError'
  readonly topic: string
  readonly sizeInBytes: number
  readonly limitBytes: number

  constructor(topic: string, sizeInBytes: number, option: 'maxRequestSize' | 'bufferMemory', limitBytes: number) {
    super('RECORD_TOO_LARGE', `a record for ${topic} takes ${sizeInBytes} bytes, more than ${option}, which is ${limitBytes}`)
    this.topic = topic
    this.sizeInBytes = sizeInBytes
    this.limitBytes = limitBytes
  }
}

/** A serializer threw (`cause`), or gave back what is no bytes. Code `SERIALIZATION_FAILED`, never retriable. */
export class SerializationError extends KafkaError {
  override readonly name: string = 'SerializationError'
  readonly topic: string
  readonly field: 'key' | 'value'

  constructor(topic: string, field: 'key' | 'value', reason: string, cause?: unknown) {
    super('SERIALIZATION_FAILED', `record for ${topic}: its ${field} cannot be serialized: ${reason}`, { cause })
    this.topic = topic
    this.field = field
  }
}

/** A record was neither stored nor refused for good within `deliveryTimeoutMs`. Code `DELIVERY_TIMED_OUT`; `cause` is the last failure. */
export class DeliveryTimeoutError extends KafkaError {
  override readonly name: string = 'DeliveryTimeoutError'
  readonly topic: string
  readonly partition: number
  readonly timeoutMs: number

  constructor(topic: string, partition: number, recordCount: number, timeoutMs: number, attempts: number, cause: unknown) {
    const tried = attempts === 0 ? 'it was never sent' : `${attempts} attempts`
    const last = cause instanceof Error ? `; the last failure: ${cause.message}` : ''
    super(
      'DELIVERY_TIMED_OUT',
      `a batch of ${recordCount} records for ${topic}-${partition}: not stored in ${timeoutMs} ms, ${tried}${last}`,
      {
        retriable: true,
        cause: cause ?? undefined,
      },
    )
    this.topic = topic
    this.partition = partition
    this.timeoutMs = timeoutMs
  }
}

/**
 * A send waited longer than `maxBlockMs`. Code `METADATA_TIMED_OUT`: the topic, or the partition asked for, did not
 * show up. Code `BUFFER_EXHAUSTED`: no buffer memory came free.
 */
export class SendTimeoutError extends KafkaError {
  override readonly name: string = 'SendTimeoutError'
  readonly topic: string
  readonly timeoutMs: number

  constructor(
    code: 'METADATA_TIMED_OUT' | 'BUFFER_EXHAUSTED',
    topic: string,
    timeoutMs: number,
    reason: string,
    cause?: unknown,
  ) {
    super(code, `send to ${topic}: ${reason} within maxBlockMs, which is ${timeoutMs}`, {
      retriable: true,
      cause: cause ?? undefined,
    })
    this.topic = topic
    this.timeoutMs = timeoutMs
  }
}

export function producerClosed(): KafkaError {
  return new KafkaError('PRODUCER_CLOSED', 'the producer is closed')
}

/** The user's partitioner threw. */
export function partitionerFailed(topic: string, cause: unknown): KafkaError {
  return new KafkaError('PARTITIONER_FAILED', `record for ${topic}: the partitioner threw: ${messageOf(cause)}`, { cause })
}

/** What a batch fails with that `close` gave up. */
export function abandonedByClose(timeoutMs: number): KafkaError {
  return new KafkaError('PRODUCER_CLOSED', `the producer was closed before the record was stored (timeoutMs ${timeoutMs})`)
}
