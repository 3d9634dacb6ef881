import { CorruptRecordError } from './errors.ts'
import { KafkaRecord } from './kafka-record.ts'
import { MIN_RECORD_BYTES } from './limits.ts'
import type { RecordBatch } from './record-batch.ts'
import { MAX_SHORT_BYTES, VarintReader } from './varint-reader.ts'

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER)
/** In milliseconds: more than `MAX_SHORT_BYTES` hold. */
const MAX_SHORT_DELTA = 2 ** 27

/** What two bytes of a varint hold is below it. */
const TWO_BYTES_END = 0x4000
/** The varint of a key or a value that is null: the zig-zag form of -1. */
const NULL_LENGTH = 1

/**
 * Walks the records of one batch from the first to the last. The fastest way to read them.
 *
 * Most records are sound, and none of their lengths takes more than two bytes: `next` is made for those. It reads all fields and
 * judges them together, once; every other record it leaves to `#nextUnusual`, which begins again and knows what to throw.
 * Positions only grow: bytes wrongly read beyond the record belong to the same buffer, or are undefined, which counts as 0.
 */
export class RecordCursor {
  readonly #batch: RecordBatch
  readonly #data: Buffer
  readonly #end: number
  readonly #lastOffsetDelta: number
  #position: number
  #remaining: number
  /** Whether even a short delta may lead outside the safe integers. */
  readonly #isNearEdge: boolean

  /** The uncompressed records lie in `batch.recordBytes[position..end)`. */
  constructor(batch: RecordBatch, position: number, end: number) {
    if (batch.recordCount * MIN_RECORD_BYTES > end - position) {
      throw new CorruptRecordError(batch, `${batch.recordCount} records in ${end - position} bytes`)
    }
    this.#batch = batch
    this.#data = batch.recordBytes
    this.#position = position
    this.#end = end
    this.#lastOffsetDelta = batch.lastOffsetDelta
    this.#remaining = batch.recordCount
    this.#isNearEdge = Math.abs(batch.baseTimestamp) > Number.MAX_SAFE_INTEGER - MAX_SHORT_DELTA
    if (this.#remaining === 0) this.#checkEnd(position)
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
    const remaining = this.#remaining
    if (remaining === 0) return null
    const data = this.#data
    let at = this.#position
    let size = data[at++]!
    if (size >= 0x80) size += (data[at++]! - 1) << 7
    const end = at + (size >>> 1)
    const timestampAt = ++at // past the attributes, of which no record has any yet
    while (data[at]! >= 0x80) at++
    const timestampBytes = ++at - timestampAt
    let offset = data[at++]!
    if (offset >= 0x80) offset += (data[at++]! - 1) << 7
    let key = data[at++]!
    if (key >= 0x80) key += (data[at++]! - 1) << 7
    if (key !== NULL_LENGTH) at += key >>> 1
    let value = data[at++]!
    if (value >= 0x80) value += (data[at++]! - 1) << 7
    const headersStart = value === NULL_LENGTH ? at : at + (value >>> 1)
    const isUsual =
      (size | offset | key | value) < TWO_BYTES_END &&
      ((size | offset) & 1) === 0 &&
      ((key & 1) === 0 || key === NULL_LENGTH) &&
      ((value & 1) === 0 || value === NULL_LENGTH) &&
      timestampBytes <= MAX_SHORT_BYTES &&
      !this.#isNearEdge &&
      offset >>> 1 <= this.#lastOffsetDelta &&
      // One byte 0 is "no headers"; others are checked when they are read.
      headersStart < end &&
      (data[headersStart] === 0) === (headersStart + 1 === end) &&
      (remaining === 1 ? end === this.#end : end < this.#end)
    if (!isUsual) return this.#nextUnusual()
    this.#position = end
    this.#remaining = remaining - 1
    return new KafkaRecord(this.#batch, timestampAt, offset >>> 1, at, (value >>> 1) ^ -(value & 1), end)
  }

  /**
   * As `next`, of any record.
   *
   * It does not ask after each length whether it is still inside: positions only grow, so that asking once, where the headers
   * begin, is enough.
   */
  #nextUnusual(): KafkaRecord {
    const reader = new VarintReader(this.#data, this.#position, this.#end)
    const size = reader.varint()
    if (size === null || size < MIN_RECORD_BYTES - 1 || reader.position + size > this.#end) throw this.#corrupt('size', size)
    const end = reader.position + size
    const timestampAt = ++reader.position // past the attributes, of which no record has any yet
    this.#checkTimestamp(reader)
    const offsetDelta = reader.varint()
    if (offsetDelta === null || offsetDelta >>> 0 > this.#lastOffsetDelta) throw this.#corrupt('offset delta', offsetDelta)
    const keyLength = reader.varint()
    if (keyLength === null || keyLength < -1) throw this.#corrupt('key length', keyLength)
    reader.position += Math.max(0, keyLength)
    const valueLength = reader.varint()
    if (valueLength === null || valueLength < -1) throw this.#corrupt('value length', valueLength)
    const valueStart = reader.position
    // Whatever is wrong with a length shows here; and one byte 0 is "no headers", others are checked when they are read.
    const headersStart = valueStart + Math.max(0, valueLength)
    if (headersStart >= end || (this.#data[headersStart] === 0) !== (headersStart + 1 === end)) {
      throw this.#corrupt('bytes left for headers', end - headersStart)
    }
    if (--this.#remaining === 0) this.#checkEnd(end)
    this.#position = end
    return new KafkaRecord(this.#batch, timestampAt, offsetDelta, valueStart, valueLength, end)
  }

  #checkTimestamp(reader: VarintReader): void {
    const { position } = reader
    const delta = reader.varlong()
    if (delta === null) throw this.#corrupt('timestamp delta without an end at byte', position)
    const timestamp = BigInt(this.#batch.baseTimestamp) + delta
    if (timestamp > MAX_SAFE || timestamp < -MAX_SAFE) throw this.#corrupt('timestamp outside the safe integers:', timestamp)
  }

  #checkEnd(position: number): void {
    if (position !== this.#end) throw this.#corrupt('bytes left after the last record:', this.#end - position)
  }

  #corrupt(what: string, value: number | bigint | null): CorruptRecordError {
    const { recordCount } = this.#batch
    return new CorruptRecordError(this.#batch, `record ${recordCount - this.#remaining} of ${recordCount}: ${what} ${value}`)
  }
}
