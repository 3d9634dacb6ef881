import type { KafkaError } from '@millrace/protocol'
import type { Clock, Timer } from './environment.ts'
import { aborted } from './errors.ts'
import { MAX_TIMER_MS } from './limits.ts'

/**
 * Every wait of a client goes through here, so that each one ends: by its own result, its deadline, the caller's signal, or
 * the client's close.
 */
export class Waits {
  readonly #clock: Clock
  readonly #pending = new Set<(error: KafkaError) => void>()
  #closedWith: KafkaError | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get closedWith(): KafkaError | null {
    return this.#closedWith
  }

  /** @throws the error of `close`, or ABORTED */
  check(signal: AbortSignal | undefined): void {
    if (this.#closedWith !== null) throw this.#closedWith
    if (signal?.aborted === true) throw aborted(signal)
  }

  sleep(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#clock.after(Math.min(delayMs, MAX_TIMER_MS), resolve)
    return this.#race(promise, signal, timer)
  }

  /** Settles as `promise` does, or rejects with `onTimeout()` at the deadline. `promise` itself goes on. */
  bound<Value>(
    promise: Promise<Value>,
    deadline: number,
    signal: AbortSignal | undefined,
    onTimeout: () => KafkaError,
  ): Promise<Value> {
    const { promise: late, reject } = Promise.withResolvers<never>()
    const delayMs = Math.min(Math.max(0, deadline - this.#clock.now()), MAX_TIMER_MS)
    const timer = this.#clock.after(delayMs, () => reject(onTimeout()))
    return this.#race(Promise.race([promise, late]), signal, timer)
  }

  /** Rejects every wait, now and later. */
  close(error: KafkaError): void {
    this.#closedWith ??= error
    for (const reject of this.#pending) reject(error)
    this.#pending.clear()
  }

  #race<Value>(promise: Promise<Value>, signal: AbortSignal | undefined, timer: Timer): Promise<Value> {
    return new Promise<Value>((resolve, reject) => {
      const end = (): void => {
        timer.cancel()
        this.#pending.delete(fail)
        signal?.removeEventListener('abort', onAbort)
      }
      const fail = (error: unknown): void => {
        end()
        reject(error)
      }
      const onAbort = (): void => fail(aborted(signal!))
      promise.then((value) => {
        end()
        resolve(value)
      }, fail)
      if (this.#closedWith !== null) return fail(this.#closedWith)
      if (signal?.aborted === true) return onAbort()
      this.#pending.add(fail)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }
}
