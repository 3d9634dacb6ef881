import { READ_SLAB_BYTES, READ_SLAB_MIN_READ_BYTES, READ_SLABS_KEPT } from '../limits.ts'

/** Where a read may put its bytes. */
export interface ReadTarget {
  /** Memory of exactly so many bytes; what is in it is undefined. */
  take(bytes: number): Buffer
}

/**
 * Memory for the reads of replies, used again once a reply is with the operating system. New memory for each of them costs more than the
 * read itself: V8 collects all garbage whenever 64 MiB outside its heap were given out, and the kernel clears every page.
 */
export class ReadMemory {
  readonly #free: Buffer[] = []

  /** For the reads of one reply. */
  lease(): ReadLease {
    return new ReadLease(this.#free)
  }
}

/** A lease that is never released is left to the garbage collector, and its slabs with it. */
export class ReadLease implements ReadTarget {
  readonly #free: Buffer[]
  readonly #slabs: Buffer[] = []
  #used = READ_SLAB_BYTES

  constructor(free: Buffer[]) {
    this.#free = free
  }

  take(bytes: number): Buffer {
    if (this.#used + bytes > READ_SLAB_BYTES) {
      // A slow client must not hold a slab for a few bytes.
      if (bytes < READ_SLAB_MIN_READ_BYTES || bytes > READ_SLAB_BYTES) return Buffer.allocUnsafeSlow(bytes)
      this.#slabs.push(this.#free.pop() ?? Buffer.allocUnsafeSlow(READ_SLAB_BYTES))
      this.#used = 0
    }
    const taken = this.#slabs.at(-1)!.subarray(this.#used, this.#used + bytes)
    this.#used += bytes
    return taken
  }

  /** Nobody looks at what was taken any more. */
  release(): void {
    for (const slab of this.#slabs.splice(0)) if (this.#free.length < READ_SLABS_KEPT) this.#free.push(slab)
    this.#used = READ_SLAB_BYTES
  }
}
