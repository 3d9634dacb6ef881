import type { Clock } from '@millrace/client/internal'
import { nameAndMessageOf } from '@millrace/protocol/internal'
import type { EventSource } from '../events.ts'
import { isPromise } from '../promise-like.ts'
import type { TopicPartition } from '../topic-partition.ts'
import { RebalanceListenerError, type RebalanceCall, type RebalanceListener } from './rebalance-listener.ts'

/** Calls the application's listener so that it can neither break nor hold up a rebalance for ever. */
export class RebalanceHook {
  readonly #listener: RebalanceListener
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #events: EventSource
  /** Ends the wait for what the listener is at. */
  readonly #waits = new Set<() => void>()
  #isOver = false

  constructor(listener: RebalanceListener | null, timeoutMs: number, clock: Clock, events: EventSource) {
    this.#listener = listener ?? {}
    this.#timeoutMs = timeoutMs
    this.#clock = clock
    this.#events = events
  }

  /** Null when there is nothing to wait for, so that a rebalance without listeners takes no extra turn. Never rejects. */
  call(name: RebalanceCall, partitions: readonly TopicPartition[]): Promise<void> | null {
    if (this.#listener[name] === undefined || partitions.length === 0) return null
    let outcome: unknown
    try {
      outcome = this.#listener[name](partitions)
    } catch (error) {
      this.#report(new RebalanceListenerError(name, partitions, `threw ${nameAndMessageOf(error)}`, error))
      return null
    }
    return isPromise(outcome) ? this.#bounded(name, partitions, outcome) : null
  }

  /** The member has left: what the listener is at, or is called for yet, is not waited for. */
  end(): void {
    this.#isOver = true
    this.#waits.forEach((end) => end())
  }

  #bounded(name: RebalanceCall, partitions: readonly TopicPartition[], outcome: PromiseLike<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const late = (why: string): void => {
        over()
        this.#report(new RebalanceListenerError(name, partitions, `did not end ${why}`))
      }
      const timer = this.#clock.after(this.#timeoutMs, () => late(`within ${this.#timeoutMs} ms`))
      const end = (): void => late('before the consumer left the group')
      const over = (): void => {
        timer.cancel()
        this.#waits.delete(end)
        resolve()
      }
      this.#waits.add(end)
      const settled = (async (): Promise<void> => {
        try {
          await outcome
        } catch (error) {
          this.#report(new RebalanceListenerError(name, partitions, `failed with ${nameAndMessageOf(error)}`, error))
        }
      })()
      void settled.then(over)
      if (this.#isOver) end()
    })
  }

  #report(error: RebalanceListenerError): void {
    this.#events.emit('rebalanceListenerFailed', { error })
  }
}
