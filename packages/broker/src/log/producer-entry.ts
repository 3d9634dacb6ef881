import { PRODUCER_BATCHES_RETAINED } from '../limits.ts'

/** One batch that a producer appended, as far as it is needed to recognise it when it comes again. */
export interface ProducerBatch {
  lastSequence: number
  lastOffset: number
  /** Last offset minus first, and last sequence minus first. */
  offsetDelta: number
  /** The batch's largest timestamp. */
  timestamp: number
}

/** What a partition knows of one producer: Kafka's `ProducerStateEntry`. */
export class ProducerEntry {
  readonly producerId: number
  producerEpoch: number
  coordinatorEpoch = -1
  /** When it last wrote, by its records' timestamps. */
  lastTimestamp = -1
  /** Where its open transaction begins; -1 without one. */
  currentTxnFirstOffset = -1
  /** The oldest first; objects are reused. */
  readonly batches: ProducerBatch[] = []

  constructor(producerId: number, producerEpoch: number) {
    this.producerId = producerId
    this.producerEpoch = producerEpoch
  }

  /** The newest batch; undefined when none is remembered. */
  get lastBatch(): ProducerBatch | undefined {
    return this.batches.at(-1)
  }

  /** The batch with exactly these sequences among those remembered. */
  findBatch(firstSequence: number, lastSequence: number): ProducerBatch | null {
    for (const batch of this.batches) {
      if (batch.lastSequence === lastSequence && firstSequenceOf(batch) === firstSequence) return batch
    }
    return null
  }

  /** Notes a batch. A new epoch forgets the batches of the former one. */
  addBatch(producerEpoch: number, lastSequence: number, lastOffset: number, offsetDelta: number, timestamp: number): void {
    if (producerEpoch !== this.producerEpoch) {
      this.batches.length = 0
      this.producerEpoch = producerEpoch
    }
    const reused = this.batches.length === PRODUCER_BATCHES_RETAINED ? this.batches.shift() : undefined
    const batch = reused ?? { lastSequence, lastOffset, offsetDelta, timestamp }
    batch.lastSequence = lastSequence
    batch.lastOffset = lastOffset
    batch.offsetDelta = offsetDelta
    batch.timestamp = timestamp
    this.batches.push(batch)
    this.lastTimestamp = timestamp
  }

  /** Notes the marker that ends its transaction. */
  endTransaction(producerEpoch: number, timestamp: number, coordinatorEpoch: number): void {
    if (producerEpoch !== this.producerEpoch) this.batches.length = 0
    this.producerEpoch = producerEpoch
    this.coordinatorEpoch = coordinatorEpoch
    this.currentTxnFirstOffset = -1
    this.lastTimestamp = timestamp
  }

  /** Notes a batch that came before the newest one and after all others remembered. */
  addOlderBatch(batch: ProducerBatch): void {
    this.batches.splice(-1, 0, batch)
    if (this.batches.length > PRODUCER_BATCHES_RETAINED) this.batches.shift()
  }
}

export function firstSequenceOf(batch: ProducerBatch): number {
  const first = batch.lastSequence - batch.offsetDelta
  return first < 0 ? first + 0x8000_0000 : first
}
