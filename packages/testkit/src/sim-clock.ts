import { turnOfTheLoop } from './io/turn.ts'
import { SIM_EPOCH_MS, SIM_MAX_FIRED_TIMERS, SIM_RUN_LIMIT_MS } from './limits.ts'

/** Structurally the `Timer` of client and broker. */
export interface SimTimer {
  cancel(): void
}

interface Scheduled {
  readonly at: number
  /** Ties are broken by the order of `after` calls, so that a run is a function of its seed alone. */
  readonly order: number
  action: (() => void) | null
}

/**
 * Simulated time: it moves only in `advance` and `runUntil`, from one timer to the next, and lets every promise that
 * became ready settle in between. It fits the `Clock` of client and of broker.
 */
export class SimClock {
  #now: number
  #order = 0
  readonly #heap: Scheduled[] = []

  /** @param startMs epoch milliseconds at which the simulation begins */
  constructor(startMs: number = SIM_EPOCH_MS) {
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  /** Timers that are set and will fire. */
  get pendingTimers(): number {
    return this.#heap.filter(({ action }) => action !== null).length
  }

  after(delayMs: number, action: () => void): SimTimer {
    if (Number.isNaN(delayMs)) throw new TypeError('a timer was set with the delay NaN')
    const scheduled: Scheduled = { at: this.#now + Math.max(0, delayMs), order: this.#order++, action }
    this.#push(scheduled)
    return {
      cancel: () => {
        scheduled.action = null
      },
    }
  }

  /** Resolves after `delayMs` of simulated time. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve))
  }

  /** Moves time forward by exactly `ms`, firing what falls due on the way. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms
    await turnOfTheLoop()
    for (let fired = 0; ; fired++) {
      const next = this.#peek()
      if (next === undefined || next.at > target) break
      if (fired >= SIM_MAX_FIRED_TIMERS) throw new Error(`${fired} timers fired within ${ms} ms of simulated time`)
      await this.#fire(next)
    }
    this.#now = target
  }

  /**
   * Lets time run until `condition` holds.
   * @throws Error if nothing is left to happen, or after `limitMs` of simulated time
   */
  async runUntil(condition: () => boolean, limitMs: number = SIM_RUN_LIMIT_MS): Promise<void> {
    const limit = this.#now + limitMs
    await turnOfTheLoop()
    for (let fired = 0; !condition(); fired++) {
      const next = this.#peek()
      if (next === undefined) throw new Error('the simulation stands still: no timer is set and the condition does not hold')
      if (next.at > limit) throw new Error(`the condition does not hold after ${limitMs} ms of simulated time`)
      if (fired >= SIM_MAX_FIRED_TIMERS) throw new Error(`the condition does not hold after ${fired} timers`)
      await this.#fire(next)
    }
  }

  /** Lets time run until `promise` settles, and settles with it. */
  async settle<T>(promise: Promise<T>, limitMs: number = SIM_RUN_LIMIT_MS): Promise<T> {
    let settled = false
    const observe = (): void => {
      settled = true
    }
    promise.then(observe, observe)
    await this.runUntil(() => settled, limitMs)
    return promise
  }

  async #fire(next: Scheduled): Promise<void> {
    this.#pop()
    this.#now = next.at
    const action = next.action
    next.action = null
    action?.()
    await turnOfTheLoop()
  }

  /** The next timer that was not cancelled. */
  #peek(): Scheduled | undefined {
    for (;;) {
      const first = this.#heap[0]
      if (first === undefined || first.action !== null) return first
      this.#pop()
    }
  }

  #push(scheduled: Scheduled): void {
    const heap = this.#heap
    let index = heap.push(scheduled) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!before(scheduled, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = scheduled
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, last)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
  }
}

function before(left: Scheduled, right: Scheduled): boolean {
  return left.at < right.at || (left.at === right.at && left.order < right.order)
}
