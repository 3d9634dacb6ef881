import type { KafkaRecord } from '@millrace/records/internal'
import type { ConsumerRecord, ConsumerRecordHeader } from '../consumer-record.ts'
import { DeserializationError } from '../errors.ts'
import { bytesDeserializer, stringDeserializer, type Deserializer } from './deserializers.ts'

/**
 * What becomes of a record whose key or value cannot be deserialized. `'throw'`: the loop throws the `DeserializationError`; the record
 * was not handled, and comes again unless `seek` passes it. `'skip'`: it is passed over, and counts as handled; the event
 * `deserializationFailed` tells. A function is called with the error, whose `record` has the raw bytes, and the record is passed
 * over when it returns; what it throws, the loop throws.
 */
export type DeserializationErrorPolicy = 'throw' | 'skip' | ((error: DeserializationError) => void)

export interface DecoderOptions {
  readonly keyDeserializer: Deserializer<unknown> | null
  readonly valueDeserializer: Deserializer<unknown> | null
  readonly onDeserializationError: DeserializationErrorPolicy
}

/** Makes typed records of stored ones: once per record, when it is handed out. */
export class RecordDecoder {
  readonly #key: Deserializer<unknown>
  readonly #value: Deserializer<unknown>
  readonly #policy: DeserializationErrorPolicy
  readonly #failed: (error: DeserializationError) => void

  /** @param failed told of records that are passed over */
  constructor(options: DecoderOptions, failed: (error: DeserializationError) => void) {
    this.#key = options.keyDeserializer ?? bytesDeserializer
    this.#value = options.valueDeserializer ?? bytesDeserializer
    this.#policy = options.onDeserializationError
    this.#failed = failed
  }

  /**
   * The record with its key and value; null when it is to be passed over.
   * @throws {DeserializationError}, or what the policy's function throws
   */
  decode(record: KafkaRecord): ConsumerRecord<unknown, unknown> | null {
    let part: 'key' | 'value' = 'key'
    try {
      // Text without a view in between is faster.
      const key = this.#key === stringDeserializer ? record.keyText : this.#key(record.key, record)
      part = 'value'
      const value = this.#value === stringDeserializer ? record.valueText : this.#value(record.value, record)
      return new DecodedRecord(record, key, value)
    } catch (cause) {
      const error = new DeserializationError(record, part, cause)
      if (this.#policy === 'throw') throw error
      if (this.#policy !== 'skip') this.#policy(error)
      this.#failed(error)
      return null
    }
  }
}

class DecodedRecord implements ConsumerRecord<unknown, unknown> {
  readonly key: unknown
  readonly value: unknown
  readonly #record: KafkaRecord

  constructor(record: KafkaRecord, key: unknown, value: unknown) {
    this.#record = record
    this.key = key
    this.value = value
  }

  get leaderEpoch(): number {
    return this.#record.batch.partitionLeaderEpoch
  }

  get topic(): string {
    return this.#record.topic
  }

  get partition(): number {
    return this.#record.partition
  }

  get offset(): number {
    return this.#record.offset
  }

  get timestamp(): number {
    return this.#record.timestamp
  }

  get headers(): readonly ConsumerRecordHeader[] {
    return this.#record.headers
  }

  toJSON(): ConsumerRecord<unknown, unknown> {
    const { topic, partition, offset, timestamp, key, value, headers } = this
    return { topic, partition, offset, timestamp, key, value, headers }
  }

  static {
    const inspect = function (this: DecodedRecord): ConsumerRecord<unknown, unknown> {
      return this.toJSON()
    }
    Object.defineProperty(this.prototype, Symbol.for('nodejs.util.inspect.custom'), { value: inspect })
  }
}

/** Of the batch that a typed record came with; -1 for what is none of ours. */
export function leaderEpochOf(record: object): number {
  return record instanceof DecodedRecord ? record.leaderEpoch : -1
}
