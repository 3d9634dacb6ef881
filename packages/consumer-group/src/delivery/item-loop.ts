import type { KafkaError } from '@millrace/protocol'
import { aborted } from '@millrace/client/internal'
import { consumerBusy } from '../errors.ts'
import { Loading } from '../fetch/record-feed.ts'
import { nextTurn } from '../io/turn.ts'

/** Where a loop gets its items: records or batches, of all partitions or of one, or the partitions themselves. */
export interface ItemSource<Item> {
  /** The next item; null when there is none yet. What it throws ends the loop. */
  pull(): Item | Loading | null
  /** Whether there will never be another one. */
  isOver(): boolean
  /** The item that was pulled last was handled. */
  handled(): void
  /** The item that was pulled last was not handled. */
  giveBack(): void
  /** The loop is over, however it ended. */
  ended?(): void
}

export interface LoopHost {
  /** Whether loops end when they ask for more. */
  readonly isStopped: boolean
  /** Whether it is time for a turn of the event loop, which heartbeats and fetches need. */
  isSliceOver(): boolean
  waits(): void
  /** The loop has what it waited for. */
  served(): void
  ended(loop: ItemLoop<unknown>): void
}

interface Waiter<Item> {
  resolve(result: IteratorResult<Item>): void
  reject(error: unknown): void
}

/**
 * One `for await`, of whatever: an item counts as handled when the loop asks for the next one, and as not handled when it ends before.
 */
export class ItemLoop<Item> implements AsyncIterableIterator<Item> {
  readonly #source: ItemSource<Item>
  readonly #host: LoopHost
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = (): void => this.end(aborted(this.#signal!))
  #isOver = false
  /** Whether `next` is on its way: it waits for something to come, or for a turn. */
  #isAsking = false
  #waiter: Waiter<Item> | null = null

  constructor(source: ItemSource<Item>, host: LoopHost, signal: AbortSignal | undefined) {
    this.#source = source
    this.#host = host
    this.#signal = signal
    signal?.addEventListener('abort', this.#onAbort)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  next(): Promise<IteratorResult<Item>> {
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined })
    if (this.#isAsking) return Promise.reject(consumerBusy())
    this.#source.handled()
    if (this.#signal?.aborted === true) {
      this.#finish()
      return Promise.reject(aborted(this.#signal))
    }
    if (this.#host.isStopped) return this.#done()
    if (this.#host.isSliceOver()) return this.#nextAfterTurn()
    return this.#pull()
  }

  /** `break`, `return` or an exception in the loop's body: what is in hand goes back. */
  return(): Promise<IteratorResult<Item>> {
    if (!this.#isOver) {
      this.#source.giveBack()
      this.end(null)
    }
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** There may be something for it. */
  wake(): void {
    const waiter = this.#waiter
    if (waiter === null) return
    let item: Item | Loading | null
    try {
      item = this.#source.pull()
    } catch (error) {
      this.#served()
      this.#finish()
      return waiter.reject(error)
    }
    if (item === null) {
      if (this.#source.isOver()) this.end(null)
      return
    }
    if (item instanceof Loading) return this.#wakeAfter(item)
    this.#served()
    waiter.resolve({ done: false, value: item })
  }

  /** Ends it if it waits; otherwise `next` sees for itself, unless it is the loop that ends. */
  end(error: KafkaError | null): void {
    const waiter = this.#waiter
    if (waiter === null) {
      if (error === null) this.#finish()
      return
    }
    this.#served()
    this.#finish()
    if (error === null) waiter.resolve({ done: true, value: undefined })
    else waiter.reject(error)
  }

  /** As `end`, but one that has something in hand goes on until it asks for more. */
  stop(): void {
    if (this.#waiter !== null) this.end(null)
  }

  #pull(): Promise<IteratorResult<Item>> {
    try {
      const item = this.#source.pull()
      if (item === null) return this.#source.isOver() ? this.#done() : this.#wait()
      if (!(item instanceof Loading)) return Promise.resolve({ done: false, value: item })
      const waiting = this.#wait()
      this.#wakeAfter(item)
      return waiting
    } catch (error) {
      this.#finish()
      return Promise.reject(error)
    }
  }

  #wakeAfter(loading: Loading): void {
    void loading.done.then(() => this.wake())
  }

  async #nextAfterTurn(): Promise<IteratorResult<Item>> {
    this.#isAsking = true
    await nextTurn()
    this.#isAsking = false
    if (this.#isOver || this.#host.isStopped) return this.#done()
    return this.#pull()
  }

  #wait(): Promise<IteratorResult<Item>> {
    return new Promise((resolve, reject) => {
      this.#isAsking = true
      this.#waiter = { resolve, reject }
      this.#host.waits()
    })
  }

  #served(): void {
    this.#waiter = null
    this.#isAsking = false
    this.#host.served()
  }

  #done(): Promise<IteratorResult<Item>> {
    this.#finish()
    return Promise.resolve({ done: true, value: undefined })
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#host.ended(this)
    this.#source.ended?.()
  }
}
