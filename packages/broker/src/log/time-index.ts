import type { Storage } from '../storage/storage.ts'
import { EntryTable } from './entry-table.ts'

/** i64 timestamp, u32 offset relative to the segment's base. */
const ENTRY_BYTES = 12

/**
 * From which offset on a segment may hold records of a timestamp or later. Kafka's `TimeIndex`: an entry holds the largest timestamp
 * so far and the last offset of the batch it was in; both only ever grow.
 */
export class TimeIndex {
  readonly #baseOffset: number
  readonly #table: EntryTable

  private constructor(baseOffset: number, table: EntryTable) {
    this.#baseOffset = baseOffset
    this.#table = table
  }

  static empty(storage: Storage, path: string, baseOffset: number): TimeIndex {
    return new TimeIndex(baseOffset, EntryTable.empty(storage, path, ENTRY_BYTES))
  }

  /** The index as the file has it, or null when the file is absent or no time index of this segment. */
  static load(storage: Storage, path: string, baseOffset: number, nextOffset: number): TimeIndex | null {
    const table = EntryTable.load(storage, path, ENTRY_BYTES)
    if (table === null) return null
    const index = new TimeIndex(baseOffset, table)
    const last = table.count - 1
    if (last < 0) return index
    const sane = index.timestampAt(last) >= index.timestampAt(0) && index.offsetAt(last) < nextOffset
    return sane ? index : null
  }

  get count(): number {
    return this.#table.count
  }

  get bytesUsed(): number {
    return this.#table.count * ENTRY_BYTES
  }

  /** The largest timestamp in the index; -1 when it has no entry. */
  get lastTimestamp(): number {
    return this.#table.count === 0 ? -1 : this.timestampAt(this.#table.count - 1)
  }

  /** The offset that goes with `lastTimestamp`; the segment's base offset when there is no entry. */
  get lastOffset(): number {
    return this.#table.count === 0 ? this.#baseOffset : this.offsetAt(this.#table.count - 1)
  }

  timestampAt(entry: number): number {
    return Number(this.#table.bytes.readBigInt64BE(entry * ENTRY_BYTES))
  }

  offsetAt(entry: number): number {
    return this.#baseOffset + this.#table.bytes.readUInt32BE(entry * ENTRY_BYTES + 8)
  }

  /** Adds an entry if the timestamp is larger than all before. */
  maybeAppend(timestamp: number, offset: number): void {
    if (timestamp <= this.lastTimestamp) return
    const at = this.#table.push()
    const bytes = this.#table.bytes
    bytes.writeBigInt64BE(BigInt(timestamp), at)
    bytes.writeUInt32BE(offset - this.#baseOffset, at + 8)
  }

  /** An offset before which no record has `timestamp` or a later one. */
  lookup(timestamp: number): number {
    const target = BigInt(timestamp)
    const below = this.#table.partitionPoint((bytes, at) => bytes.readBigInt64BE(at) < target)
    return below === 0 ? this.#baseOffset : this.offsetAt(below - 1)
  }

  /** Drops the entries of `offset` and above. */
  truncateTo(offset: number): void {
    const relative = offset - this.#baseOffset
    this.#table.truncate(this.#table.partitionPoint((bytes, at) => bytes.readUInt32BE(at + 8) < relative))
  }

  save(): void {
    this.#table.save()
  }

  unload(): void {
    this.#table.unload()
  }
}
