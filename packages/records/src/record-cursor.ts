import { CorruptRecordError } from './errors.ts'
import { KafkaRecord } from './kafka-record.ts'
import { MIN_RECORD_BYTES } from './limits.ts'
import type { RecordBatch } from './record-batch.ts'
import { VarintReader } from './varint-reader.ts'

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER)
/** Up to 4 bytes hold 28 bits, 37 hours in milliseconds. */
const MAX_SHORT_BYTES = 4
const MAX_SHORT_DELTA = 2 ** 27

/** Beyond every buffer: where a varint ends that does not end. An integer, so that nothing that is computed from it is a double. */
const NOWHERE = 0x7fff_ffff

/** Where the last varint that `readVarint` read ended, or `NOWHERE`. A second result, at no cost. */
let after = 0

/**
 * Walks the records of one batch from the first to the last. The fastest way to read them.
 *
 * A record is read without asking at each byte whether it is still inside: positions only grow, so that asking once, where
 * its headers begin, is enough. Bytes that it wrongly reads beyond belong to the same buffer, or are undefined and make no varint.
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
  #farTimestamp = 0

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
    if (this.#remaining === 0) return null
    const data = this.#data
    const size = readVarint(data, this.#position)
    const end = after + size
    if (size < MIN_RECORD_BYTES - 1 || end > this.#end) throw this.#corrupt('size', size)
    const timestampAt = after + 1 // past the attributes, of which no record has any yet
    const first = data[timestampAt]!
    let timestampDelta = (first >>> 1) ^ -(first & 1)
    let isFar = false
    after = timestampAt + 1
    if (first >= 0x80 || this.#isNearEdge) {
      timestampDelta = this.#longTimestampDelta(timestampAt, end)
      isFar = Number.isNaN(timestampDelta)
    }
    const offsetDelta = readVarint(data, after)
    if (offsetDelta >>> 0 > this.#lastOffsetDelta) throw this.#corrupt('offset delta', offsetDelta)
    if (isFar) this.#batch.keepTimestamp(offsetDelta, this.#farTimestamp)
    const keyLength = readVarint(data, after)
    const keyStart = after
    if (keyLength > 0) after += keyLength
    else if (keyLength < -1) throw this.#corrupt('key length', keyLength)
    const valueLength = readVarint(data, after)
    const valueStart = after
    if (valueLength > 0) after += valueLength
    else if (valueLength < -1) throw this.#corrupt('value length', valueLength)
    // Whatever is wrong with a length shows here; and one byte 0 is "no headers", others are checked when they are read.
    const headersStart = after
    if (headersStart >= end || (data[headersStart] === 0) !== (headersStart + 1 === end)) {
      throw this.#corrupt('bytes left for headers', end - headersStart)
    }
    if (--this.#remaining === 0) this.#checkEnd(end)
    this.#position = end
    return new KafkaRecord(this.#batch, offsetDelta, timestampDelta, keyStart, keyLength, valueStart, valueLength, end)
  }

  /** NaN for a delta beyond the safe integers whose timestamp is within them: `next` has the batch keep it. */
  #longTimestampDelta(position: number, end: number): number {
    const short = readVarint(this.#data, position)
    if (after - position <= MAX_SHORT_BYTES && !this.#isNearEdge) return short
    const reader = new VarintReader(this.#data, position, end)
    const delta = reader.varlong()
    if (delta === null) throw this.#corrupt('timestamp delta without an end at byte', position)
    after = reader.position
    const timestamp = BigInt(this.#batch.baseTimestamp) + delta
    if (timestamp > MAX_SAFE || timestamp < -MAX_SAFE) throw this.#corrupt('timestamp outside the safe integers:', timestamp)
    if (delta <= MAX_SAFE && delta >= -MAX_SAFE) return Number(delta)
    this.#farTimestamp = Number(timestamp)
    return Number.NaN
  }

  #checkEnd(position: number): void {
    if (position !== this.#end) throw this.#corrupt('bytes left after the last record:', this.#end - position)
  }

  #corrupt(what: string, value: number | bigint): CorruptRecordError {
    const { recordCount } = this.#batch
    return new CorruptRecordError(this.#batch, `record ${recordCount - this.#remaining} of ${recordCount}: ${what} ${value}`)
  }
}

/** The varint at `position`; sets `after`. */
function readVarint(data: Uint8Array, position: number): number {
  const first = data[position]!
  if (first < 0x80) {
    after = position + 1
    return (first >>> 1) ^ -(first & 1)
  }
  const second = data[position + 1]!
  if (second < 0x80) {
    after = position + 2
    const zigzag = (first & 0x7f) | (second << 7)
    return (zigzag >>> 1) ^ -(zigzag & 1)
  }
  return readLongVarint(data, position)
}

function readLongVarint(data: Uint8Array, position: number): number {
  let zigzag = (data[position]! & 0x7f) | ((data[position + 1]! & 0x7f) << 7)
  for (let i = 2; i < 5; i++) {
    const byte = data[position + i]
    if (byte === undefined) break
    zigzag |= (byte & 0x7f) << (7 * i)
    if (byte < 0x80) {
      after = position + i + 1
      return (zigzag >>> 1) ^ -(zigzag & 1)
    }
  }
  after = NOWHERE
  return 0
}
