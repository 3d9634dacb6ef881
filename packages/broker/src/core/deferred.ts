import assert from 'node:assert'

/**
 * A reply that is not known yet: a parked Fetch, a JoinGroup that waits for the other members. Synchronous on purpose, so
 * that the order of replies is the order of `complete` calls and a simulated run replays exactly.
 */
export class Deferred<T> {
  #done = false
  #value: T | undefined
  #listener: ((value: T) => void) | undefined

  get done(): boolean {
    return this.#done
  }

  /** Hands the value to the listener, now or as soon as there is one. Only the first call counts; returns whether it did. */
  complete(value: T): boolean {
    if (this.#done) return false
    this.#done = true
    if (this.#listener === undefined) this.#value = value
    else this.#listener(value)
    return true
  }

  /** Calls `listener` with the value: at once when it is known. There is one listener. */
  onComplete(listener: (value: T) => void): void {
    assert(this.#listener === undefined, 'a Deferred has one listener')
    this.#listener = listener
    if (this.#done) listener(this.#value as T)
  }
}
