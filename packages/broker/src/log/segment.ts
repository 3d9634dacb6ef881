import { baseOffset, lastOffset, maxTimestamp, verifyBatch } from '@millrace/records/internal'
import type { Storage, StorageFile } from '../storage/storage.ts'
import { BatchScanner } from './batch-scanner.ts'
import { LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX, offsetFileName } from './log-files.ts'
import { OffsetIndex } from './offset-index.ts'
import { TimeIndex } from './time-index.ts'

/** Offsets in the indexes are 32 bits relative to the segment's base, and Kafka reads them signed. */
const RELATIVE_OFFSET_MAX = 0x7fff_ffff
const OFFSET_ENTRY_BYTES = 8
const TIME_ENTRY_BYTES = 12

/** A batch that recovery found sound. */
export type BatchVisitor = (buffer: Buffer, at: number) => void

/**
 * One file of a log with its two indexes: Kafka's `LogSegment`. It knows nothing of what offsets mean to clients; it keeps batches in order.
 */
export class Segment {
  readonly baseOffset: number
  readonly file: StorageFile
  /** When this broker created or opened it, milliseconds since 1970. */
  readonly openedAt: number
  readonly #storage: Storage
  readonly #directory: string
  #offsetIndex: OffsetIndex
  #timeIndex: TimeIndex
  #maxTimestamp = -1
  #offsetOfMaxTimestamp: number
  #firstTimestamp: number | null = null
  #bytesSinceIndexEntry = 0

  private constructor(storage: Storage, directory: string, baseOffset: number, now: number) {
    this.#storage = storage
    this.#directory = directory
    this.baseOffset = baseOffset
    this.openedAt = now
    this.file = storage.open(this.#path(LOG_SUFFIX))
    this.#offsetOfMaxTimestamp = baseOffset
    this.#offsetIndex = OffsetIndex.empty(storage, this.#path(OFFSET_INDEX_SUFFIX), baseOffset)
    this.#timeIndex = TimeIndex.empty(storage, this.#path(TIME_INDEX_SUFFIX), baseOffset)
  }

  /** A new segment without batches. Leftovers under its name are emptied. */
  static create(storage: Storage, directory: string, baseOffset: number, now: number): Segment {
    const segment = new Segment(storage, directory, baseOffset, now)
    segment.file.truncate(0)
    // Kafka expects the index files of the active segment to exist, whatever is in them.
    segment.#saveIndexes()
    return segment
  }

  /**
   * The segment in the files. `sound` says whether its indexes can be used; when it is false the caller must call `recover`.
   * `nextOffset` is the base offset of the segment after it, or Infinity.
   */
  static open(
    storage: Storage,
    directory: string,
    baseOffset: number,
    nextOffset: number,
    now: number,
  ): { segment: Segment; sound: boolean } {
    const segment = new Segment(storage, directory, baseOffset, now)
    const offsets = OffsetIndex.load(storage, segment.#path(OFFSET_INDEX_SUFFIX), baseOffset, segment.file.size)
    const times = TimeIndex.load(storage, segment.#path(TIME_INDEX_SUFFIX), baseOffset, nextOffset)
    // An empty time index beside a log with batches is what a lost one looks like: closing always writes an entry.
    const sound = offsets !== null && times !== null && (segment.file.size === 0 || times.count > 0)
    if (!sound) return { segment, sound }
    segment.#offsetIndex = offsets
    segment.#timeIndex = times
    segment.#maxTimestamp = times.lastTimestamp
    segment.#offsetOfMaxTimestamp = times.lastOffset
    return { segment, sound }
  }

  get size(): number {
    return this.file.size
  }

  /** The largest timestamp of its batches; -1 when there is none. */
  get maxTimestamp(): number {
    return this.#maxTimestamp
  }

  /** The last offset of the batch that `maxTimestamp` is in, as the time index has it. */
  get offsetOfMaxTimestamp(): number {
    return this.#offsetOfMaxTimestamp
  }

  /** The largest timestamp of its first batch, from which `segment.ms` counts; null when it is empty or has none. */
  get firstTimestamp(): number | null {
    if (this.#firstTimestamp === null && this.file.size > 0) {
      const scanner = new BatchScanner(this.file, 0, this.file.size, 1)
      const timestamp = scanner.next() ? maxTimestamp(scanner.buffer, scanner.at) : -1
      if (timestamp >= 0) this.#firstTimestamp = timestamp
    }
    return this.#firstTimestamp
  }

  /** Whether a batch that ends at this offset can be indexed here. */
  holdsOffset(offset: number): boolean {
    return offset - this.baseOffset <= RELATIVE_OFFSET_MAX
  }

  /** Whether an index has reached `segment.index.bytes`; the time index keeps a place for the entry made on rolling. */
  indexIsFull(indexBytes: number): boolean {
    return (
      this.#offsetIndex.bytesUsed + OFFSET_ENTRY_BYTES > indexBytes ||
      this.#timeIndex.bytesUsed + 2 * TIME_ENTRY_BYTES > indexBytes
    )
  }

  /** Adds one batch. Its offsets must follow those before; throws StorageError, and then nothing has changed. */
  append(batch: Buffer, batchLastOffset: number, batchMaxTimestamp: number, indexIntervalBytes: number): void {
    const position = this.file.size
    this.file.append(batch)
    this.#indexBatch(batchLastOffset, batchMaxTimestamp, position, batch.length, indexIntervalBytes)
  }

  /** A position at or before the batch that holds `offset`. */
  positionBefore(offset: number): number {
    return this.#offsetIndex.lookup(offset)
  }

  /** Where some batch begins, at or before `position` and near it. */
  batchStartBefore(position: number): number {
    return this.#offsetIndex.floorPosition(position)
  }

  /** An offset before which nothing in this segment is as late as `timestamp`. */
  offsetBefore(timestamp: number): number {
    return this.#timeIndex.lookup(timestamp)
  }

  /** The offset after the last batch. */
  nextOffset(): number {
    const scanner = new BatchScanner(this.file, this.#lastIndexedPosition())
    let next = this.baseOffset
    while (scanner.next()) next = lastOffset(scanner.buffer, scanner.at) + 1
    return next
  }

  /**
   * Reads all batches, rebuilds both indexes, and cuts the file at the first batch that is incomplete or corrupt, or whose offsets
   * go back. Returns the number of bytes cut off.
   */
  recover(indexIntervalBytes: number, visit: BatchVisitor): number {
    this.#resetIndexes()
    const scanner = new BatchScanner(this.file)
    let next = this.baseOffset
    while (scanner.next()) {
      if (!scanner.load()) break
      const { buffer, at } = scanner
      if (!isSound(buffer, at, scanner.size) || baseOffset(buffer, at) < next) break
      const last = lastOffset(buffer, at)
      if (!this.holdsOffset(last)) break
      visit(buffer, at)
      this.#indexBatch(last, maxTimestamp(buffer, at), scanner.position, scanner.size, indexIntervalBytes)
      next = last + 1
    }
    const cut = this.file.size - scanner.position
    this.file.truncate(scanner.position)
    this.#timeIndex.maybeAppend(this.#maxTimestamp, this.#offsetOfMaxTimestamp)
    this.#saveIndexes()
    return cut
  }

  /** Removes the batches from `position` in the file on, whose first offset is `offset`. */
  truncateAt(position: number, offset: number): void {
    this.file.truncate(position)
    this.#offsetIndex.truncateTo(offset)
    this.#timeIndex.truncateTo(offset)
    this.#firstTimestamp = null
    this.#maxTimestamp = this.#timeIndex.lastTimestamp
    this.#offsetOfMaxTimestamp = this.#timeIndex.lastOffset
    const scanner = new BatchScanner(this.file, this.#lastIndexedPosition())
    while (scanner.next()) this.#noteTimestamp(maxTimestamp(scanner.buffer, scanner.at), lastOffset(scanner.buffer, scanner.at))
  }

  /** Brings the index files up to date, with the entry for the largest timestamp that Kafka makes when it rolls or closes a segment. */
  saveIndexes(): void {
    this.#timeIndex.maybeAppend(this.#maxTimestamp, this.#offsetOfMaxTimestamp)
    this.#saveIndexes()
  }

  /** Drops the index entries from memory; a lookup brings them back. For a segment that is not appended to any more. */
  unloadIndexes(): void {
    this.#offsetIndex.unload()
    this.#timeIndex.unload()
  }

  close(): void {
    this.file.close()
  }

  /** Closes and removes the files. */
  delete(): void {
    this.file.close()
    for (const suffix of [LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX]) {
      this.#storage.remove(this.#path(suffix))
    }
  }

  #indexBatch(last: number, timestamp: number, position: number, size: number, indexIntervalBytes: number): void {
    this.#noteTimestamp(timestamp, last)
    if (this.#bytesSinceIndexEntry > indexIntervalBytes) {
      this.#offsetIndex.append(last, position)
      this.#timeIndex.maybeAppend(this.#maxTimestamp, this.#offsetOfMaxTimestamp)
      this.#bytesSinceIndexEntry = 0
    }
    this.#bytesSinceIndexEntry += size
  }

  #noteTimestamp(timestamp: number, offset: number): void {
    if (timestamp <= this.#maxTimestamp) return
    this.#maxTimestamp = timestamp
    this.#offsetOfMaxTimestamp = offset
  }

  #lastIndexedPosition(): number {
    return this.#offsetIndex.count === 0 ? 0 : this.#offsetIndex.positionAt(this.#offsetIndex.count - 1)
  }

  #resetIndexes(): void {
    this.#offsetIndex = OffsetIndex.empty(this.#storage, this.#path(OFFSET_INDEX_SUFFIX), this.baseOffset)
    this.#timeIndex = TimeIndex.empty(this.#storage, this.#path(TIME_INDEX_SUFFIX), this.baseOffset)
    this.#maxTimestamp = -1
    this.#offsetOfMaxTimestamp = this.baseOffset
    this.#firstTimestamp = null
    this.#bytesSinceIndexEntry = 0
  }

  #saveIndexes(): void {
    this.#offsetIndex.save()
    this.#timeIndex.save()
  }

  #path(suffix: string): string {
    return `${this.#directory}/${offsetFileName(this.baseOffset, suffix)}`
  }
}

function isSound(buffer: Buffer, at: number, size: number): boolean {
  try {
    verifyBatch(buffer, at, at + size)
    return true
  } catch {
    // Whatever is wrong with it, the log ends here: the caller reports how much was cut.
    return false
  }
}
