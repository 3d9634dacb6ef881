import { ConfigError } from '@millrace/protocol'
import { checkWait, type WaitOptions } from './checks.ts'
import type { Target } from './error-shape.ts'
import type { FaultAction, FaultOptions } from './fault-options.ts'
import { Waiters } from './waiters.ts'

/** A fault that was set on a broker: how often it was hit, and the way to wait for that. */
export interface Fault {
  /** As the journal of requests names it. */
  readonly id: number
  readonly options: FaultOptions
  /** Requests that it hit so far. */
  readonly hits: number
  /** Whether it can hit no more: it did so `times` times, or was removed. */
  readonly isSpent: boolean
  /**
   * Resolves when it was hit `count` times (default 1), when it is so already at once.
   * @throws ConfigError for more than `times` and for options that do not exist; rejects with the signal's reason, with `FAULT_REMOVED` when the fault is taken away before
   *   and with `BROKER_CLOSED` when the broker is
   */
  hit(count?: number, options?: WaitOptions): Promise<void>
  /** Takes it away. What it did stays done: a request that it let wait for ever still waits. Harmless when repeated. */
  remove(): void
  [Symbol.dispose](): void
}

/** The one who keeps the count. */
export class CountedFault implements Fault {
  readonly id: number
  readonly options: FaultOptions
  readonly action: FaultAction
  readonly #onRemove: (fault: CountedFault) => void
  readonly #times: number
  readonly #waiters = new Waiters<true>()
  #toSkip: number
  #hits = 0
  #removed = false

  constructor(id: number, options: FaultOptions, action: FaultAction, onRemove: (fault: CountedFault) => void) {
    this.id = id
    this.options = options
    this.action = action
    this.#onRemove = onRemove
    this.#toSkip = options.skip ?? 0
    this.#times = options.times ?? 1
  }

  get hits(): number {
    return this.#hits
  }

  get isSpent(): boolean {
    return this.#removed || this.#hits >= this.#times
  }

  hit(count = 1, options: WaitOptions = {}): Promise<void> {
    checkWait(options)
    if (!Number.isInteger(count) || count < 1 || count > this.#times) {
      throw new ConfigError('count', count, `a whole number from 1 to times, which is ${this.#times}`)
    }
    return this.#waiters.wait(() => (this.#hits >= count ? true : undefined), options.signal).then(() => {})
  }

  remove(): void {
    if (this.#removed) return
    this.#removed = true
    this.#onRemove(this)
    this.#waiters.end('FAULT_REMOVED', `the fault for ${this.options.api} was removed after ${this.#hits} hits`)
  }

  [Symbol.dispose](): void {
    this.remove()
  }

  brokerClosed(): void {
    this.#waiters.end('BROKER_CLOSED', `the broker closed; the fault for ${this.options.api} was hit ${this.#hits} times`)
  }

  chooses({ topic, partition, group }: Target): boolean {
    const { options } = this
    if (options.topic !== undefined && options.topic !== topic) return false
    if (options.partition !== undefined && options.partition !== partition) return false
    return options.group === undefined || options.group === group
  }

  /** Whether it hits this request, of the right API. Counts. */
  takes(clientId: string | null, targets: readonly Target[]): boolean {
    const { options } = this
    if (this.isSpent) return false
    if (options.clientId !== undefined && options.clientId !== clientId) return false
    // An error needs something that can have it: a Metadata request for no topics has no place for one.
    const isNarrow = options.topic !== undefined || options.group !== undefined || this.action.errorCode !== 0
    if (isNarrow && !targets.some((target) => this.chooses(target))) return false
    if (this.#toSkip > 0) {
      this.#toSkip--
      return false
    }
    this.#hits++
    this.#waiters.notify()
    return true
  }
}
