import type { Storage } from '../storage/storage.ts'
import { EntryTable } from './entry-table.ts'

/** u32 offset relative to the segment's base, u32 position in the log file. */
const ENTRY_BYTES = 8

/**
 * Which position in a segment's log file to start at when looking for an offset. Kafka's `OffsetIndex`: an entry holds the last
 * offset of a batch and where that batch begins; there is one for every `index.interval.bytes` of log.
 */
export class OffsetIndex {
  readonly #baseOffset: number
  readonly #table: EntryTable

  private constructor(baseOffset: number, table: EntryTable) {
    this.#baseOffset = baseOffset
    this.#table = table
  }

  static empty(storage: Storage, path: string, baseOffset: number): OffsetIndex {
    return new OffsetIndex(baseOffset, EntryTable.empty(storage, path, ENTRY_BYTES))
  }

  /** The index as the file has it, or null when the file is absent or cannot belong to a log of `logBytes`. */
  static load(storage: Storage, path: string, baseOffset: number, logBytes: number): OffsetIndex | null {
    const table = EntryTable.load(storage, path, ENTRY_BYTES)
    if (table === null) return null
    const index = new OffsetIndex(baseOffset, table)
    const last = table.count - 1
    const sane = last < 0 || (index.offsetAt(last) > baseOffset && index.positionAt(last) < logBytes)
    return sane ? index : null
  }

  get count(): number {
    return this.#table.count
  }

  get bytesUsed(): number {
    return this.#table.count * ENTRY_BYTES
  }

  offsetAt(entry: number): number {
    return this.#baseOffset + this.#table.bytes.readUInt32BE(entry * ENTRY_BYTES)
  }

  positionAt(entry: number): number {
    return this.#table.bytes.readUInt32BE(entry * ENTRY_BYTES + 4)
  }

  append(lastOffset: number, position: number): void {
    const at = this.#table.push()
    const bytes = this.#table.bytes
    bytes.writeUInt32BE(lastOffset - this.#baseOffset, at)
    bytes.writeUInt32BE(position, at + 4)
  }

  /** A position at or before the batch that holds `offset`, and not before the nearest entry. */
  lookup(offset: number): number {
    const relative = offset - this.#baseOffset
    const below = this.#table.partitionPoint((bytes, at) => bytes.readUInt32BE(at) <= relative)
    return below === 0 ? 0 : this.positionAt(below - 1)
  }

  /** The start of a batch at or before `position`, the nearest that has an entry; 0 when none has. */
  floorPosition(position: number): number {
    const below = this.#table.partitionPoint((bytes, at) => bytes.readUInt32BE(at + 4) <= position)
    return below === 0 ? 0 : this.positionAt(below - 1)
  }

  /** Drops the entries of `offset` and above. */
  truncateTo(offset: number): void {
    const relative = offset - this.#baseOffset
    this.#table.truncate(this.#table.partitionPoint((bytes, at) => bytes.readUInt32BE(at) < relative))
  }

  save(): void {
    this.#table.save()
  }

  unload(): void {
    this.#table.unload()
  }
}
