import type { Clock, Timer } from './clock.ts'

/** Calls one function when the earliest of the times it was set to has come; one timer at most. */
export class Alarm {
  readonly #clock: Clock
  readonly #ring: (now: number) => void
  #timer: Timer | null = null
  #at = Infinity

  constructor(clock: Clock, ring: (now: number) => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** Rings at `at`, or earlier if it was set to an earlier time. */
  set(at: number): void {
    if (at >= this.#at) return
    this.#timer?.cancel()
    this.#at = at
    this.#timer = this.#clock.after(Math.max(0, at - this.#clock.now()), () => {
      this.#at = Infinity
      this.#timer = null
      this.#ring(this.#clock.now())
    })
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#at = Infinity
  }
}
