import { POOLED_MEMORY, SMALLEST_BUFFER_DIVISOR } from './limits.ts'

/** Buffers of batches that are done, for batches to come: of `batchSize`, of parts of it for small batches, and with compression of multiples. */
export class BufferPool {
  readonly #batchSize: number
  readonly #free = new Map<number, Buffer[]>()
  #freeBytes = 0

  readonly #mostBytes: number

  constructor(batchSize: number, bufferMemory: number) {
    this.#batchSize = batchSize
    this.#mostBytes = bufferMemory * POOLED_MEMORY
  }

  take(size: number): Buffer | undefined {
    const buffer = this.#free.get(size)?.pop()
    if (buffer !== undefined) this.#freeBytes -= size
    return buffer
  }

  /** Keeps the buffer if its size is a usual one and there is room. Nobody else may hold it. */
  give(buffer: Buffer): void {
    const size = buffer.length
    if (!this.#isUsual(size) || size > this.#mostBytes) return
    let same = this.#free.get(size)
    if (this.#freeBytes + size > this.#mostBytes) {
      if (same !== undefined && same.length > 0) return
      // Full of sizes that are not asked for any more.
      this.#free.clear()
      this.#freeBytes = 0
      same = undefined
    }
    if (same === undefined) this.#free.set(size, [buffer])
    else same.push(buffer)
    this.#freeBytes += size
  }

  /** One that batches begin with or grow to, and not made to measure for a large record. */
  #isUsual(size: number): boolean {
    return (
      size > 0 &&
      (size % this.#batchSize === 0 || (size * SMALLEST_BUFFER_DIVISOR >= this.#batchSize && this.#batchSize % size === 0))
    )
  }
}
