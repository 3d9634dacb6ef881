import { CompressionRatio } from './compression-ratio.ts'
import { PartitionSequences } from './idempotence.ts'
import type { ProducerBatch } from './producer-batch.ts'
import type { UnkeyedPartitioner } from './sticky-partitioner.ts'

/** What one partition has to send: one open batch and those that are ready, in order. */
export class PartitionQueue {
  readonly topic: TopicQueues
  readonly partition: number
  /** Node id; -1 while there is none. */
  leader = -1
  leaderEpoch = -1
  open: ProducerBatch | null = null
  /** Batches that there were so far. */
  batchCount = 0
  /** Batches that may be sent or are being compressed, in the order to send. */
  readonly ready: ProducerBatch[] = []
  readonly sequences: PartitionSequences = new PartitionSequences()
  /** What the last batch that was closed came to, before compression. */
  lastBatchBytes = 0
  /** Batches in requests. */
  inFlight = 0
  /** Epoch milliseconds before which nothing is sent, after a failure. */
  retryAt = 0

  constructor(topic: TopicQueues, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  /** The batch to send next, if one is ready or due. */
  get next(): ProducerBatch | undefined {
    const [first] = this.ready
    if (first !== undefined) return first
    return this.open?.isDue === true ? this.open : undefined
  }

  /** Batches that were not sent yet, the open one included. */
  get queuedBatches(): number {
    return this.ready.length + (this.open === null ? 0 : 1)
  }

  /** Puts a batch that failed back among the ready ones, before all that come after it. */
  requeue(batch: ProducerBatch): void {
    const order = this.sequences.orderOf(batch)
    let at = 0
    while (at < this.ready.length && this.#precedes(this.ready[at]!, batch, order)) at++
    this.ready.splice(at, 0, batch)
  }

  #precedes(other: ProducerBatch, batch: ProducerBatch, order: number): boolean {
    return batch.hasSequence ? this.sequences.orderOf(other) < order : other.ordinal < batch.ordinal
  }
}

/** A topic's queues and its choice of partition for records without a key. */
export class TopicQueues {
  readonly name: string
  readonly partitioner: UnkeyedPartitioner
  readonly compressionRatio: CompressionRatio
  topicId = ''
  /** Empty until metadata has come. */
  readonly partitions: PartitionQueue[] = []

  constructor(name: string, partitioner: UnkeyedPartitioner, compressionRatio: CompressionRatio = new CompressionRatio()) {
    this.name = name
    this.partitioner = partitioner
    this.compressionRatio = compressionRatio
  }

  /**
   * It was deleted, and made anew with `partitionCount` partitions. What waits for a partition that is no more times out; nothing new goes there. In the
   * others the broker knows nothing of this producer.
   */
  recreated(partitionCount: number): void {
    for (const queue of this.partitions.splice(partitionCount)) queue.leader = -1
    for (const queue of this.partitions) {
      queue.leaderEpoch = -1
      queue.sequences.forgotten()
    }
  }
}
