import * as header from './batch-header.ts'
import type { CompressionType } from './compression-type.ts'
import { CorruptRecordError, UnsupportedCompressionError } from './errors.ts'
import type { KafkaRecord } from './kafka-record.ts'
import { RecordCursor } from './record-cursor.ts'

export interface ReadOptions {
  /** Whether to check the CRC-32C of each batch. Default true, as Java's `check.crcs`. */
  readonly checkCrcs?: boolean
  /** Bytes that one batch may decompress to. Default 64 MiB. More throws `DecompressionLimitError`. */
  readonly maxDecompressedBytes?: number
  /** Carried by each batch for whoever reads its records. */
  readonly topic?: string
  readonly partition?: number
}

/** One record batch within a buffer: a lazy view. Iterating it gives its records in order, each time anew. */
export class RecordBatch implements Iterable<KafkaRecord> {
  /** The bytes that the batch lies in, such as a fetch response. */
  readonly buffer: Buffer
  /** Where in `buffer` the batch begins. */
  readonly position: number
  /** Bytes of the batch, header included, as it was stored. */
  readonly sizeInBytes: number
  readonly topic: string | null
  readonly partition: number | null
  readonly baseOffset: number
  readonly lastOffsetDelta: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly recordCount: number
  readonly attributes: number
  readonly isLogAppendTime: boolean
  #data: Buffer | null = null
  #largeDeltas: number[] | null = null

  /** Made by `readBatches`, which has verified `[position, position + sizeInBytes)`. */
  constructor(buffer: Buffer, position: number, options: ReadOptions) {
    this.buffer = buffer
    this.position = position
    this.sizeInBytes = header.batchBytes(buffer, position)
    this.topic = options.topic ?? null
    this.partition = options.partition ?? null
    this.baseOffset = header.baseOffset(buffer, position)
    this.lastOffsetDelta = header.lastOffsetDelta(buffer, position)
    this.baseTimestamp = header.baseTimestamp(buffer, position)
    this.maxTimestamp = header.maxTimestamp(buffer, position)
    this.recordCount = header.recordCount(buffer, position)
    this.attributes = header.attributes(buffer, position)
    this.isLogAppendTime = (this.attributes & header.LOG_APPEND_TIME_FLAG) !== 0
  }

  get lastOffset(): number {
    return this.baseOffset + this.lastOffsetDelta
  }

  get partitionLeaderEpoch(): number {
    return header.partitionLeaderEpoch(this.buffer, this.position)
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

  /** A cursor before the first record. Decompresses a compressed batch, unless that was done. */
  cursor(): RecordCursor {
    if (this.compression === 'none') {
      return new RecordCursor(this, this.buffer, this.position + header.BATCH_HEADER_BYTES, this.position + this.sizeInBytes)
    }
    this.#data ??= decompress(this)
    return new RecordCursor(this, this.#data, 0, this.#data.length)
  }

  [Symbol.iterator](): Iterator<KafkaRecord> {
    return new RecordIterator(this.cursor())
  }

  /** @internal A timestamp delta that took more than one byte, checked and made into what a record stores. */
  acceptTimestampDelta(delta: bigint): number {
    const timestamp = BigInt(this.baseTimestamp) + delta
    if (timestamp > BigInt(Number.MAX_SAFE_INTEGER) || timestamp < BigInt(Number.MIN_SAFE_INTEGER)) {
      throw new CorruptRecordError(this, `timestamp ${timestamp} is outside the safe integers`)
    }
    void this.#largeDeltas
    return Number(delta)
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

function decompress(batch: RecordBatch): Buffer {
  throw new UnsupportedCompressionError(`${batch.compression}: no codec`)
}
