import { COMPRESSION_ESTIMATE_MARGIN, COMPRESSION_RATIO_STEP_DOWN, COMPRESSION_RATIO_STEP_UP } from './limits.ts'

/**
 * What a topic's records have lately been compressed to, as a part of their size: 1 until the first batch (Java: CompressionRatioEstimator).
 * It follows what gets worse at once and what gets better slowly, since a batch that turns out too large costs a round trip.
 */
export class CompressionRatio {
  #estimate = 1

  get estimate(): number {
    return this.#estimate
  }

  /** How many bytes of records are likely to be compressed to `bytes`; never less than `bytes`. */
  inputFor(bytes: number): number {
    return Math.max(bytes, Math.floor(bytes / (this.#estimate * COMPRESSION_ESTIMATE_MARGIN)))
  }

  observe(ratio: number): void {
    if (ratio > this.#estimate) this.#estimate = Math.max(this.#estimate + COMPRESSION_RATIO_STEP_UP, ratio)
    else this.#estimate = Math.max(this.#estimate - COMPRESSION_RATIO_STEP_DOWN, ratio)
  }

  /** A batch was too large for the broker: begins anew with the least hope (Java: RecordAccumulator.splitAndReenqueue). */
  batchWasTooLarge(ratio: number): void {
    this.#estimate = Math.max(1, ratio)
  }
}
