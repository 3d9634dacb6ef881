import { KafkaError } from '@millrace/protocol'

interface Waiter<T> {
  /** What is waited for; undefined: not yet. */
  look(): T | undefined
  settle(value: T): void
  reject(error: unknown): void
}

/** Those who wait for something to become true. Each is asked again after every change. */
export class Waiters<T> {
  readonly #waiting = new Set<Waiter<T>>()
  #ended: KafkaError | null = null

  /** Resolves when `look` finds something; rejects with the signal's reason, or when the end comes first. */
  wait(look: () => T | undefined, signal: AbortSignal | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error)
      const found = look()
      if (found !== undefined) return resolve(found)
      if (this.#ended !== null) return reject(this.#ended)
      const leave = (): void => {
        this.#waiting.delete(waiter)
        signal?.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => waiter.reject(signal?.reason)
      const waiter: Waiter<T> = {
        look,
        settle: (value) => (leave(), resolve(value)),
        reject: (error) => (leave(), reject(error)),
      }
      this.#waiting.add(waiter)
      signal?.addEventListener('abort', onAbort)
    })
  }

  /** Something changed. */
  notify(): void {
    for (const waiter of this.#waiting) {
      const found = waiter.look()
      if (found !== undefined) waiter.settle(found)
    }
  }

  /** What is still waited for will not come any more. */
  end(code: string, message: string): void {
    this.#ended ??= new KafkaError(code, message)
    for (const waiter of this.#waiting) waiter.reject(this.#ended)
  }
}
