import type { KafkaError } from '@millrace/protocol'
import { patchProducerState, type RecordBatchBuilder, type RecordBytes, type RecordHeaderInput } from '@millrace/records/internal'
import type { BatchDeliveries } from './delivery.ts'
import type { FlushWait } from './flush-wait.ts'
import { BATCH_HEADER_BYTES } from './limits.ts'
import type { PartitionQueue } from './partition-queue.ts'
import { sequenceAfter } from './sequence.ts'

/**
 * `open`: takes records. `compressing`: full, its bytes are being made. `ready`: may be sent. `in-flight`: in a request.
 * `done`: delivered, failed or split.
 */
export type BatchState = 'open' | 'compressing' | 'ready' | 'in-flight' | 'done'

/** Records on their way to one partition, from the first append to the outcome. */
export class ProducerBatch {
  readonly queue: PartitionQueue
  deliveries: BatchDeliveries
  readonly createdAt: number
  /** Its place among all batches of its partition; parts of a batch have theirs between that of the batch and the next one's. */
  ordinal: number
  /** What there is for parts of it to share, from `ordinal` on. */
  ordinalSpan = 1
  /** Collects the records; null once the batch is done. */
  builder: RecordBatchBuilder | null
  /** Buffer memory held until the batch is done. */
  memory: number
  state: BatchState = 'open'
  /** Open, and to be closed as soon as it can be sent; until then it takes records. */
  isDue = false
  recordCount = 0
  /** Of the largest record, as it stands in the batch. */
  largestRecordBytes = 0
  /** As `sizeInBytes`, before compression; known once the batch is closed. */
  uncompressedBytes = 0
  /** Requests that carried it. */
  attempts = 0
  lastError: KafkaError | null = null
  /** Whether an attempt may have stored it although we were not told so. */
  isOutcomeUnknown = false
  /** Who waits for the outcome of all that was sent before. */
  flushes: FlushWait[] | null = null
  producerId = -1
  producerEpoch = -1
  /** Sequence of the first record; -1 until the batch is first sent, and without idempotence. */
  baseSequence = -1
  /** The batch as it is sent, header included. */
  #bytes: Buffer | null = null
  /** Whether the header in `#bytes` says what the producer state says. */
  #sealed = false

  constructor(
    queue: PartitionQueue,
    builder: RecordBatchBuilder | null,
    deliveries: BatchDeliveries,
    memory: number,
    createdAt: number,
  ) {
    this.queue = queue
    this.builder = builder
    this.deliveries = deliveries
    this.memory = memory
    this.createdAt = createdAt
    this.ordinal = queue.batchCount++
  }

  get hasSequence(): boolean {
    return this.baseSequence >= 0
  }

  /** The sequence that follows the batch's last record. */
  get nextSequence(): number {
    return sequenceAfter(this.baseSequence, this.recordCount)
  }

  /** What compression left of the records; 1 without it. */
  get compressionRatio(): number {
    if (this.#bytes === null || this.uncompressedBytes <= BATCH_HEADER_BYTES) return 1
    return (this.#bytes.length - BATCH_HEADER_BYTES) / (this.uncompressedBytes - BATCH_HEADER_BYTES)
  }

  get sizeInBytes(): number {
    return this.#bytes?.length ?? this.builder!.sizeInBytes
  }

  /** False, with nothing written, if there is no room for the record: see `RecordBatchBuilder.tryAppend`. */
  tryAppend(timestamp: number, key: RecordBytes, value: RecordBytes, headers: readonly RecordHeaderInput[]): boolean {
    const builder = this.builder!
    const before = builder.sizeInBytes
    if (!builder.tryAppend(timestamp, key, value, headers)) return false
    const size = builder.sizeInBytes - before
    if (size > this.largestRecordBytes) this.largestRecordBytes = size
    this.recordCount++
    return true
  }

  /** Takes the bytes to send. The builder, and its memory, is of no use any more. */
  compressed(bytes: Buffer): void {
    this.uncompressedBytes = this.builder!.sizeInBytes
    this.builder = null
    this.#bytes = bytes
    this.state = 'ready'
  }

  setProducerState(producerId: number, producerEpoch: number, baseSequence: number): void {
    this.producerId = producerId
    this.producerEpoch = producerEpoch
    this.baseSequence = baseSequence
    this.#sealed = false
  }

  /** The batch to send, with its producer state in its header. A plain retry gets the same bytes again. */
  seal(): Buffer {
    if (this.#bytes !== null && this.#sealed) return this.#bytes
    const { producerId, producerEpoch, baseSequence } = this
    const state = { producerId, producerEpoch, baseSequence }
    if (this.#bytes === null) {
      this.#bytes = this.builder!.seal(state)
      this.uncompressedBytes = this.#bytes.length
    } else if (producerId >= 0) {
      // The socket of an attempt that was given up may still hold the old bytes: they are not touched.
      if (this.attempts > 0) this.#bytes = Buffer.from(this.#bytes)
      patchProducerState(this.#bytes, 0, state)
    }
    this.#sealed = true
    return this.#bytes
  }
}
