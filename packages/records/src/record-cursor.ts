import { CorruptRecordError } from './errors.ts'
import { KafkaRecord } from './kafka-record.ts'
import { MIN_RECORD_BYTES } from './limits.ts'
import type { RecordBatch } from './record-batch.ts'
import { VarintReader } from './varint-reader.ts'

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER)

/** Walks the records of one batch from the first to the last. The fastest way to read them. */
export class RecordCursor {
  readonly #batch: RecordBatch
  readonly #data: Buffer
  readonly #end: number
  #position: number
  #remaining: number
  #farTimestamp = 0

  /** @param data holds the uncompressed records in `[position, end)` */
  constructor(batch: RecordBatch, data: Buffer, position: number, end: number) {
    if (batch.recordCount * MIN_RECORD_BYTES > end - position) {
      throw new CorruptRecordError(batch, `${batch.recordCount} records in ${end - position} bytes`)
    }
    this.#batch = batch
    this.#data = data
    this.#position = position
    this.#end = end
    this.#remaining = batch.recordCount
    if (this.#remaining === 0) this.#checkEnd()
  }

  /** Records not yet read. */
  get remaining(): number {
    return this.#remaining
  }

  /**
   * The next record, or null after the last.
   * @throws CorruptRecordError when the bytes contradict themselves
   */
  next(): KafkaRecord | null {
    if (this.#remaining === 0) return null
    const data = this.#data
    const size = this.#varint()
    const end = this.#position + size
    if (size < MIN_RECORD_BYTES - 1 || end > this.#end) throw this.#corrupt(`a record of ${size} bytes`)
    this.#position++ // attributes: no record has any yet
    const timestampDelta = this.#timestampDelta()
    const offsetDelta = this.#varint()
    if (offsetDelta >>> 0 > this.#batch.lastOffsetDelta) throw this.#corrupt(`offset delta ${offsetDelta}`)
    if (Number.isNaN(timestampDelta)) this.#batch.keepTimestamp(offsetDelta, this.#farTimestamp)
    const keyLength = this.#varint()
    const keyStart = this.#position
    if (keyLength > 0) this.#skip(keyLength, end)
    else if (keyLength < -1) throw this.#corrupt(`a key of length ${keyLength}`)
    const valueLength = this.#varint()
    const valueStart = this.#position
    if (valueLength > 0) this.#skip(valueLength, end)
    else if (valueLength < -1) throw this.#corrupt(`a value of length ${valueLength}`)
    const headersStart = this.#position
    // One byte 0 is "no headers"; others are checked when they are read.
    if (headersStart >= end || (data[headersStart] === 0) !== (headersStart + 1 === end)) {
      throw this.#corrupt(`a record of ${size} bytes whose fields end at ${headersStart - end + size}`)
    }
    this.#position = end
    if (--this.#remaining === 0) this.#checkEnd()
    return new KafkaRecord(this.#batch, data, offsetDelta, timestampDelta, keyStart, keyLength, valueStart, valueLength, end)
  }

  #varint(): number {
    const byte = this.#data[this.#position]!
    if (byte < 0x80 && this.#position < this.#end) {
      this.#position++
      return (byte >>> 1) ^ -(byte & 1)
    }
    return this.#longVarint()
  }

  #longVarint(): number {
    const reader = new VarintReader(this.#data, this.#position, this.#end)
    const value = reader.varint()
    if (value === null) throw this.#corrupt('a varint that does not end')
    this.#position = reader.position
    return value
  }

  #timestampDelta(): number {
    const byte = this.#data[this.#position]!
    if (byte < 0x80 && this.#position < this.#end) {
      this.#position++
      return (byte >>> 1) ^ -(byte & 1)
    }
    const reader = new VarintReader(this.#data, this.#position, this.#end)
    const delta = reader.varlong()
    if (delta === null) throw this.#corrupt('a timestamp delta that does not end')
    this.#position = reader.position
    return this.#checkTimestamp(delta)
  }

  /** NaN for a delta beyond the safe integers whose timestamp is within them: `next` has the batch keep it. */
  #checkTimestamp(delta: bigint): number {
    const timestamp = BigInt(this.#batch.baseTimestamp) + delta
    if (timestamp > MAX_SAFE || timestamp < -MAX_SAFE) throw this.#corrupt(`timestamp ${timestamp} is outside the safe integers`)
    if (delta <= MAX_SAFE && delta >= -MAX_SAFE) return Number(delta)
    this.#farTimestamp = Number(timestamp)
    return Number.NaN
  }

  #skip(length: number, end: number): void {
    if (length > end - this.#position)
      throw this.#corrupt(`a field of ${length} bytes with ${end - this.#position} left in its record`)
    this.#position += length
  }

  #checkEnd(): void {
    if (this.#position !== this.#end) throw this.#corrupt(`${this.#end - this.#position} bytes left after the last record`)
  }

  #corrupt(reason: string): CorruptRecordError {
    const index = this.#batch.recordCount - this.#remaining
    return new CorruptRecordError(this.#batch, `record ${index} of ${this.#batch.recordCount}: ${reason}`)
  }
}
