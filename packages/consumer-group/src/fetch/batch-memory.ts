import { freeMemory, ownMemoryOf } from '@millrace/protocol/internal'
import { DISPOSABLE_BYTES_MAX } from '../limits.ts'
import type { FetchedAnswer } from './fetched-answer.ts'

/** What a reader of batches does with them. */
export interface ReadingHabit {
  /** Whether batches were disposed of so far. */
  disposes: boolean
}

/** What one batch reads: its part of an answer, and what it was decompressed to. It goes when its last holder says `free`, or when the garbage collector finds it. */
export class BatchMemory {
  readonly #habit: ReadingHabit
  /** Null when something of it is in hands that never give it back. */
  #answer: FetchedAnswer | null
  #decompressed: ArrayBuffer[] = []
  #decompressedBytes = 0
  #holders = 1
  #isFreed = false

  constructor(answer: FetchedAnswer, habit: ReadingHabit) {
    this.#answer = answer
    this.#habit = habit
    answer.lend()
  }

  /** Nothing can be read any more. */
  get isFreed(): boolean {
    return this.#isFreed
  }

  /**
   * The batch was decompressed to these bytes, which no other reads. Held for `free`: only if that is to be expected, and within a bound, since all that a batch
   * is decompressed to may be hundreds of times what was fetched. The rest is left to the collector at once.
   */
  addDecompressed(bytes: Buffer): void {
    if (!this.#habit.disposes || this.#answer === null) return
    const memory = ownMemoryOf(bytes)
    if (memory === null || this.#decompressedBytes + memory.byteLength > DISPOSABLE_BYTES_MAX) return
    this.#decompressedBytes += memory.byteLength
    this.#decompressed.push(memory)
  }

  /** Somebody else reads it, too, and will say `free` as well. */
  hold(): void {
    this.#holders++
  }

  /** Somebody keeps something of it: `free` does nothing from now on. */
  keep(): void {
    this.#answer = null
    this.#decompressed = []
  }

  free(): void {
    if (--this.#holders > 0 || this.#answer === null) return
    this.#habit.disposes = true
    this.#answer.giveBack()
    for (const memory of this.#decompressed) freeMemory(memory)
    this.#answer = null
    this.#isFreed = true
  }
}
