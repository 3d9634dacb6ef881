import type { RecordBatch } from './record-batch.ts'
import { decodeHeaders, type RecordHeader } from './record-headers.ts'
import { afterVarint, MAX_SHORT_BYTES, varintAt, VarintReader } from './varint-reader.ts'

/** A record's contents without its batch. */
export interface RecordFields {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: RecordHeader[]
}

/**
 * One record of a batch: a position in its bytes. `key`, `value` and `headers` are decoded at each access, so keep the result
 * if it is needed twice. The views share memory with the whole fetch response: copy what is kept for long.
 */
export class KafkaRecord {
  /** The batch that it is part of. */
  readonly batch: RecordBatch
  readonly #timestampAt: number
  readonly #offsetDelta: number
  readonly #valueStart: number
  readonly #valueLength: number
  readonly #end: number

  /**
   * Made by `RecordCursor`, which has checked that all lengths lie within the records of `batch`. What nearly all readers ask
   * for is told; timestamp and key are found from `timestampAt` when they are asked for.
   */
  constructor(
    batch: RecordBatch,
    timestampAt: number,
    offsetDelta: number,
    valueStart: number,
    valueLength: number,
    end: number,
  ) {
    this.batch = batch
    this.#timestampAt = timestampAt
    this.#offsetDelta = offsetDelta
    this.#valueStart = valueStart
    this.#valueLength = valueLength
    this.#end = end
  }

  /** As told to `readBatches`; '' if it was not. */
  get topic(): string {
    return this.batch.topic
  }

  /** As told to `readBatches`; -1 if it was not. */
  get partition(): number {
    return this.batch.partition
  }

  get offset(): number {
    return this.batch.baseOffset + this.#offsetDelta
  }

  /** Epoch milliseconds; -1 for none. The broker's time of writing if the topic has LogAppendTime. */
  get timestamp(): number {
    const batch = this.batch
    if (batch.isLogAppendTime) return batch.maxTimestamp
    const data = batch.recordBytes
    const at = this.#timestampAt
    if (afterVarint(data, at) - at <= MAX_SHORT_BYTES) return batch.baseTimestamp + varintAt(data, at)
    // The delta may be beyond the safe integers, where the timestamp is not.
    return Number(BigInt(batch.baseTimestamp) + new VarintReader(data, at, this.#end).varlong()!)
  }

  get key(): Buffer | null {
    const data = this.batch.recordBytes
    const at = this.#keyLengthAt()
    const length = varintAt(data, at)
    return length < 0 ? null : this.batch.viewOf(afterVarint(data, at), length)
  }

  get value(): Buffer | null {
    return this.#valueLength < 0 ? null : this.batch.viewOf(this.#valueStart, this.#valueLength)
  }

  /** The key as UTF-8 text: faster than to decode `key`. */
  get keyText(): string | null {
    const data = this.batch.recordBytes
    const at = this.#keyLengthAt()
    const length = varintAt(data, at)
    return length < 0 ? null : this.batch.textOf(afterVarint(data, at), length)
  }

  /** The value as UTF-8 text: faster than to decode `value`. */
  get valueText(): string | null {
    return this.#valueLength < 0 ? null : this.batch.textOf(this.#valueStart, this.#valueLength)
  }

  /** Bytes of the value; -1 when it is null. */
  get valueLength(): number {
    return this.#valueLength
  }

  /** What it takes up in its batch, when that is not compressed. */
  get sizeInBytes(): number {
    return this.#end - this.#timestampAt
  }

  /** Bytes of the key; -1 when it is null. */
  get keyLength(): number {
    return varintAt(this.batch.recordBytes, this.#keyLengthAt())
  }

  /** Of the key's bytes, FNV-1a in 31 bits, without a view of them; -1 when it is null. */
  get keyHash(): number {
    const data = this.batch.recordBytes
    const at = this.#keyLengthAt()
    const length = varintAt(data, at)
    if (length < 0) return -1
    const start = afterVarint(data, at)
    let hash = 0x811c9dc5
    for (let index = start; index < start + length; index++) hash = Math.imul(hash ^ data[index]!, 0x01000193)
    return hash >>> 1
  }

  /** In the order written, names may repeat. Throws `CorruptRecordError` if their bytes contradict themselves. */
  get headers(): RecordHeader[] {
    const start = this.#valueStart + Math.max(0, this.#valueLength)
    return start + 1 === this.#end ? [] : decodeHeaders(this.batch.recordBytes, start, this.#end, this.batch)
  }

  /** A plain object of what the record says, for logs and comparisons. */
  toJSON(): RecordFields {
    const { topic, partition, offset, timestamp, key, value, headers } = this
    return { topic, partition, offset, timestamp, key, value, headers }
  }

  /** After the timestamp and the offset. */
  #keyLengthAt(): number {
    const data = this.batch.recordBytes
    return afterVarint(data, afterVarint(data, this.#timestampAt))
  }

  static {
    // What console.log shows: the record, not the fetch response around it.
    const inspect = function (this: KafkaRecord): RecordFields {
      return this.toJSON()
    }
    Object.defineProperty(this.prototype, Symbol.for('nodejs.util.inspect.custom'), { value: inspect })
  }
}
