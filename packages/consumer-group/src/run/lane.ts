import { ConfigError } from '@millrace/protocol'
import { notAssigned } from '../errors.ts'
import type { Loading } from '../fetch/record-feed.ts'
import { Fifo } from './fifo.ts'
import { HandledPrefix } from './handled-prefix.ts'
import type { LaneSource } from './lane-source.ts'
import { NO_CHAIN, Task } from './task.ts'

/** What is handled one after another: all of a partition, what has the same key there, or nothing. */
export type RunOrder = 'partition' | 'key' | 'none'

export interface LaneSettings {
  readonly orderedBy: RunOrder
  /** The most items between the first that is not over and the last taken. */
  readonly windowRecords: number
  /** Of what is taken and not over; one item may be larger. */
  readonly windowBytes: number
  /** For how long an item that is not due yet is kept in hand, rather than given back and read again. */
  readonly holdMs: number
  /** Whether the items are batches, of which a part can be handled. */
  readonly isBatched: boolean
}

/** Bytes of what is taken and not over, of all lanes. */
export interface ByteBudget {
  used: number
  readonly limit: number
}

/** Commits what was handled of the lane's partition. */
export type CommitLane = (lane: Lane) => Promise<void>

/**
 * One partition's way through handlers: takes items as far as the window lets it, says which may begin, and tells the source what was
 * handled, which is never more than what lies before the first item that is not over.
 */
export class Lane {
  readonly source: LaneSource
  /** In line for its turn. */
  isQueued = false
  /** It had to leave something where it was for want of bytes. */
  isStarved = false
  /** What `next` waits for. */
  loading: Loading | null = null
  /** Nothing begins before then. */
  heldUntil = 0
  /** The last `heldUntil` for which a look was arranged. */
  heldNoted = 0
  readonly #settings: LaneSettings
  readonly #budget: ByteBudget
  readonly #commit: CommitLane
  readonly #prefix = new HandledPrefix()
  /** The last item of each key that has any. */
  readonly #chains = new Map<number, Task>()
  readonly #runnable = new Fifo<Task>()
  #held: Task | null = null
  /** The one item under way, entered nowhere: most handlers do not wait, and then nothing else ever needs to know of it. */
  #alone: Task | null = null
  #spare: Task | null = null
  /** Handlers of the same partition from before it was lost: their end is waited for, so that order holds in this process. */
  #predecessor: Lane | null
  #serial: number
  #generation = 0
  /** Taken and not over. */
  #unfinished = 0
  #bytes = 0
  /** Handlers that run, and copies under way. */
  #busy = 0
  #isOver = false
  #isSettled = false
  #controller: AbortController | null = null

  constructor(source: LaneSource, settings: LaneSettings, budget: ByteBudget, commit: CommitLane, predecessor: Lane | null) {
    this.source = source
    this.#settings = settings
    this.#budget = budget
    this.#commit = commit
    this.#predecessor = predecessor
    this.#serial = source.serial
  }

  /** Nothing begins any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  get isBusy(): boolean {
    return this.#busy > 0
  }

  /** Whoever must end before a new lane of the same partition may begin. */
  get unended(): Lane | null {
    return this.#busy > 0 ? this : this.#predecessor
  }

  get hasWork(): boolean {
    return this.#runnable.length > 0 || this.#held !== null || this.source.hasMore
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }

  // ---- taking ----

  /**
   * The next item that may begin now.
   * @throws {KafkaError} that stops the partition
   */
  next(now: number): Task | null {
    this.loading = null
    this.isStarved = false
    if (this.#isOver || this.source.isPaused) return null
    const mayRead = this.#follow()
    if (this.#unfinished === 0 && this.#busy === 0 && this.#predecessor === null) return mayRead ? this.#takeAlone(now) : null
    if (this.#predecessor !== null && !this.#mayBegin(mayRead, now)) return null
    const task = this.#runnable.shift()
    if (task !== undefined) return task
    return mayRead ? this.#read(now) : null
  }

  /** @param task what `next` gave */
  begin(task: Task): void {
    task.state = 'running'
    this.#busy++
  }

  /** It is not over at once: now others must know of it. */
  enter(task: Task): void {
    if (task !== this.#alone) return
    this.#alone = null
    this.#spare = null
    this.#register(task)
    // What was lost meanwhile is of no account.
    if (this.#isSettled) this.#forget()
    else if (task.chain !== NO_CHAIN) this.#chains.set(task.chain, task)
  }

  /** It ended without waiting for anything: its context may be another item's now. */
  recycle(task: Task): void {
    if (this.#spare !== null) return
    task.reuse()
    this.#spare = task
  }

  // ---- what becomes of it ----

  /** The item is over: its handler is done, or it was copied or passed over. */
  end(task: Task): void {
    this.#busy--
    task.state = 'over'
    if (task === this.#alone) return this.#endAlone(task)
    if (!this.#isStale(task)) this.#over(task)
    this.#settleIfDone()
  }

  /** Its handler is done, with a failure, after which nothing is done about it: it was not handled. */
  drop(task: Task): void {
    this.enter(task)
    this.#busy--
    task.state = 'over'
    this.#settleIfDone()
  }

  /** Its handler failed; it is tried again after `resume`. */
  wait(task: Task): void {
    this.enter(task)
    this.#busy--
    task.state = 'waiting'
    this.#settleIfDone()
  }

  resume(task: Task): void {
    if (this.#isOver || this.#isStale(task)) return
    task.state = 'queued'
    task.attemptsHere++
    this.#runnable.push(task)
  }

  /** Whether what becomes of it is of no account any more: the partition was lost, or its position was set anew. */
  isIgnored(task: Task): boolean {
    this.enter(task)
    return this.#isStale(task)
  }

  /** Whether all of it counts as handled, though its handler may not be done. */
  isHandled(task: Task): boolean {
    return !this.#isStale(task) && !this.#prefix.has(task.number)
  }

  /** What of a batch was handled. @throws {ConfigError} */
  resolve(task: Task, record: number | { readonly offset: number }): void {
    const offset = typeof record === 'object' && record !== null ? record.offset : record
    const { lastOffset } = task
    this.enter(task)
    if (!Number.isSafeInteger(offset) || offset < 0 || offset > lastOffset)
      throw new ConfigError('handled', record, `a record of the batch or its offset, at most ${lastOffset}`)
    if (this.#isStale(task) || offset < task.offset) return
    task.offset = offset + 1
    if (!this.#prefix.has(task.number)) return
    const isAll = offset === lastOffset
    if (isAll ? this.#prefix.end(task.number) : this.#prefix.advance(task.number, offset + 1)) this.#report()
  }

  /** Rejects where the handler of a lost partition asks for it. */
  async commit(task: Task): Promise<void> {
    this.enter(task)
    if (this.#isStale(task) || this.source.isLost) throw notAssigned('commit', this.source.topic, this.source.partition)
    const isWhole = !this.#settings.isBatched && this.#prefix.has(task.number)
    if (isWhole && this.#prefix.end(task.number)) this.#report()
    await this.#commit(this)
  }

  // ---- the end ----

  /** Nothing begins any more; what has not begun comes again. Once what has begun is over, the source gets the rest back. */
  leave(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#runnable.clear()
    this.#chains.clear()
    this.#held = null
    this.#settleIfDone()
  }

  /** As `leave`, at once: handlers are told by their signal, and what they do is ignored. */
  lose(): void {
    this.leave()
    if (this.#isSettled && this.#busy === 0) return
    this.#settle()
    this.#forget()
    this.#controller ??= new AbortController()
    this.#controller.abort()
  }

  #settleIfDone(): void {
    if (this.#isOver && this.#busy === 0) this.#settle()
  }

  #settle(): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#budget.used -= this.#bytes
    this.#bytes = 0
    if (this.source.isInHand) this.source.giveBack()
  }

  // ---- reading ----

  /** Until the handlers of before are done, one item is taken, so that a partition that is stuck can be seen from outside. */
  #mayBegin(mayRead: boolean, now: number): boolean {
    if (!this.#predecessor!.isBusy) {
      this.#predecessor = null
      return true
    }
    if (mayRead && this.#unfinished === 0) {
      const task = this.#read(now)
      if (task !== null) this.#runnable.push(task)
    }
    return false
  }

  /** Looks whether the position was set anew. Then what was taken is of no account, or, after a reset, is finished before anything is read. */
  #follow(): boolean {
    const { serial } = this.source
    if (serial === this.#serial) return true
    if (!this.source.isInHand) this.#forget()
    if (this.#unfinished > 0 || this.#busy > 0) return false
    this.#serial = serial
    this.heldUntil = 0
    return true
  }

  /** The next item whose chain is free; others wait in their chains. */
  #read(now: number): Task | null {
    for (;;) {
      const task = this.#held ?? this.#take(now)
      if (task === null) return null
      if (task.dueAt > now) {
        this.#hold(task, now)
        return null
      }
      this.#held = null
      if (task.chain === NO_CHAIN) return task
      const before = this.#chains.get(task.chain)
      this.#chains.set(task.chain, task)
      if (before === undefined) return task
      before.nextInChain = task
    }
  }

  #take(now: number): Task | null {
    if (!this.#hasRoom(now)) return null
    const task = this.#spare ?? new Task(this)
    const taken = this.source.next(task)
    if (taken !== true) {
      task.forget()
      this.#spare = task
      if (taken !== false) this.loading = taken
      return null
    }
    this.#spare = null
    this.#register(task)
    return task
  }

  #takeAlone(now: number): Task | null {
    if (now < this.heldUntil) return null
    const task = (this.#spare ??= new Task(this))
    const taken = this.source.next(task)
    if (taken !== true) {
      task.forget()
      if (taken !== false) this.loading = taken
      return null
    }
    this.#alone = task
    if (task.dueAt <= now) return task
    this.enter(task)
    this.#chains.clear()
    this.#hold(task, now)
    return null
  }

  #register(task: Task): void {
    task.generation = this.#generation
    task.number = this.#prefix.add(task.offset, task.epoch)
    if (this.#settings.orderedBy === 'key') task.chain = this.source.chainOf(task)
    this.#unfinished++
    this.#bytes += task.sizeInBytes
    this.#budget.used += task.sizeInBytes
  }

  #hasRoom(now: number): boolean {
    if (now < this.heldUntil) return false
    if (this.#unfinished === 0) return true
    const { orderedBy, windowRecords, windowBytes } = this.#settings
    if (orderedBy === 'partition' || this.#prefix.length >= windowRecords || this.#bytes >= windowBytes) return false
    this.isStarved = this.#budget.used >= this.#budget.limit
    return !this.isStarved
  }

  #hold(task: Task, now: number): void {
    this.#held = task
    this.heldUntil = task.dueAt
    if (task.dueAt - now <= this.#settings.holdMs || this.#unfinished > 1 || this.#busy > 0) return
    this.#forget()
    this.source.giveBack()
    this.#serial = this.source.serial
  }

  // ---- accounts ----

  #isStale(task: Task): boolean {
    return task.generation !== this.#generation
  }

  /** Nothing else was in hand. */
  #endAlone(task: Task): void {
    this.#alone = null
    task.isDecoded = false
    if (!this.#isSettled) this.source.handled()
    this.#settleIfDone()
  }

  #over(task: Task): void {
    this.#unfinished--
    this.#bytes -= task.sizeInBytes
    this.#budget.used -= task.sizeInBytes
    if (this.#prefix.has(task.number) && this.#prefix.end(task.number)) this.#report()
    const { chain, nextInChain } = task
    if (chain === NO_CHAIN || this.#isOver) return
    if (nextInChain !== null) this.#runnable.push(nextInChain)
    else if (this.#chains.get(chain) === task) this.#chains.delete(chain)
  }

  #report(): void {
    if (!this.source.isInHand || this.source.serial !== this.#serial) return this.#reportMoved()
    if (this.#prefix.length === 0) this.source.handled()
    else this.source.handledUpTo(this.#prefix.offset, this.#prefix.epoch)
  }

  /** The position was set anew meanwhile: what is in hand from before, if it still counts, is released as a whole. */
  #reportMoved(): void {
    if (this.source.isInHand && this.#prefix.length === 0) this.source.handled()
  }

  #forget(): void {
    this.#generation++
    this.#prefix.clear()
    this.#chains.clear()
    this.#runnable.clear()
    this.#held = null
    this.#unfinished = 0
    this.#budget.used -= this.#bytes
    this.#bytes = 0
  }
}
