import type { Clock, Timer } from '../core/clock.ts'
import { Deadlines, type Deadline } from '../core/deadlines.ts'
import type { LogListener } from '../log/log-types.ts'
import type { PartitionLog } from '../log/partition-log.ts'

/** A request that waits for logs to grow. */
export interface Parked {
  /** The logs to watch. */
  readonly logs: readonly PartitionLog[]
  /** Whether it can be answered now. Called after any of the logs changed. */
  isReady(): boolean
  /** Answers. Called once: when ready, or when its time is up. */
  finish(now: number): void
}

/**
 * Fetch and Produce requests that are not answered yet: Kafka's purgatories. They are woken by the logs they watch and otherwise
 * end at their deadline; there is one timer for all.
 */
export class ParkedRequests {
  readonly #clock: Clock
  readonly #deadlines: Deadlines
  #timer: Timer | null = null
  #timerAt = Infinity
  #held = 0
  #ready: ParkedRequest[] = []
  #size = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#deadlines = new Deadlines(() => this.#arm())
  }

  /** Requests that wait. */
  get size(): number {
    return this.#size
  }

  /** Waits until `until` at the latest. Returns the way to give up without an answer, for a connection that closed. */
  park(parked: Parked, until: number): () => void {
    const request = new ParkedRequest(parked, this)
    this.#size++
    request.deadline = this.#deadlines.schedule(until, (now) => this.finish(request, now))
    for (const log of parked.logs) log.addListener(request)
    return () => this.#leave(request)
  }

  /**
   * Until `release`, requests that become ready are not answered: a produce request appends to all its partitions first, so that a
   * consumer gets them in one answer.
   */
  hold(): void {
    this.#held++
  }

  release(): void {
    this.#held--
    if (this.#held > 0 || this.#ready.length === 0) return
    const ready = this.#ready
    this.#ready = []
    for (const request of ready) {
      request.isQueued = false
      if (!request.isDone && request.parked.isReady()) this.finish(request, this.#clock.now())
    }
  }

  /** Nobody waits any more: the connections are gone. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#timerAt = -Infinity
  }

  /** @internal A log that the request watches changed. */
  wake(request: ParkedRequest): void {
    if (request.isDone || request.isQueued) return
    if (this.#held > 0) {
      request.isQueued = true
      this.#ready.push(request)
    } else if (request.parked.isReady()) this.finish(request, this.#clock.now())
  }

  /** @internal */
  finish(request: ParkedRequest, now: number): void {
    if (request.isDone) return
    this.#leave(request)
    request.parked.finish(now)
  }

  #leave(request: ParkedRequest): void {
    if (request.isDone) return
    request.isDone = true
    this.#size--
    request.deadline?.cancel()
    for (const log of request.parked.logs) log.removeListener(request)
  }

  #arm(): void {
    const at = this.#deadlines.next
    if (at >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timer = null
    this.#timerAt = at
    if (at === Infinity) return
    this.#timer = this.#clock.after(Math.max(0, at - this.#clock.now()), () => this.#fire())
  }

  #fire(): void {
    this.#timer = null
    this.#timerAt = Infinity
    this.#deadlines.fire(this.#clock.now())
    this.#arm()
  }
}

class ParkedRequest implements LogListener {
  readonly parked: Parked
  readonly #owner: ParkedRequests
  deadline: Deadline | null = null
  isDone = false
  /** In the list of those to look at on release. */
  isQueued = false

  constructor(parked: Parked, owner: ParkedRequests) {
    this.parked = parked
    this.#owner = owner
  }

  logChanged(): void {
    this.#owner.wake(this)
  }
}
