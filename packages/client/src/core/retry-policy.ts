import { BACKOFF_JITTER, MAX_BACKOFF_DOUBLINGS } from '../limits.ts'

/**
 * Exponential backoff with jitter, as KIP-580 and Java's ExponentialBackoff: the first delay is about `initialMs`, each further
 * one is twice the one before it, none is above `maxMs`, and each is 20 % shorter or longer at random.
 */
export class RetryPolicy {
  readonly initialMs: number
  readonly maxMs: number

  constructor(initialMs: number, maxMs: number) {
    this.initialMs = Math.min(initialMs, maxMs)
    this.maxMs = maxMs
  }

  /**
   * @param attempt 0 before the first retry
   * @param random at least 0 and below 1
   */
  delayMs(attempt: number, random: number): number {
    const base = Math.min(this.initialMs * 2 ** Math.min(attempt, MAX_BACKOFF_DOUBLINGS), this.maxMs)
    const factor = 1 - BACKOFF_JITTER + 2 * BACKOFF_JITTER * random
    return Math.min(Math.round(base * factor), this.maxMs)
  }
}
