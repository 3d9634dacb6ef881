import {
  BATCH_HEADER_BYTES,
  CONTROL_FLAG,
  LOG_APPEND_TIME_FLAG,
  NO_VALUE,
  TRANSACTIONAL_FLAG,
  writeBatchHeader,
  type BatchHeader,
} from './batch-header.ts'
import { compressionBits, type CompressionType } from './compression-type.ts'
import { codecOf } from './compression/codecs.ts'
import { estimateHeaders, GUESS_SLACK, lengthOf, sizeOfHeaders, writeBytes, writeHeaders } from './field-writer.ts'
import { InvalidRecordError } from './errors.ts'
import { DEFAULT_BATCH_SIZE_BYTES, MAX_BATCH_BYTES } from './limits.ts'
import type { RecordBytes, RecordHeaderInput } from './record-input.ts'
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from './varint.ts'

export interface RecordBatchBuilderOptions {
  /** The memory to write into; its length is the most that the batch may take. Default: `batchSize` bytes of its own. */
  readonly buffer?: Buffer
  /** Bytes, header included. Ignored when `buffer` is given. Default 16384, as Java's `batch.size`. */
  readonly batchSize?: number
  /** Whether to move to a larger buffer when this one is full, instead of refusing the record. Default false. */
  readonly growable?: boolean
}

/** What a batch's header says beyond what its records do. */
export interface SealOptions {
  /** Default 0: the broker assigns the offsets. */
  readonly baseOffset?: number
  /** Default -1. */
  readonly partitionLeaderEpoch?: number
  /** Default -1: not idempotent. */
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly transactional?: boolean
  readonly control?: boolean
  /** Default 'none'. */
  readonly compression?: CompressionType
  /** As Kafka's `compression.<type>.level`: -1 or 1 to 9 for gzip, -131072 to 22 for zstd, 1 to 17 for lz4. Default: Kafka's. */
  readonly compressionLevel?: number
  /** Epoch milliseconds: all records take this timestamp, whatever they were appended with. Default: each keeps its own. */
  readonly logAppendTime?: number
}

const NO_HEADERS: readonly RecordHeaderInput[] = []
/** What takes the place of an end. */
const NO_ROOM = -1
const WRONG_GUESS = -2
/** What a record's body takes beyond its key, value and headers, in a batch of ordinary size. */
const TYPICAL_BODY_OVERHEAD_BYTES = 8
/** What it may take beyond that estimate when each of its varints is as wide as they get, with its size and `GUESS_SLACK`. */
const GUESS_ROOM = 40
const GUESS_ROOM_PER_HEADER = 8

/**
 * Collects records into one buffer as they are appended, in their final form; `seal` adds the header. A record costs one
 * pass and one copy: nothing about it is kept beside its bytes.
 */
export class RecordBatchBuilder {
  #buffer: Buffer
  readonly #growable: boolean
  #end: number = BATCH_HEADER_BYTES
  #count = 0
  #baseTimestamp: number = NO_VALUE
  #maxTimestamp: number = NO_VALUE
  #sealed = false
  #packed: Buffer | null = null
  #packedType: CompressionType = 'none'
  #packedLevel: number | undefined

  constructor(options: RecordBatchBuilderOptions = {}) {
    this.#buffer = options.buffer ?? Buffer.allocUnsafeSlow(options.batchSize ?? DEFAULT_BATCH_SIZE_BYTES)
    this.#growable = options.growable ?? false
  }

  /** Bytes of the batch so far, header included, before compression. */
  get sizeInBytes(): number {
    return this.#end
  }

  get recordCount(): number {
    return this.#count
  }

  /** The memory in use: the one handed in, unless the first record was larger than it. */
  get buffer(): Buffer {
    return this.#buffer
  }

  /** The greatest timestamp so far, -1 at first. */
  get maxTimestamp(): number {
    return this.#maxTimestamp
  }

  /** Goes on in a larger buffer, which takes over what was written; the old one is free for other use. */
  moveTo(buffer: Buffer): void {
    this.#buffer.copy(buffer, BATCH_HEADER_BYTES, BATCH_HEADER_BYTES, this.#end)
    this.#buffer = buffer
  }

  /**
   * Writes one record, or gives back false, having written nothing, when it does not fit. The first record always fits: if
   * need be, in a new buffer of just its size. So does every record of a growable builder.
   * @param timestamp epoch milliseconds, or -1 for none
   * @throws InvalidRecordError for a timestamp that is neither, a batch of more than 2 GiB, or a sealed one
   */
  tryAppend(
    timestamp: number,
    key: RecordBytes,
    value: RecordBytes,
    headers: readonly RecordHeaderInput[] = NO_HEADERS,
  ): boolean {
    if (this.#sealed) throw new InvalidRecordError('the batch is sealed')
    if (!Number.isSafeInteger(timestamp) || timestamp < NO_VALUE) throw invalidTimestamp(timestamp)
    let end = this.#writeGuessing(timestamp, key, value, headers)
    if (end === WRONG_GUESS) end = this.#writeExactly(timestamp, key, value, headers)
    if (end === NO_ROOM) return false
    if (this.#count === 0) this.#baseTimestamp = timestamp
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
    this.#count++
    this.#end = end
    return true
  }

  /**
   * Writes the next record after the last, and gives back where it ends; it is part of the batch once `#end` says so.
   *
   * Its fields are written one after another, its size last: to add up their sizes beforehand would take as long again. How many
   * bytes the size takes is guessed, as is the length of its strings. A guess that fails, or that the room would not allow to
   * fail, gives `WRONG_GUESS`.
   */
  #writeGuessing(timestamp: number, key: RecordBytes, value: RecordBytes, headers: readonly RecordHeaderInput[]): number {
    const buffer = this.#buffer
    const start = this.#end
    const keyLength = key === null ? -1 : key.length
    const valueLength = value === null ? -1 : value.length
    const headerCount = headers.length
    let guess = keyLength + valueLength + TYPICAL_BODY_OVERHEAD_BYTES
    if (headerCount > 0) guess += estimateHeaders(headers)
    if (start + guess + GUESS_ROOM + headerCount * GUESS_ROOM_PER_HEADER > buffer.length) return WRONG_GUESS
    const sizeBytes = sizeOfVarint(guess)
    const bodyStart = start + sizeBytes
    buffer[bodyStart] = 0 // attributes: none are defined
    const count = this.#count
    let at =
      count === 0 ? writeVarint(buffer, bodyStart + 1, 0) : writeVarlong(buffer, bodyStart + 1, timestamp - this.#baseTimestamp)
    at = writeVarint(buffer, at, count)
    at = writeVarint(buffer, at, keyLength)
    if (key !== null) {
      if (!writeBytes(buffer, at, key, keyLength, GUESS_SLACK)) return WRONG_GUESS
      at += keyLength
    }
    at = writeVarint(buffer, at, valueLength)
    if (value !== null) {
      if (!writeBytes(buffer, at, value, valueLength, GUESS_SLACK)) return WRONG_GUESS
      at += valueLength
    }
    if (headerCount === 0) buffer[at++] = 0
    else at = writeHeaders(buffer, at, headers, false)
    const bodySize = at - bodyStart
    if (at < 0 || sizeOfVarint(bodySize) !== sizeBytes) return WRONG_GUESS
    writeVarint(buffer, start, bodySize)
    return at
  }

  /** The same with everything measured first. Fits to the last byte, makes room where it may, and gives `NO_ROOM` otherwise. */
  #writeExactly(timestamp: number, key: RecordBytes, value: RecordBytes, headers: readonly RecordHeaderInput[]): number {
    const count = this.#count
    const timestampDelta = count === 0 ? 0 : timestamp - this.#baseTimestamp
    const keyLength = lengthOf(key, true)
    const valueLength = lengthOf(value, true)
    const bodySize =
      1 +
      sizeOfVarlong(timestampDelta) +
      sizeOfVarint(count) +
      sizeOfVarint(keyLength) +
      Math.max(0, keyLength) +
      sizeOfVarint(valueLength) +
      Math.max(0, valueLength) +
      sizeOfHeaders(headers)
    const end = this.#end + sizeOfVarint(bodySize) + bodySize
    if (end > this.#buffer.length && !this.#makeRoom(end)) return NO_ROOM
    const buffer = this.#buffer
    let at = writeVarint(buffer, this.#end, bodySize)
    buffer[at] = 0
    at = writeVarlong(buffer, at + 1, timestampDelta)
    at = writeVarint(buffer, at, count)
    at = writeVarint(buffer, at, keyLength)
    if (key !== null) writeBytes(buffer, at, key, keyLength, 0)
    at = writeVarint(buffer, at + Math.max(0, keyLength), valueLength)
    if (value !== null) writeBytes(buffer, at, value, valueLength, 0)
    writeHeaders(buffer, at + Math.max(0, valueLength), headers, true)
    return end
  }

  /**
   * Writes the header with its CRC and gives back the batch: a view of `buffer`, or of new memory if it is compressed. No record
   * can be appended after it. Sealing again, with another producer epoch or sequence, rewrites only the header, in place, so
   * that earlier results show it too; the records are compressed once.
   * @throws ConfigError for a level that the compression type does not have
   */
  seal(options: SealOptions = {}): Buffer {
    const type = this.#compressionOf(options)
    if (type === 'none') return this.#finish(options, type, this.#buffer, this.#end)
    const level = options.compressionLevel
    if (!this.#isPacked(type, level)) this.#pack(type, level, codecOf(type).compress(this.#records(), level))
    return this.#finish(options, type, this.#packed!, this.#packed!.length)
  }

  /** Whether there is so much to compress that `sealAsync` takes less of the event loop than `seal` (docs/decisions/0008). */
  isWorthSealingOffLoop(options: SealOptions): boolean {
    const type = this.#compressionOf(options)
    if (type === 'none' || this.#isPacked(type, options.compressionLevel)) return false
    return this.#end - BATCH_HEADER_BYTES >= codecOf(type).offLoopBytes(options.compressionLevel)
  }

  /** As `seal`, but compresses off the event loop if that is worth it. */
  async sealAsync(options: SealOptions = {}): Promise<Buffer> {
    if (this.isWorthSealingOffLoop(options)) {
      const type = this.#compressionOf(options) as Exclude<CompressionType, 'none'>
      const level = options.compressionLevel
      this.#sealed = true
      this.#pack(type, level, await codecOf(type).compressAsync(this.#records(), level))
    }
    return this.seal(options)
  }

  #compressionOf(options: SealOptions): CompressionType {
    // As Java: a batch of no records has nothing to compress (DefaultRecordBatch.writeEmptyHeader).
    return this.#count === 0 ? 'none' : (options.compression ?? 'none')
  }

  #isPacked(type: CompressionType, level: number | undefined): boolean {
    return this.#packed !== null && this.#packedType === type && this.#packedLevel === level
  }

  #pack(type: CompressionType, level: number | undefined, records: Buffer): void {
    const packed = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES + records.length)
    records.copy(packed, BATCH_HEADER_BYTES)
    this.#packed = packed
    this.#packedType = type
    this.#packedLevel = level
  }

  #records(): Buffer {
    return this.#buffer.subarray(BATCH_HEADER_BYTES, this.#end)
  }

  #finish(options: SealOptions, type: CompressionType, buffer: Buffer, end: number): Buffer {
    this.#sealed = true
    writeBatchHeader(buffer, 0, end, this.#header(options, type))
    return buffer.subarray(0, end)
  }

  #header(options: SealOptions, compression: CompressionType): BatchHeader {
    const logAppendTime = options.logAppendTime
    let attributes = compressionBits(compression)
    if (logAppendTime !== undefined) attributes |= LOG_APPEND_TIME_FLAG
    if (options.transactional === true) attributes |= TRANSACTIONAL_FLAG
    if (options.control === true) attributes |= CONTROL_FLAG
    return {
      baseOffset: options.baseOffset ?? 0,
      partitionLeaderEpoch: options.partitionLeaderEpoch ?? NO_VALUE,
      attributes,
      lastOffsetDelta: Math.max(0, this.#count - 1),
      baseTimestamp: this.#baseTimestamp,
      maxTimestamp: logAppendTime ?? this.#maxTimestamp,
      producerId: options.producerId ?? NO_VALUE,
      producerEpoch: options.producerEpoch ?? NO_VALUE,
      baseSequence: options.baseSequence ?? NO_VALUE,
      recordCount: this.#count,
    }
  }

  #makeRoom(end: number): boolean {
    if (this.#count > 0 && !this.#growable) return false
    if (end > MAX_BATCH_BYTES)
      throw new InvalidRecordError(`a batch of ${end} bytes; the format holds at most ${MAX_BATCH_BYTES}`)
    const size = this.#growable ? Math.min(MAX_BATCH_BYTES, Math.max(end, this.#buffer.length * 2)) : end
    const larger = Buffer.allocUnsafeSlow(size)
    this.#buffer.copy(larger, BATCH_HEADER_BYTES, BATCH_HEADER_BYTES, this.#end)
    this.#buffer = larger
    return true
  }
}

function invalidTimestamp(timestamp: number): InvalidRecordError {
  return new InvalidRecordError(`timestamp ${timestamp}: expected epoch milliseconds, or -1 for none`)
}
