import type { KafkaError } from '@millrace/protocol'
import { patchProducerState, type RecordBatchBuilder } from '@millrace/records/internal'
import type { BatchDeliveries } from './delivery.ts'
import type { FlushWait } from './flush-wait.ts'
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
  readonly deliveries: BatchDeliveries
  readonly createdAt: number
  /** Collects the records; null once the batch is done. */
  builder: RecordBatchBuilder | null
  /** Buffer memory held until the batch is done. */
  memory: number
  state: BatchState = 'open'
  recordCount = 0
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
  }

  get hasSequence(): boolean {
    return this.baseSequence >= 0
  }

  /** The sequence that follows the batch's last record. */
  get nextSequence(): number {
    return sequenceAfter(this.baseSequence, this.recordCount)
  }

  get sizeInBytes(): number {
    return this.#bytes?.length ?? this.builder!.sizeInBytes
  }

  /** Takes the bytes to send, compressed. */
  compressed(bytes: Buffer): void {
    if (this.state !== 'compressing') return
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
    } else if (producerId >= 0) {
      // The socket of an attempt that was given up may still hold the old bytes: they are not touched.
      if (this.attempts > 0) this.#bytes = Buffer.from(this.#bytes)
      patchProducerState(this.#bytes, 0, state)
    }
    this.#sealed = true
    return this.#bytes
  }
}
