import type { KafkaError } from '@millrace/protocol'
import { asKafkaError } from '@millrace/protocol/internal'
import { Loading } from '../fetch/record-feed.ts'
import { RUN_QUANTUM } from '../limits.ts'
import { DueHeap } from './due-heap.ts'
import { Fifo } from './fifo.ts'
import { Lane, type CommitLane } from './lane.ts'
import type { LaneSettings } from './lane-settings.ts'
import type { LaneSource } from './lane-source.ts'
import type { ByteBudget } from './taken-items.ts'
import type { Task } from './task.ts'

export interface SchedulerSettings extends LaneSettings {
  /** The most handlers that run at once. */
  readonly concurrency: number
  readonly bytesLimit: number
  /** For how long a partition that is given up may begin what it had taken before the last item that began. */
  readonly finishMs: number
}

export interface SchedulerHost {
  /** Calls the handler. True when that did not wait, and the item is over; otherwise it is reported (`end`, `wait`, ...), at any time. */
  begin(task: Task): boolean
  /** `wake` the lane when that is done. */
  load(lane: Lane, loading: Loading): void
  /** A partition cannot go on. */
  failed(error: KafkaError): void
  readonly commit: CommitLane
}

/** What is to be looked at again at some time: a lane, and the item that is tried again if it is for that, or that nothing more may begin there. */
interface Due {
  readonly lane: Lane
  readonly task: Task | null
  readonly isCut: boolean
}

/**
 * Decides what is handled next: lane after lane, in turn, while fewer than `concurrency` handlers run. It knows no clock and waits for nothing:
 * `pump` begins what may begin, and is called again after anything that was told, and at `deadline`.
 */
export class Scheduler {
  readonly #settings: SchedulerSettings
  readonly #host: SchedulerHost
  readonly #budget: ByteBudget
  readonly #lanes = new Set<Lane>()
  readonly #turns = new Fifo<Lane>()
  readonly #due = new DueHeap<Due>()
  #starved: Lane[] = []
  /** Whose turn it is: it need not line up. */
  #current: Lane | null = null
  #running = 0
  #copying = 0
  #isStopped = false

  constructor(settings: SchedulerSettings, host: SchedulerHost) {
    this.#settings = settings
    this.#host = host
    this.#budget = { used: 0, limit: settings.bytesLimit }
  }

  /** Handlers that run now. */
  get running(): number {
    return this.#running
  }

  /** Nothing runs or is being copied. */
  get isIdle(): boolean {
    return this.#running === 0 && this.#copying === 0
  }

  /** After `stop`: nothing will ever begin. */
  get isDone(): boolean {
    if (!this.isIdle) return false
    for (const { isOver } of this.#lanes) if (!isOver) return false
    return true
  }

  /** When `tick` is next due. */
  get deadline(): number {
    return this.#due.deadline
  }

  /** A partition is ours. */
  add(source: LaneSource): Lane {
    const { topic, partition } = source
    let predecessor: Lane | null = null
    for (const lane of this.#lanes) {
      if (lane.isLeaving && lane.source.topic === topic && lane.source.partition === partition)
        predecessor = lane.unended ?? predecessor
    }
    const lane = new Lane(source, this.#settings, this.#budget, this.#host.commit, predecessor)
    this.#lanes.add(lane)
    if (this.#isStopped) lane.leave()
    else this.wake(lane)
    return lane
  }

  /** Looks at every partition again: which are still ours, and which have something. */
  refresh(now: number): void {
    for (const lane of this.#lanes) {
      const { source } = lane
      if (source.isLost) lane.lose()
      else if (!source.isOurs) this.#leave(lane, now)
      else if (lane.hasWork) this.wake(lane)
      if (lane.isEnded) this.#lanes.delete(lane)
    }
  }

  /** There may be something to begin. */
  wake(lane: Lane): void {
    if (lane.isQueued || lane === this.#current || lane.isOver) return
    lane.isQueued = true
    this.#turns.push(lane)
  }

  tick(now: number): void {
    for (let due = this.#due.take(now); due !== null; due = this.#due.take(now)) {
      const { lane, task, isCut } = due
      if (task !== null) lane.resume(task)
      if (isCut) lane.cut()
      this.#changed(lane)
    }
  }

  /** Begins what may begin. True when it was `isLate` before all of that was done. */
  pump(now: number, isLate: () => boolean): boolean {
    while (this.#running < this.#settings.concurrency) {
      const lane = this.#turns.shift()
      if (lane === undefined) return false
      lane.isQueued = false
      this.#current = lane
      const isThrough = this.#serve(lane, now, isLate)
      this.#current = null
      if (!isThrough) return true
    }
    return false
  }

  // ---- what becomes of an item ----

  /** Its handler is done, or what was done about its failure. */
  end(task: Task): void {
    this.#free(task)
    task.lane.end(task)
    this.#changed(task.lane)
  }

  /** Its handler failed: again at `dueAt`. */
  retry(task: Task, dueAt: number): void {
    this.#free(task)
    task.lane.wait(task)
    this.#due.add(dueAt, { lane: task.lane, task, isCut: false })
    this.#changed(task.lane)
  }

  /** Its handler failed: it is copied elsewhere now, and then over. */
  copy(task: Task): void {
    task.lane.enter(task)
    this.#free(task)
    this.#copying++
    task.state = 'copying'
    this.#changed(task.lane)
  }

  /** It was not handled, and nothing is done about it. */
  drop(task: Task): void {
    this.#free(task)
    task.lane.drop(task)
    this.#changed(task.lane)
  }

  // ---- the end ----

  /** Nothing is taken any more; what runs may end, and what was taken before it too. */
  stop(now: number): void {
    this.#isStopped = true
    for (const lane of this.#lanes) this.#leave(lane, now)
  }

  /** Nothing begins any more; what runs may end. */
  cut(now: number): void {
    this.stop(now)
    for (const lane of this.#lanes) lane.cut()
  }

  /** What still runs is told by its signal, and ignored. */
  abandon(now: number): void {
    this.cut(now)
    for (const lane of this.#lanes) lane.lose()
  }

  #leave(lane: Lane, now: number): void {
    if (lane.isLeaving) return
    lane.leave()
    if (lane.isOver) return
    this.#due.add(now + this.#settings.finishMs, { lane, task: null, isCut: true })
    this.wake(lane)
  }

  /** Serves one lane's turn: until a handler waits, so that every partition gets its share, or for some records. False when it is late. */
  #serve(lane: Lane, now: number, isLate: () => boolean): boolean {
    for (let count = 0; count < RUN_QUANTUM; count++) {
      const task = this.#next(lane, now)
      if (task === null) return true
      this.#running++
      lane.begin(task)
      let isOver = this.#host.begin(task)
      let isLateNow = isLate()
      // Most handlers do not wait: this is all that is done about their records.
      while (isOver && !isLateNow && ++count < RUN_QUANTUM && this.#goOn(lane, task)) {
        isOver = this.#host.begin(task)
        isLateNow = isLate()
      }
      if (isOver) this.end(task)
      else if (task.state === 'running') lane.enter(task)
      const hasWaited = task.state !== 'over'
      if (!hasWaited) lane.recycle(task)
      if (isLateNow) {
        this.#lineUp(lane)
        return false
      }
      if (hasWaited) break
    }
    this.#lineUp(lane)
    return true
  }

  #goOn(lane: Lane, task: Task): boolean {
    try {
      return lane.goOn(task)
    } catch (error) {
      this.#host.failed(asKafkaError(error))
      return false
    }
  }

  #lineUp(lane: Lane): void {
    this.#current = null
    this.wake(lane)
  }

  #next(lane: Lane, now: number): Task | null {
    let task: Task | null = null
    try {
      task = lane.next(now)
    } catch (error) {
      this.#host.failed(asKafkaError(error))
      return null
    }
    if (task !== null) return task
    if (lane.isEnded) this.#changed(lane)
    if (lane.loading instanceof Loading) this.#host.load(lane, lane.loading)
    if (lane.heldUntil > now && lane.heldUntil !== lane.heldNoted) {
      lane.heldNoted = lane.heldUntil
      this.#due.add(lane.heldUntil, { lane, task: null, isCut: false })
    }
    if (lane.isStarved) this.#starved.push(lane)
    return null
  }

  #free(task: Task): void {
    if (task.state === 'running') this.#running--
    else if (task.state === 'copying') this.#copying--
  }

  /** It may go on; and so may those that waited for its bytes, and a lane of the same partition. */
  #changed(lane: Lane): void {
    if (this.#starved.length > 0 && this.#budget.used < this.#budget.limit) {
      for (const one of this.#starved.splice(0)) this.wake(one)
    }
    if (!lane.isOver) return this.wake(lane)
    if (!lane.isEnded) return
    this.#lanes.delete(lane)
    for (const one of this.#lanes) if (one.source.partition === lane.source.partition) this.wake(one)
  }
}
