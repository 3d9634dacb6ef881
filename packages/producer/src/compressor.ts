import type { CompressionType } from '@millrace/records/internal'
import type { Clock } from '@millrace/client/internal'
import type { Accumulator } from './accumulator.ts'
import { COMPRESSION_TURN_MS, COMPRESSIONS_OFF_LOOP_MAX } from './limits.ts'
import type { ProducerBatch } from './producer-batch.ts'

interface CompressorOptions {
  readonly compressionType: CompressionType
  readonly compressionLevel: number | undefined
  readonly clock: Clock
  readonly accumulator: Accumulator
  failed(batch: ProducerBatch, error: unknown): void
  /** A batch is ready, or it is time to go on. */
  changed(): void
}

/**
 * Compresses the batches that were closed: small ones right away, for a few milliseconds at a time, and large ones off the event loop, a few at
 * once (docs/decisions/0008). Small ones never wait for large ones; the order of a partition's batches is its queue's concern.
 */
export class Compressor {
  readonly #options: CompressorOptions
  readonly #seal: { readonly compression: CompressionType; readonly compressionLevel?: number }
  #small: ProducerBatch[] = []
  #large: ProducerBatch[] = []
  #offLoop = 0
  #isContinuing = false

  constructor(options: CompressorOptions) {
    const { compressionType: compression, compressionLevel } = options
    this.#options = options
    this.#seal = compressionLevel === undefined ? { compression } : { compression, compressionLevel }
  }

  /** Compresses what may be now; true if a batch is ready that was not. */
  run(): boolean {
    const { toCompress } = this.#options.accumulator
    for (const batch of toCompress.splice(0)) {
      if (batch.state !== 'compressing') continue
      if (batch.builder!.isWorthSealingOffLoop(this.#seal)) this.#large.push(batch)
      else this.#small.push(batch)
    }
    this.#startLarge()
    return this.#small.length > 0 && this.#compressSmall()
  }

  #compressSmall(): boolean {
    const { accumulator, clock } = this.#options
    const until = clock.now() + COMPRESSION_TURN_MS
    let next = 0
    while (next < this.#small.length) {
      const batch = this.#small[next++]!
      if (batch.state !== 'compressing') continue
      try {
        accumulator.compressed(batch, batch.builder!.seal(this.#seal))
      } catch (error) {
        this.#options.failed(batch, error)
      }
      if (clock.now() >= until) break
    }
    this.#small = this.#small.slice(next)
    if (this.#small.length > 0) this.#continueLater()
    return true
  }

  /** Lets sockets and timers have their turn first. */
  #continueLater(): void {
    if (this.#isContinuing) return
    this.#isContinuing = true
    this.#options.clock.after(0, () => {
      this.#isContinuing = false
      this.#options.changed()
    })
  }

  #startLarge(): void {
    while (this.#offLoop < COMPRESSIONS_OFF_LOOP_MAX && this.#large.length > 0) {
      const batch = this.#large.shift()!
      if (batch.state === 'compressing') void this.#compressOffLoop(batch)
    }
  }

  async #compressOffLoop(batch: ProducerBatch): Promise<void> {
    const { accumulator } = this.#options
    this.#offLoop++
    try {
      accumulator.compressed(batch, await batch.builder!.sealAsync(this.#seal))
    } catch (error) {
      this.#options.failed(batch, error)
    }
    this.#offLoop--
    this.#options.changed()
  }
}
