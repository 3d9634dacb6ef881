import { RecordBatchBuilder, type RecordBytes, type RecordHeaderInput } from '@millrace/records/internal'
import { BufferPool } from './buffer-pool.ts'
import { BatchDeliveries } from './delivery.ts'
import {
  BATCH_HEADER_BYTES,
  BUFFER_GROWTH,
  COMPACT_AFTER,
  COMPRESSION_INPUT_BYTES_MAX,
  COMPRESSION_MEMORY_RESERVE,
  HEADER_OVERHEAD_BYTES_MAX,
  RECORD_OVERHEAD_BYTES_MAX,
  SMALLEST_BUFFER_DIVISOR,
} from './limits.ts'
import type { PartitionQueue } from './partition-queue.ts'
import { ProducerBatch } from './producer-batch.ts'

export interface AccumulatorConfig {
  readonly batchSize: number
  readonly bufferMemory: number
  readonly lingerMs: number
  /** Whether a closed batch must be compressed before it is ready. */
  readonly compress: boolean
}

/**
 * Collects records into one open batch per partition within the bounds of buffer memory, and closes a batch when it is
 * full, when it has lingered, when someone flushes, or when memory is short.
 */
export class Accumulator {
  /** Partitions that have something to send or to compress, in the order to serve them. */
  readonly readyQueues: Set<PartitionQueue> = new Set()
  /** Batches that were closed and await compression. */
  readonly toCompress: ProducerBatch[] = []
  /** Every batch without an outcome. */
  readonly incomplete: Set<ProducerBatch> = new Set()
  readonly #config: AccumulatorConfig
  /** In order of opening, which is the order of lingering out; closed ones are skipped. */
  #lingering: ProducerBatch[] = []
  #lingeringHead = 0
  #openCount = 0
  #memoryFree: number
  readonly #pool: BufferPool

  constructor(config: AccumulatorConfig) {
    this.#config = config
    this.#memoryFree = config.bufferMemory
    this.#pool = new BufferPool(config.batchSize, config.bufferMemory)
  }

  get memoryFree(): number {
    return this.#memoryFree
  }

  /** Open batches that are not due. */
  get openCount(): number {
    return this.#openCount
  }

  /** When the oldest open batch has lingered long enough; `Infinity` without one. */
  get deadline(): number {
    const oldest = this.#oldestOpen()
    return oldest === null ? Infinity : oldest.createdAt + this.#config.lingerMs
  }

  /**
   * Writes the record into the partition's open batch, or into a new one, and gives that batch back: the record is its
   * last. Null when buffer memory is short; nothing was written then.
   * @throws {KafkaError} INVALID_RECORD for what the format cannot hold
   */
  append(
    queue: PartitionQueue,
    now: number,
    timestamp: number,
    key: RecordBytes,
    value: RecordBytes,
    headers: readonly RecordHeaderInput[],
  ): ProducerBatch | null {
    let batch = queue.open
    if (batch !== null) {
      if (batch.tryAppend(timestamp, key, value, headers)) return batch
      while (this.#grow(batch)) if (batch.tryAppend(timestamp, key, value, headers)) return batch
      this.close(batch)
    }
    const capacity = this.#capacityFor(queue)
    const size = this.#firstSize(batchSizeUpperBound(key, value, headers), queue.lastBatchBytes, capacity)
    if (size > this.#memoryFree) return null
    batch = this.#open(queue, size, now)
    try {
      batch.tryAppend(timestamp, key, value, headers)
    } catch (error) {
      this.#discardEmpty(batch)
      throw error
    }
    if (batch.sizeInBytes >= capacity) this.close(batch)
    return batch
  }

  /** Whether a record of so many bytes would go into the partition's open batch. */
  hasRoom(queue: PartitionQueue, bytes: number): boolean {
    return queue.open !== null && queue.open.sizeInBytes + bytes <= this.#capacityFor(queue)
  }

  /** Ends an open batch: what comes next goes into another. */
  close(batch: ProducerBatch): void {
    const queue = batch.queue
    queue.open = null
    queue.lastBatchBytes = batch.sizeInBytes
    if (!batch.isDue) this.#openCount--
    queue.ready.push(batch)
    this.#closed(batch)
  }

  /** The records of a closed batch, compressed: it may be sent, and takes only their memory. */
  compressed(batch: ProducerBatch, bytes: Buffer): void {
    if (batch.state !== 'compressing') return
    const { buffer } = batch.builder!
    batch.compressed(bytes)
    batch.queue.topic.compressionRatio.observe(batch.compressionRatio)
    this.#pool.give(buffer)
    this.#memoryFree += batch.memory - bytes.length
    batch.memory = bytes.length
    if (batch.queue.ready[0] === batch) this.readyQueues.add(batch.queue)
  }

  closeLingering(now: number): void {
    for (let oldest = this.#oldestOpen(); oldest !== null; oldest = this.#oldestOpen()) {
      if (oldest.createdAt + this.#config.lingerMs > now) return
      this.#makeDue(oldest)
    }
  }

  closeAll(): void {
    for (let oldest = this.#oldestOpen(); oldest !== null; oldest = this.#oldestOpen()) this.#makeDue(oldest)
  }

  /** It is closed when it can be sent, and takes records until then: a broker that is busy gets larger batches (Java closes a batch when it drains it). */
  #makeDue(batch: ProducerBatch): void {
    batch.isDue = true
    this.#openCount--
    this.readyQueues.add(batch.queue)
  }

  /** The batch has an outcome: its memory is free again. Its buffer is used again when no socket can still hold it. */
  release(batch: ProducerBatch, reusable: boolean): void {
    if (batch.state === 'open') {
      batch.queue.open = null
      if (!batch.isDue) this.#openCount--
    }
    batch.state = 'done'
    this.incomplete.delete(batch)
    this.#memoryFree += batch.memory
    batch.memory = 0
    if (reusable && batch.builder !== null) this.#pool.give(batch.builder.buffer)
    batch.builder = null
  }

  /** A batch gave way to its parts. Their memory is what they take, even beyond the limit: they must be sent. */
  replace(batch: ProducerBatch, parts: readonly ProducerBatch[]): void {
    this.release(batch, false)
    if (this.#config.compress) batch.queue.topic.compressionRatio.batchWasTooLarge(batch.compressionRatio)
    for (const part of parts) {
      this.#memoryFree -= part.memory
      this.incomplete.add(part)
      this.#closed(part)
    }
  }

  /** What is closed goes out, once it is compressed. */
  #closed(batch: ProducerBatch): void {
    this.readyQueues.add(batch.queue)
    if (!this.#config.compress) {
      batch.state = 'ready'
      return
    }
    batch.state = 'compressing'
    this.toCompress.push(batch)
  }

  /** Most bytes of records for a batch: as many as should be compressed to `batchSize` (Java: MemoryRecordsBuilder.hasRoomFor). */
  #capacityFor(queue: PartitionQueue): number {
    const { batchSize, compress } = this.#config
    if (!compress || batchSize === 0) return batchSize
    const input = Math.min(queue.topic.compressionRatio.inputFor(batchSize), COMPRESSION_INPUT_BYTES_MAX)
    // A multiple of it, so that buffers can be used again.
    return Math.max(1, Math.floor(input / batchSize)) * batchSize
  }

  /**
   * Bytes for a new batch to begin with: for its first record, and for as much as the last batch of the partition came to. A thousand partitions that
   * get a few records each would otherwise fill the memory with empty buffers.
   */
  #firstSize(needed: number, usual: number, capacity: number): number {
    const wanted = Math.max(needed, usual)
    let size = Math.ceil(this.#config.batchSize / SMALLEST_BUFFER_DIVISOR)
    while (size < wanted && size < capacity) size = Math.min(size * BUFFER_GROWTH, capacity)
    return Math.max(Math.min(size, this.#config.batchSize), needed)
  }

  /** A larger buffer for the batch, if it may become larger and memory is not in demand. */
  #grow(batch: ProducerBatch): boolean {
    const { batchSize, bufferMemory } = this.#config
    const { buffer } = batch.builder!
    const capacity = this.#capacityFor(batch.queue)
    if (buffer.length >= capacity) return false
    const size = Math.min(buffer.length * BUFFER_GROWTH, buffer.length < batchSize ? batchSize : capacity)
    const left = this.#memoryFree + buffer.length - size
    if (left < (size > batchSize ? bufferMemory * COMPRESSION_MEMORY_RESERVE : 0)) return false
    batch.builder!.moveTo(this.#pool.take(size) ?? Buffer.allocUnsafeSlow(size))
    this.#pool.give(buffer)
    this.#memoryFree = left
    batch.memory = size
    return true
  }

  #open(queue: PartitionQueue, size: number, now: number): ProducerBatch {
    const buffer = this.#pool.take(size)
    const builder = buffer === undefined ? new RecordBatchBuilder({ batchSize: size }) : new RecordBatchBuilder({ buffer })
    const batch = new ProducerBatch(queue, builder, new BatchDeliveries(), size, now)
    this.#memoryFree -= size
    this.incomplete.add(batch)
    queue.open = batch
    this.#openCount++
    this.#lingering.push(batch)
    return batch
  }

  #discardEmpty(batch: ProducerBatch): void {
    this.release(batch, true)
  }

  #oldestOpen(): ProducerBatch | null {
    while (this.#lingeringHead < this.#lingering.length) {
      const batch = this.#lingering[this.#lingeringHead]!
      if (batch.state === 'open' && !batch.isDue) return this.#compactLingering(batch)
      this.#lingeringHead++
    }
    this.#lingering = []
    this.#lingeringHead = 0
    return null
  }

  /** Drops the closed batches before `oldest` once they are most of the list. */
  #compactLingering(oldest: ProducerBatch): ProducerBatch {
    if (this.#lingeringHead >= COMPACT_AFTER && this.#lingeringHead * 2 >= this.#lingering.length) {
      this.#lingering = this.#lingering.slice(this.#lingeringHead)
      this.#lingeringHead = 0
    }
    return oldest
  }
}

/** At least what the record takes as the only one of a batch. */
export function batchSizeUpperBound(key: RecordBytes, value: RecordBytes, headers: readonly RecordHeaderInput[]): number {
  let size = BATCH_HEADER_BYTES + RECORD_OVERHEAD_BYTES_MAX + byteLength(key) + byteLength(value)
  for (const [name, content] of headers) size += HEADER_OVERHEAD_BYTES_MAX + Buffer.byteLength(name) + byteLength(content)
  return size
}

function byteLength(bytes: RecordBytes): number {
  if (bytes === null) return 0
  return typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length
}
