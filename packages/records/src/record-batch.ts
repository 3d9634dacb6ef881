import * as header from './batch-header.ts'
import type { CompressionType } from './compression-type.ts'
import { codecOf } from './compression/codecs.ts'
import { BatchDisposedError, CorruptCompressionError, CorruptRecordError, DecompressionLimitError } from './errors.ts'
import type { KafkaRecord } from './kafka-record.ts'
import { DEFAULT_MAX_DECOMPRESSED_BYTES } from './limits.ts'
import { RecordCursor } from './record-cursor.ts'

export interface ReadOptions {
  /** Whether to check the CRC-32C of each batch. Default true, as Java's `check.crcs`. */
  readonly checkCrcs?: boolean
  /** Bytes that one batch may decompress to. Default 64 MiB. More throws `DecompressionLimitError`. */
  readonly maxDecompressedBytes?: number
  /** Where the batches come from: carried by each for whoever reads its records. */
  readonly topic?: string
  readonly partition?: number
}

/** The class behind every Buffer: `subarray` without its checks of the range, which the cursor has made. */
const BufferView = (
  Buffer as unknown as { [Symbol.species]: new (memory: ArrayBufferLike, offset: number, length: number) => Buffer }
)[Symbol.species]

/** One record batch within a buffer: a lazy view. Iterating it gives its records in order, each time anew. */
export class RecordBatch implements Iterable<KafkaRecord> {
  /** The bytes that the batch lies in, such as a fetch response. */
  readonly buffer: Buffer
  /** Where in `buffer` the batch begins. */
  readonly position: number
  /** Bytes of the batch, header included, as it was stored. */
  readonly sizeInBytes: number
  /** As told to `readBatches`; '' and -1 if it was not. */
  readonly topic: string
  readonly partition: number
  readonly baseOffset: number
  readonly lastOffsetDelta: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly recordCount: number
  readonly attributes: number
  readonly partitionLeaderEpoch: number
  readonly isLogAppendTime: boolean
  #records: Buffer
  #memory: ArrayBufferLike
  #memoryOffset: number
  #loaded = false
  readonly #maxDecompressedBytes: number

  /** Made by `readBatches`, which has verified `[position, position + sizeInBytes)`. */
  constructor(buffer: Buffer, position: number, options: ReadOptions) {
    this.buffer = buffer
    this.#records = buffer
    this.#memory = buffer.buffer
    this.#memoryOffset = buffer.byteOffset
    this.position = position
    this.sizeInBytes = header.batchBytes(buffer, position)
    this.topic = options.topic ?? ''
    this.partition = options.partition ?? header.NO_VALUE
    this.baseOffset = header.baseOffset(buffer, position)
    this.lastOffsetDelta = header.lastOffsetDelta(buffer, position)
    this.baseTimestamp = header.baseTimestamp(buffer, position)
    this.maxTimestamp = header.maxTimestamp(buffer, position)
    this.recordCount = header.recordCount(buffer, position)
    this.attributes = header.attributes(buffer, position)
    this.partitionLeaderEpoch = header.partitionLeaderEpoch(buffer, position)
    this.#maxDecompressedBytes = options.maxDecompressedBytes ?? DEFAULT_MAX_DECOMPRESSED_BYTES
    this.isLogAppendTime = (this.attributes & header.LOG_APPEND_TIME_FLAG) !== 0
  }

  get lastOffset(): number {
    return this.baseOffset + this.lastOffsetDelta
  }

  get magic(): number {
    return header.magic(this.buffer, this.position)
  }

  /** As the header states it. */
  get crc(): number {
    return header.crc(this.buffer, this.position)
  }

  get compression(): CompressionType {
    return header.compressionOf(this.buffer, this.position)
  }

  get isTransactional(): boolean {
    return (this.attributes & header.TRANSACTIONAL_FLAG) !== 0
  }

  /** Control batches hold markers that the brokers wrote, not records of an application. */
  get isControl(): boolean {
    return (this.attributes & header.CONTROL_FLAG) !== 0
  }

  /** Epoch milliseconds from which compaction may drop the tombstones in the batch; null before its first compaction (KIP-534). */
  get deleteHorizon(): number | null {
    return (this.attributes & header.DELETE_HORIZON_FLAG) === 0 ? null : this.baseTimestamp
  }

  get producerId(): number {
    return header.producerId(this.buffer, this.position)
  }

  get producerEpoch(): number {
    return header.producerEpoch(this.buffer, this.position)
  }

  get baseSequence(): number {
    return header.baseSequence(this.buffer, this.position)
  }

  get lastSequence(): number {
    return header.lastSequence(this.buffer, this.position)
  }

  /** The bytes of the batch as stored: a view. */
  get bytes(): Buffer {
    return this.buffer.subarray(this.position, this.position + this.sizeInBytes)
  }

  /** Whether a compressed batch holds what it was decompressed to. */
  get isLoaded(): boolean {
    return this.#loaded
  }

  /** Another view of the same stored bytes. It holds nothing that was decompressed, so that this one need not when that one is read. */
  again(): RecordBatch {
    const { topic, partition } = this
    return new RecordBatch(this.buffer, this.position, { topic, partition, maxDecompressedBytes: this.#maxDecompressedBytes })
  }

  /**
   * A cursor before the first record. Decompresses a compressed batch here and now, unless `load` has done it.
   * @throws CorruptRecordError, DecompressionLimitError
   */
  cursor(): RecordCursor {
    const type = this.compression
    if (type === 'none')
      return new RecordCursor(this, this.position + header.BATCH_HEADER_BYTES, this.position + this.sizeInBytes)
    if (!this.#loaded) {
      try {
        this.#setRecords(codecOf(type).decompress(this.#compressed(), this.#maxDecompressedBytes))
      } catch (error) {
        throw this.#locate(error)
      }
    }
    return new RecordCursor(this, 0, this.#records.length)
  }

  /**
   * Decompresses a compressed batch, off the event loop if it is large, so that iterating it does not have to. Needless for a
   * batch without compression.
   * @throws CorruptRecordError, DecompressionLimitError
   */
  async load(): Promise<void> {
    const type = this.compression
    if (type === 'none' || this.#loaded) return
    try {
      const records = await codecOf(type).decompressAsync(this.#compressed(), this.#maxDecompressedBytes)
      if (!this.#loaded) this.#setRecords(records)
    } catch (error) {
      throw this.#locate(error)
    }
  }

  [Symbol.iterator](): Iterator<KafkaRecord> {
    return new RecordIterator(this.cursor())
  }

  /** All records at once, decoded from first to last. */
  toArray(): KafkaRecord[] {
    const records: KafkaRecord[] = []
    const cursor = this.cursor()
    for (let record = cursor.next(); record !== null; record = cursor.next()) records.push(record)
    return records
  }

  /**
   * @internal What the positions of the batch's records count in: `buffer`, or what it was decompressed to.
   * @throws BatchDisposedError
   */
  get recordBytes(): Buffer {
    this.#checkMemory()
    return this.#records
  }

  /** @internal A view of `recordBytes`. */
  viewOf(start: number, length: number): Buffer {
    this.#checkMemory()
    return new BufferView(this.#memory, this.#memoryOffset + start, length)
  }

  /** @internal */
  textOf(start: number, length: number): string {
    this.#checkMemory()
    return this.#records.toString('utf8', start, start + length)
  }

  /** Memory that was given back has no bytes; where there are records there are some. */
  #checkMemory(): void {
    if (this.#records.length === 0 && this.recordCount > 0) throw new BatchDisposedError(this)
  }

  #setRecords(records: Buffer): void {
    this.#records = records
    this.#memory = records.buffer
    this.#memoryOffset = records.byteOffset
    this.#loaded = true
  }

  #compressed(): Buffer {
    return this.buffer.subarray(this.position + header.BATCH_HEADER_BYTES, this.position + this.sizeInBytes)
  }

  #locate(error: unknown): unknown {
    if (error instanceof CorruptCompressionError) return new CorruptRecordError(this, error.message, error)
    if (!(error instanceof DecompressionLimitError)) return error
    return new DecompressionLimitError(error.codec, error.compressedBytes, error.limitBytes, this)
  }
}

class RecordIterator implements Iterator<KafkaRecord> {
  readonly #cursor: RecordCursor

  constructor(cursor: RecordCursor) {
    this.#cursor = cursor
  }

  next(): IteratorResult<KafkaRecord> {
    const record = this.#cursor.next()
    return record === null ? { done: true, value: undefined } : { done: false, value: record }
  }
}
