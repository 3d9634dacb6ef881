import type { Clock, Timer } from './environment.ts'
import { MAX_TIMER_MS } from './limits.ts'

/**
 * Calls one function when the earliest of the times it was set to has come; one timer at most. It may ring early, when a time is too far off
 * for a timer: whoever is called looks at what is due, and sets it again.
 */
export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #timer: Timer | null = null
  #at = Infinity

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** Rings at `at`, in milliseconds since the epoch, or earlier if it was set to an earlier time. Infinity: no need to ring. */
  set(at: number): void {
    if (at >= this.#at) return
    this.#timer?.cancel()
    this.#at = at
    this.#timer = this.#clock.after(Math.min(Math.max(0, at - this.#clock.now()), MAX_TIMER_MS), () => {
      this.#at = Infinity
      this.#timer = null
      this.#ring()
    })
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#at = Infinity
  }
}
