import type { SeededRandom } from './seeded-random.ts'

const SECTOR_BYTES = 512
/** Of the power failures that catch unsynced bytes, how many leave a hole before the end of what was kept. */
const HOLE_CHANCE = 0.3

/** The content of one file: what processes see, and what a power failure would leave of it. */
export class SimFile {
  #bytes: Buffer = Buffer.alloc(0)
  #size = 0
  /** Bytes from the start that are on the platter as they are in memory, when nothing before them was changed since. */
  #syncedSize = 0
  /** What is on the platter, when bytes that had been synced were changed since. */
  #synced: Buffer | null = null

  get size(): number {
    return this.#size
  }

  append(bytes: Buffer): void {
    const size = this.#size + bytes.length
    if (size > this.#bytes.length) {
      // A new buffer: views of the old one stay as they are.
      const grown = Buffer.alloc(Math.max(size, 2 * this.#bytes.length, 256))
      this.#bytes.copy(grown, 0, 0, this.#size)
      this.#bytes = grown
    }
    bytes.copy(this.#bytes, this.#size)
    this.#size = size
  }

  write(position: number, bytes: Buffer): void {
    this.#beforeChange()
    const size = Math.max(this.#size, position + bytes.length)
    const changed = Buffer.alloc(size)
    this.#bytes.copy(changed, 0, 0, this.#size)
    bytes.copy(changed, position)
    this.#bytes = changed
    this.#size = size
  }

  truncate(size: number): void {
    if (size >= this.#size) return
    this.#beforeChange()
    this.#bytes = Buffer.from(this.#bytes.subarray(0, size))
    this.#size = size
  }

  read(position: number, length: number): Buffer {
    return this.#bytes.subarray(Math.min(position, this.#size), Math.min(position + length, this.#size))
  }

  sync(): void {
    this.#syncedSize = this.#size
    this.#synced = null
  }

  /**
   * The power goes: synced bytes stay; of those appended since, a part from the front, perhaps with a sector in it that was
   * never written; of changes in place, all or nothing.
   */
  losePower(random: SeededRandom): void {
    const left = this.#synced === null ? this.#tornTail(random) : random.chance(0.5) ? this.#synced : this.read(0, this.#size)
    this.#bytes = Buffer.from(left)
    this.#size = left.length
    this.sync()
  }

  #tornTail(random: SeededRandom): Buffer {
    const unsynced = this.#size - this.#syncedSize
    const kept = Buffer.from(this.read(0, this.#syncedSize + random.between(0, unsynced)))
    const tornBytes = kept.length - this.#syncedSize
    if (tornBytes > 0 && random.chance(HOLE_CHANCE)) {
      const at = this.#syncedSize + random.between(0, tornBytes - 1)
      kept.fill(0, at, Math.min(at + SECTOR_BYTES, kept.length))
    }
    return kept
  }

  #beforeChange(): void {
    this.#synced ??= Buffer.from(this.#bytes.subarray(0, this.#syncedSize))
  }
}
