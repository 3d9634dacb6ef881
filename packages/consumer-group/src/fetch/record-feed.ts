import type { KafkaRecord, RecordBatch, RecordCursor } from '@millrace/records/internal'
import { UnreadableRecordError } from '../errors.ts'
import { ASYNC_DECOMPRESSION_BYTES } from '../limits.ts'
import { ConsumerBatch } from './consumer-batch.ts'
import type { Fetcher } from './fetcher.ts'
import type { PartitionCursor } from './partition-cursor.ts'

/** Large compressed bytes come first: ask again once `done`. */
export class Loading {
  readonly done: Promise<void>

  constructor(done: Promise<void>) {
    this.done = done
  }
}

/**
 * Hands out what is buffered, record by record or batch by batch, one partition's chunk after another's, and moves the
 * partitions' positions along.
 */
export class RecordFeed {
  readonly #fetcher: Fetcher
  readonly #maxPollRecords: number
  /** Compressed batches that were decompressed ahead. */
  readonly #loaded = new WeakSet<RecordBatch>()
  #loading: { readonly batch: RecordBatch; readonly loading: Loading } | null = null
  /** The partition whose first chunk is being read. */
  #cursor: PartitionCursor | null = null
  /** The stored batch that is being read, or that was looked at and not taken yet. */
  #batch: RecordBatch | null = null
  #records: RecordCursor | null = null

  constructor(fetcher: Fetcher, maxPollRecords: number) {
    this.#fetcher = fetcher
    this.#maxPollRecords = maxPollRecords
  }

  /** The partition of what was handed out last. */
  get cursor(): PartitionCursor {
    return this.#cursor!
  }

  /**
   * The next record; null when nothing is buffered.
   * @throws {UnreadableRecordError}
   */
  nextRecord(): KafkaRecord | Loading | null {
    try {
      for (;;) {
        const record = this.#records === null ? null : this.#records.next()
        if (record !== null) {
          const { offset } = record
          const cursor = this.#cursor!
          if (offset < cursor.position) continue
          cursor.position = offset + 1
          return record
        }
        if (this.#records !== null) this.#leaveBatch()
        const batch = this.#peek()
        if (batch === null || batch instanceof Loading) return batch
        this.#records = batch.cursor()
      }
    } catch (error) {
      throw this.#unreadable(error)
    }
  }

  /**
   * Stored batches of one chunk with together at most `maxPollRecords` records, as one; null when nothing is buffered.
   * @throws {UnreadableRecordError}
   */
  nextBatch(): ConsumerBatch | Loading | null {
    try {
      this.#records = null
      const first = this.#peek()
      if (first === null || first instanceof Loading) return first
      return this.#collect(first)
    } catch (error) {
      throw this.#unreadable(error)
    }
  }

  /** The partition was taken from us, or moved: nothing of it is handed out. */
  forget(cursor: PartitionCursor): void {
    if (this.#cursor === cursor) this.#reset()
  }

  #collect(first: RecordBatch): ConsumerBatch {
    const cursor = this.#cursor!
    const { highWatermark } = cursor.chunks[0]!
    const firstOffset = Math.max(cursor.position, first.baseOffset)
    const stored = [first]
    let lastOffset = Math.min(first.lastOffset, firstOffset + this.#maxPollRecords - 1)
    if (lastOffset < first.lastOffset) {
      cursor.position = lastOffset + 1
      return new ConsumerBatch(stored, cursor.topic, cursor.partition, firstOffset, lastOffset, highWatermark)
    }
    this.#leaveBatch()
    for (let room = this.#maxPollRecords - first.recordCount; ;) {
      const next = this.#peekInChunk()
      if (next === null || next.recordCount > room || this.#mustLoad(next)) break
      stored.push(next)
      room -= next.recordCount
      lastOffset = next.lastOffset
      this.#leaveBatch()
    }
    return new ConsumerBatch(stored, cursor.topic, cursor.partition, firstOffset, lastOffset, highWatermark)
  }

  /** The next batch that has something for the application, opened; it stays the current one until `#leaveBatch`. */
  #peek(): RecordBatch | Loading | null {
    for (;;) {
      if (this.#cursor === null) {
        const next = this.#fetcher.ready[0]
        if (next === undefined) return null
        this.#cursor = next
      }
      const batch = this.#peekInChunk()
      if (batch !== null) return this.#mustLoad(batch) ? this.#load(batch) : batch
      this.#fetcher.consumed(this.#cursor)
      this.#cursor = null
    }
  }

  #peekInChunk(): RecordBatch | null {
    const cursor = this.#cursor!
    while (this.#batch === null) {
      const next = cursor.chunks[0]!.next()
      if (next === null) return null
      const { batch, isVisible } = next
      this.#batch = batch
      if (!isVisible || batch.recordCount === 0 || batch.lastOffset < cursor.position) this.#leaveBatch()
    }
    return this.#batch
  }

  /** All of the current batch was handed out, or is for nobody. Offsets that it once held and no longer does are passed as well. */
  #leaveBatch(): void {
    const cursor = this.#cursor!
    const batch = this.#batch!
    if (batch.lastOffset >= cursor.position) cursor.position = batch.lastOffset + 1
    cursor.positionEpoch = batch.partitionLeaderEpoch
    this.#batch = null
    this.#records = null
  }

  #mustLoad(batch: RecordBatch): boolean {
    return batch.sizeInBytes >= ASYNC_DECOMPRESSION_BYTES && batch.compression !== 'none' && !this.#loaded.has(batch)
  }

  #load(batch: RecordBatch): Loading {
    if (this.#loading?.batch === batch) return this.#loading.loading
    // A failure shows again when the batch is opened.
    const done = batch.load().catch(() => {})
    const loading = new Loading(done.then(() => void this.#loaded.add(batch)))
    this.#loading = { batch, loading }
    return loading
  }

  #unreadable(cause: unknown): UnreadableRecordError {
    const cursor = this.#cursor!
    this.#reset()
    this.#fetcher.discard(cursor)
    return new UnreadableRecordError(cursor.topic, cursor.partition, cursor.position, cause)
  }

  #reset(): void {
    this.#cursor = null
    this.#batch = null
    this.#records = null
  }
}
