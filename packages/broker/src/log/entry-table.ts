import type { Storage } from '../storage/storage.ts'

const INITIAL_ENTRIES = 64

/**
 * The entries of an index file, of one fixed size each. Unlike Kafka, which maps a preallocated file, the entries of an active
 * segment live in memory and reach the file when the segment is rolled or closed: after a crash the index is rebuilt from
 * the log in any case. A file that a crashed Kafka left preallocated is read up to its first empty entry.
 */
export class EntryTable {
  readonly path: string
  readonly #storage: Storage
  readonly #entryBytes: number
  #bytes: Buffer | null
  #count: number
  #saved: boolean

  private constructor(storage: Storage, path: string, entryBytes: number, bytes: Buffer, saved: boolean) {
    this.#storage = storage
    this.path = path
    this.#entryBytes = entryBytes
    this.#bytes = bytes
    this.#count = Math.floor(bytes.length / entryBytes)
    this.#saved = saved
    while (this.#count > 0 && this.#isZero(this.#count - 1)) this.#count--
  }

  /** An index without entries; what the file may hold is replaced at the next `save`. */
  static empty(storage: Storage, path: string, entryBytes: number): EntryTable {
    return new EntryTable(storage, path, entryBytes, Buffer.alloc(0), false)
  }

  /** The index in the file, or null when there is no file or it does not hold whole entries. */
  static load(storage: Storage, path: string, entryBytes: number): EntryTable | null {
    const bytes = storage.readFile(path)
    if (bytes === null || bytes.length % entryBytes !== 0) return null
    return new EntryTable(storage, path, entryBytes, bytes, true)
  }

  get count(): number {
    return this.#count
  }

  /** The bytes that hold the entries, loaded when they were dropped; valid until the next call. */
  get bytes(): Buffer {
    if (this.#bytes === null) this.#bytes = this.#storage.readFile(this.path) ?? Buffer.alloc(0)
    return this.#bytes
  }

  /** Makes room for one more entry and returns its position in `bytes`. */
  push(): number {
    const position = this.#count * this.#entryBytes
    let bytes = this.bytes
    if (bytes.length < position + this.#entryBytes) {
      const grown = Buffer.allocUnsafeSlow(Math.max(position * 2, INITIAL_ENTRIES * this.#entryBytes))
      bytes.copy(grown, 0, 0, position)
      bytes = grown
    }
    this.#bytes = bytes
    this.#count++
    this.#saved = false
    return position
  }

  /** Keeps the first `count` entries. */
  truncate(count: number): void {
    if (count >= this.#count) return
    // Loaded first: what the file holds beyond `count` must not come back.
    this.#bytes = Buffer.from(this.bytes.subarray(0, count * this.#entryBytes))
    this.#count = count
    this.#saved = false
  }

  /** The number of leading entries for which `isBelow` holds; it must hold for none after the first for which it does not. */
  partitionPoint(isBelow: (bytes: Buffer, position: number) => boolean): number {
    const bytes = this.bytes
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isBelow(bytes, middle * this.#entryBytes)) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Writes the entries to the file when it does not hold them yet. */
  save(): void {
    if (this.#saved) return
    const file = this.#storage.open(this.path)
    try {
      file.truncate(0)
      file.append(this.bytes.subarray(0, this.#count * this.#entryBytes))
    } finally {
      file.close()
    }
    this.#saved = true
  }

  /** Forgets the entries in memory; the next use reads them from the file. */
  unload(): void {
    if (this.#saved) this.#bytes = null
  }

  #isZero(index: number): boolean {
    const from = index * this.#entryBytes
    for (let at = from; at < from + this.#entryBytes; at++) if (this.#bytes![at] !== 0) return false
    return true
  }
}
