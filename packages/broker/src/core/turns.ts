/**
 * One thing at a time. A reply that completes in the middle of a state machine's step (the group hands out assignments, an append
 * wakes a parked fetch) lets its connection go on, and the next request there may change the very state that is being
 * stepped. So what follows a completion waits until the step is over.
 */
export class Turns {
  #depth = 0
  #waiting: (() => void)[] = []

  /** Runs a step; what it put off runs right after, in order, before the outermost `run` returns. */
  run(step: () => void): void {
    this.#depth++
    try {
      step()
      if (this.#depth > 1) return
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) next()
    } finally {
      this.#depth--
    }
  }

  /** Puts an action off until the running step is over; when none is running, until the caller has returned. */
  after(action: () => void): void {
    if (this.#depth > 0) this.#waiting.push(action)
    else void Promise.resolve().then(() => this.run(action))
  }
}
