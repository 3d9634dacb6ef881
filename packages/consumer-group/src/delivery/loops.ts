import type { Clock } from '@millrace/client/internal'
import { DELIVERY_CLOCK_EVERY, DELIVERY_SLICE_MS } from '../limits.ts'
import { ItemLoop, type ItemSource, type LoopHost } from './item-loop.ts'
import type { PollWatch } from './poll-watch.ts'

/** A way to consume that is under way. */
export interface RunningLoop {
  /** There may be something for it. */
  wake(): void
  /** It ends as soon as it can; handlers that it runs have that long, if it is said, to end. */
  stop(timeoutMs?: number): void
  /** Settles when it has ended; without it nobody need wait. */
  readonly ended?: Promise<void>
}

/** The loops that the application has running over one consumer. */
export class Loops implements LoopHost {
  readonly #clock: Clock
  readonly #watch: PollWatch
  readonly #onWait: () => void
  readonly #turned: (isIdle: boolean) => void
  readonly #running = new Set<RunningLoop>()
  #isStopped = false
  #untilClock = DELIVERY_CLOCK_EVERY
  #sliceStart = 0

  /**
   * @param onWait called when a loop waits for something to come
   * @param turned told whether all loops wait
   */
  constructor(clock: Clock, watch: PollWatch, onWait: () => void, turned: (isIdle: boolean) => void) {
    this.#turned = turned
    this.#clock = clock
    this.#watch = watch
    this.#onWait = onWait
  }

  get isRunning(): boolean {
    return this.#running.size > 0
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  /** A new way to consume: it goes on where the last one was stopped. */
  begin(): void {
    this.#isStopped = false
  }

  start<Item>(source: ItemSource<Item>, signal: AbortSignal | undefined): ItemLoop<Item> {
    const loop = new ItemLoop(source, this, signal)
    this.add(loop)
    return loop
  }

  add(loop: RunningLoop): void {
    this.#running.add(loop)
    this.#turn()
  }

  /** Null when there is nothing to wait for. */
  get draining(): Promise<unknown> | null {
    const waits = Array.from(this.#running, ({ ended }) => ended).filter((ended) => ended !== undefined)
    return waits.length === 0 ? null : Promise.all(waits)
  }

  /** Ends every loop as soon as it asks for more; `timeoutMs`: what `run` gives its handlers at most. */
  stop(timeoutMs?: number): void {
    this.#isStopped = true
    for (const loop of this.#running) loop.stop(timeoutMs)
  }

  /** There may be something to hand out, or a failure. */
  wake(): void {
    for (const loop of this.#running) loop.wake()
  }

  /** A loop whose body never waits would keep heartbeats and fetches from their turn. */
  isSliceOver(): boolean {
    if (--this.#untilClock > 0) return false
    this.#untilClock = DELIVERY_CLOCK_EVERY
    const now = this.#clock.now()
    if (now - this.#sliceStart < DELIVERY_SLICE_MS) return false
    this.#sliceStart = now
    return true
  }

  waits(): void {
    this.#watch.waits()
    this.#turn()
    this.#onWait()
  }

  served(): void {
    this.#watch.served()
    this.#turn()
    this.#sliceStart = this.#clock.now()
  }

  ended(loop: RunningLoop): void {
    this.#running.delete(loop)
    this.#turn()
  }

  #turn(): void {
    this.#turned(this.#running.size > 0 && this.#watch.waiting === this.#running.size)
  }
}
