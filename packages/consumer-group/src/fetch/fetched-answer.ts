import { freeMemory, markOwnMemory, ownMemoryOf } from '@millrace/protocol/internal'

/** One answer of a broker. Its chunks are views of it, so that all of it stays in memory for the last record that is wanted. */
export class FetchedAnswer {
  readonly sizeInBytes: number
  /** Chunks of it that hold it, by the account of `FetchedMemory`. */
  holders = 0
  /** There was no room for it when it came: each chunk has memory of its own. */
  readonly #isDivided: boolean
  /** What it lies in, if nothing else does. Freed with its last reader. */
  #memory: ArrayBuffer | null = null
  /** Who may still read it, and will say when he does not any more. */
  #readers = 0

  constructor(sizeInBytes: number, isDivided = false) {
    this.sizeInBytes = sizeInBytes
    this.#isDivided = isDivided
  }

  /** What a chunk of these records, which are of this answer, is to be made of. */
  share(records: Buffer): { readonly answer: FetchedAnswer; readonly records: Buffer } {
    if (this.#isDivided && records.length < this.sizeInBytes) {
      const copy = Buffer.allocUnsafeSlow(records.length)
      records.copy(copy)
      return new FetchedAnswer(copy.length).share(markOwnMemory(copy))
    }
    this.#memory ??= ownMemoryOf(records)
    return { answer: this, records }
  }

  /** Somebody begins to read it. One who never gives it back leaves it to the garbage collector. */
  lend(): void {
    this.#readers++
  }

  /** Somebody has read it; the last one frees it. */
  giveBack(): void {
    this.#readers--
    if (this.#readers > 0 || this.#memory === null) return
    freeMemory(this.#memory)
    this.#memory = null
  }
}
