import { KafkaError } from '@millrace/protocol'
import { isA } from '@millrace/protocol/internal'
import type { KafkaRecord, RecordBatch } from '@millrace/records/internal'
import type { RecordDecoder } from '../delivery/record-decoder.ts'
import { UnreadableRecordError } from '../errors.ts'
import { ASYNC_DECOMPRESSION_BYTES } from '../limits.ts'
import { BatchMemory, type ReadingHabit } from './batch-memory.ts'
import { ConsumerBatch } from './consumer-batch.ts'
import type { FetchedAnswer } from './fetched-answer.ts'
import type { Fetcher } from './fetcher.ts'
import type { PartitionCursor } from './partition-cursor.ts'

/** Large compressed bytes come first: ask again once `done`. */
export class Loading {
  readonly done: Promise<void>

  constructor(done: Promise<void>) {
    this.done = done
  }
}

const DISPOSING: ReadingHabit = { disposes: true }

/**
 * Hands out what is buffered, record by record or batch by batch, of one partition or of all, one partition's chunk after another's; moves the
 * partitions' positions along, and notes what is in hand.
 */
export class RecordFeed {
  readonly #fetcher: Fetcher
  readonly #maxPollRecords: number
  readonly #decoder: RecordDecoder | null
  /** Compressed batches that are, or were, decompressed ahead. */
  readonly #loads = new WeakMap<RecordBatch, { readonly loading: Loading; isDone: boolean }>()
  readonly #habit: ReadingHabit = { disposes: false }
  /** The partition whose turn it is. */
  #cursor: PartitionCursor | null = null

  /** @param decoder for batches; single records are handed out as they are stored */
  constructor(fetcher: Fetcher, maxPollRecords: number, decoder: RecordDecoder | null = null) {
    this.#fetcher = fetcher
    this.#maxPollRecords = maxPollRecords
    this.#decoder = decoder
  }

  /** The partition of what was handed out last, of all partitions. */
  get cursor(): PartitionCursor {
    return this.#cursor!
  }

  /**
   * The next record of any partition; null when nothing is buffered.
   * @param disposes whether the record before it was handled, and its memory may go
   * @throws {UnreadableRecordError}
   */
  nextRecord(disposes: boolean = false): KafkaRecord | Loading | null {
    for (;;) {
      const cursor = this.#cursor ?? this.#choose()
      if (cursor === null) return null
      const record = this.#recordOf(cursor, disposes)
      if (record !== null) return record
    }
  }

  /**
   * Stored batches of one chunk of any partition with together at most `maxPollRecords` records, as one; null when nothing is buffered.
   * @throws {UnreadableRecordError}
   */
  nextBatch(): ConsumerBatch | Loading | null {
    for (;;) {
      const cursor = this.#cursor ?? this.#choose()
      if (cursor === null) return null
      const batch = this.#batchOf(cursor)
      if (batch !== null) return batch
    }
  }

  /** As `nextRecord`, of this partition. */
  nextRecordOf(cursor: PartitionCursor, disposes: boolean = false): KafkaRecord | Loading | null {
    while (cursor.chunks.length > 0 && cursor.isReadable) {
      const record = this.#recordOf(cursor, disposes)
      if (record !== null) return record
    }
    return null
  }

  /** As `nextBatch`, of this partition. */
  nextBatchOf(cursor: PartitionCursor): ConsumerBatch | Loading | null {
    while (cursor.chunks.length > 0 && cursor.isReadable) {
      const batch = this.#batchOf(cursor)
      if (batch !== null) return batch
    }
    return null
  }

  /** Nothing of it may be handed out now: it is paused, was moved or is not ours any more. */
  leave(cursor: PartitionCursor): void {
    if (this.#cursor === cursor) this.#cursor = null
  }

  #choose(): PartitionCursor | null {
    for (const cursor of this.#fetcher.ready) if (cursor.isReadable) return (this.#cursor = cursor)
    return null
  }

  /** The next record of the first chunk; null when it has none left, and is gone. */
  #recordOf(cursor: PartitionCursor, disposes: boolean): KafkaRecord | Loading | null {
    try {
      if (!disposes) cursor.keepMemory()
      for (;;) {
        const record = cursor.records === null ? null : cursor.records.next()
        if (record !== null) {
          const { offset } = record
          if (offset < cursor.position) continue
          cursor.handOut(offset, offset + 1)
          return record
        }
        if (cursor.records !== null) leaveBatch(cursor)
        const batch = this.#peek(cursor)
        if (batch === null || batch instanceof Loading) return batch
        this.#open(cursor, batch, disposes)
      }
    } catch (error) {
      throw this.#unreadable(cursor, error)
    }
  }

  /** Its records are to be handed out one by one. */
  #open(cursor: PartitionCursor, batch: RecordBatch, disposes: boolean): void {
    cursor.records = batch.cursor()
    const { answer } = cursor.chunks[0]!
    // Who keeps records does not say when he has read them.
    if (!disposes) return answer.lend()
    cursor.memory = new BatchMemory(answer, DISPOSING)
    // What was handed out of it as a batch may be read still.
    const isUntouched = cursor.position <= batch.baseOffset
    if (batch.compression !== 'none' && isUntouched) cursor.memory.addDecompressed(batch.recordBytes)
  }

  #batchOf(cursor: PartitionCursor): ConsumerBatch | Loading | null {
    try {
      cursor.keepMemory()
      cursor.records = null
      const first = this.#peek(cursor)
      if (first === null || first instanceof Loading) return first
      return this.#collect(cursor, first)
    } catch (error) {
      throw this.#unreadable(cursor, error)
    }
  }

  #collect(cursor: PartitionCursor, first: RecordBatch): ConsumerBatch {
    const { answer, highWatermark } = cursor.chunks[0]!
    const firstOffset = Math.max(cursor.position, first.baseOffset)
    const stored = [first]
    let lastOffset = Math.min(first.lastOffset, firstOffset + this.#maxPollRecords - 1)
    const isWhole = lastOffset === first.lastOffset
    cursor.handOut(firstOffset, lastOffset + 1)
    if (isWhole) {
      leaveBatch(cursor)
      for (let room = this.#maxPollRecords - first.recordCount; ;) {
        const next = this.#peekInChunk(cursor)
        if (next === null || next.recordCount > room || this.#mustLoad(next)) break
        stored.push(next)
        room -= next.recordCount
        lastOffset = next.lastOffset
        cursor.handOut(next.baseOffset, lastOffset + 1)
        leaveBatch(cursor)
      }
    }
    const memory = new BatchMemory(answer, this.#habit)
    return new ConsumerBatch(stored, cursor, firstOffset, lastOffset, highWatermark, this.#decoder, memory)
  }

  /** The next batch of the first chunk that has something for the application, opened; it stays the current one until `leaveBatch`. */
  #peek(cursor: PartitionCursor): RecordBatch | Loading | null {
    const batch = this.#peekInChunk(cursor)
    if (batch !== null) return this.#mustLoad(batch) ? this.#load(batch, cursor.chunks[0]!.answer) : batch
    this.#fetcher.consumed(cursor)
    // Whoever read it to its end, of all partitions or of this one: nobody is to look for more in it.
    this.leave(cursor)
    return null
  }

  #peekInChunk(cursor: PartitionCursor): RecordBatch | null {
    while (cursor.batch === null) {
      const next = cursor.chunks[0]!.next(cursor.position)
      if (next === null) return null
      const { batch, isVisible } = next
      cursor.batch = batch
      cursor.batchEpoch = batch.partitionLeaderEpoch
      if (!isVisible || batch.recordCount === 0 || batch.lastOffset < cursor.position) leaveBatch(cursor)
    }
    return cursor.batch
  }

  #mustLoad(batch: RecordBatch): boolean {
    if (batch.sizeInBytes < ASYNC_DECOMPRESSION_BYTES || batch.compression === 'none') return false
    return this.#loads.get(batch)?.isDone !== true
  }

  #load(batch: RecordBatch, answer: FetchedAnswer): Loading {
    const known = this.#loads.get(batch)
    if (known !== undefined) return known.loading
    // Other threads read it, whatever becomes of the partition meanwhile, and after a failure some may still do.
    answer.lend()
    // A failure shows again when the batch is opened.
    const done = batch.load().then(() => answer.giveBack(), noop)
    const load = { loading: new Loading(done.then(() => void (load.isDone = true))), isDone: false }
    this.#loads.set(batch, load)
    return load.loading
  }

  #unreadable(cursor: PartitionCursor, cause: unknown): UnreadableRecordError {
    const nextOffset = cursor.batch === null ? cursor.chunks[0]!.offsetAfterDamage() : cursor.batch.lastOffset + 1
    this.leave(cursor)
    this.#fetcher.discard(cursor)
    // What is no error of the data, such as a lack of memory, is no reason to pass it by.
    const isAhead = isA(cause, KafkaError) && nextOffset > cursor.position
    return new UnreadableRecordError(cursor.topic, cursor.partition, cursor.position, isAhead ? nextOffset : -1, cause)
  }
}

/**
 * All of the current batch was handed out, or is for nobody. Offsets that it once held and no longer does are passed as well. Where its records are disposed of, they have been handled by now:
 * such a loop asks for the next one only then.
 */
function leaveBatch(cursor: PartitionCursor): void {
  const batch = cursor.batch!
  if (batch.lastOffset >= cursor.position) cursor.position = batch.lastOffset + 1
  cursor.positionEpoch = cursor.batchEpoch
  cursor.batch = null
  cursor.records = null
  cursor.memory?.free()
  cursor.memory = null
}

function noop(): void {}
