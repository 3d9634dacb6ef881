import { StorageError } from '../storage/storage.ts'
import type { Segment } from './segment.ts'

/**
 * Brings a log's segments to the disk, one flush at a time: what is appended while one runs waits for the next, which is then one for
 * all of it (group commit).
 */
export class Flusher {
  readonly #segments: readonly Segment[]
  readonly #onFlushed: () => void
  #recoveryPoint: number
  #isRunning = false
  #failure: StorageError | null = null

  /** `segments` is the log's own list, changing under it. `onFlushed` is called after each background flush, also one that failed. */
  constructor(segments: readonly Segment[], recoveryPoint: number, onFlushed: () => void) {
    this.#segments = segments
    this.#recoveryPoint = recoveryPoint
    this.#onFlushed = onFlushed
  }

  /** Everything below it is on the disk for certain. */
  get recoveryPoint(): number {
    return this.#recoveryPoint
  }

  /** A flush that failed. What the disk did not keep may be gone from the page cache too, so trying again could report a success that is none. */
  get failure(): StorageError | null {
    return this.#failure
  }

  /** Begins a flush up to `end`, the log end offset, unless one is running or there is nothing to flush. */
  start(end: number): void {
    if (this.#isRunning || this.#failure !== null) return
    const dirty = this.#dirtySegments(end)
    let pending = dirty.length
    if (pending === 0) return
    this.#isRunning = true
    for (const { file } of dirty) {
      file.syncInBackground((error) => {
        if (error !== null) this.#failure ??= error
        if (--pending > 0) return
        this.#isRunning = false
        if (this.#failure === null) this.#recoveryPoint = Math.max(this.#recoveryPoint, end)
        this.#onFlushed()
      })
    }
  }

  /** Flushes up to `end` before it returns. Throws StorageError, and then counts as failed. */
  now(end: number): void {
    if (this.#failure !== null) throw this.#failure
    try {
      for (const { file } of this.#dirtySegments(end)) file.sync()
    } catch (error) {
      this.#failure = error instanceof StorageError ? error : new StorageError('flush', 'the log', error)
      throw this.#failure
    }
    this.#recoveryPoint = Math.max(this.#recoveryPoint, end)
  }

  #dirtySegments(end: number): Segment[] {
    return this.#segments.filter((segment, index) => {
      const next = this.#segments[index + 1]?.baseOffset ?? end
      return segment.size > 0 && next > this.#recoveryPoint
    })
  }
}
