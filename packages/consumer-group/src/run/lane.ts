import { ConfigError } from '@millrace/protocol'
import { notAssigned } from '../errors.ts'
import type { Loading } from '../fetch/record-feed.ts'
import type { LaneSettings } from './lane-settings.ts'
import type { LaneSource } from './lane-source.ts'
import { TakenItems, type ByteBudget } from './taken-items.ts'
import { Task } from './task.ts'

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
  readonly #commit: CommitLane
  readonly #taken: TakenItems
  #held: Task | null = null
  /** The one item under way, entered nowhere: most handlers do not wait, and then nothing else ever needs to know of it. */
  #alone: Task | null = null
  #spare: Task | null = null
  /** Handlers of the same partition from before it was lost: their end is waited for, so that order holds in this process. */
  #predecessor: Lane | null
  #serial: number
  /** Handlers that run, and copies under way. */
  #busy = 0
  /** Nothing more is taken; what was taken before the last that began may begin. */
  #isClosing = false
  #isOver = false
  #isSettled = false
  #controller: AbortController | null = null

  constructor(source: LaneSource, settings: LaneSettings, budget: ByteBudget, commit: CommitLane, predecessor: Lane | null) {
    this.source = source
    this.#settings = settings
    this.#taken = new TakenItems(budget)
    this.#commit = commit
    this.#predecessor = predecessor
    this.#serial = source.serial
  }

  /** Nothing begins any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Nothing more is taken. */
  get isLeaving(): boolean {
    return this.#isOver || this.#isClosing
  }

  /** Nothing of it runs, or will. */
  get isEnded(): boolean {
    return this.#isOver && this.#busy === 0
  }

  /** Whoever must end before a new lane of the same partition may begin. */
  get unended(): Lane | null {
    return this.isEnded ? this.#predecessor : this
  }

  get hasWork(): boolean {
    return this.#taken.hasRunnable || this.#held !== null || this.source.hasMore
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
    if (this.#isClosing) return this.#nextBeforeEnd()
    if (this.#taken.count === 0 && this.#busy === 0 && this.#predecessor === null) return mayRead ? this.#takeAlone(now) : null
    if (this.#predecessor !== null && !this.#mayBegin(mayRead, now)) return null
    return this.#taken.next() ?? (mayRead ? this.#read(now) : null)
  }

  /** @param task what `next` gave */
  begin(task: Task): void {
    task.state = 'running'
    this.#busy++
    if (task !== this.#alone) this.#taken.run(task, true)
  }

  /**
   * The item's handler did not wait. If nobody else need know of it, it is over, and the next item is in its place and may begin. False when that is not so:
   * then nothing is said of it yet.
   * @throws {KafkaError} that stops the partition
   */
  goOn(task: Task): boolean {
    const { source } = this
    if (task !== this.#alone || this.isLeaving || source.isPaused || source.serial !== this.#serial) return false
    return source.goOn(task)
  }

  /** It is not over at once: now others must know of it. */
  enter(task: Task): void {
    if (task !== this.#alone) return
    this.#alone = null
    this.#spare = null
    this.#register(task)
    this.#taken.run(task, true)
    // What was lost meanwhile is of no account.
    if (this.#isSettled) this.#forget()
    else this.#taken.lineUp(task)
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
    task.freeMemory()
    if (task === this.#alone) return this.#endAlone(task)
    if (!this.#taken.isStale(task) && this.#taken.over(task)) this.#report()
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
    if (!this.#taken.isStale(task)) this.#taken.run(task, false)
    this.#settleIfDone()
  }

  resume(task: Task): void {
    if (this.#isOver || this.#taken.isStale(task)) return
    task.state = 'queued'
    task.attemptsHere++
    this.#taken.ready(task)
  }

  /** Whether what becomes of it is of no account any more: the partition was lost, or its position was set anew. */
  isIgnored(task: Task): boolean {
    this.enter(task)
    return this.#taken.isStale(task)
  }

  /** Whether what its handler does had better come to an end. */
  isEnding(task: Task): boolean {
    // Before its turn comes, the lane has not looked whether the position is another.
    const isMoved = this.source.serial !== this.#serial || (task !== this.#alone && this.#taken.isStale(task))
    return this.isLeaving || !this.source.isOurs || isMoved
  }

  /** Whether all of it counts as handled, though its handler may not be done. */
  isHandled(task: Task): boolean {
    return !this.#taken.isStale(task) && !this.#taken.isOpen(task)
  }

  /** What of a batch was handled. @throws {ConfigError} */
  resolve(task: Task, record: number | { readonly offset: number }): void {
    const offset = typeof record === 'object' && record !== null ? record.offset : record
    this.enter(task)
    const { firstOffset, lastOffset } = task
    if (!Number.isSafeInteger(offset) || offset < firstOffset || offset > lastOffset)
      throw new ConfigError('handled', record, `a record of the batch or its offset, from ${firstOffset} to ${lastOffset}`)
    if (this.#taken.isStale(task) || offset < task.offset) return
    task.offset = offset + 1
    if (!this.#taken.isOpen(task)) return
    const isAll = offset === lastOffset
    if (isAll ? this.#taken.end(task) : this.#taken.advance(task, offset + 1)) this.#report()
  }

  /** Rejects where the handler of a lost partition asks for it. */
  async commit(task: Task): Promise<void> {
    this.enter(task)
    if (this.#taken.isStale(task) || this.source.isLost) throw notAssigned('commit', this.source.topic, this.source.partition)
    if (!this.#settings.isBatched && this.#taken.end(task)) this.#report()
    await this.#commit(this)
  }

  // ---- the end ----

  /**
   * Nothing more is taken. What was taken before the last item that began may begin still, so that the handled prefix reaches as far as handlers did and nothing
   * that was handled comes again; `cut` makes an end of that. The rest comes again: once what began is over, the source gets it back.
   */
  leave(): void {
    if (this.isLeaving) return
    this.#isClosing = true
    this.#held = null
    this.#taken.close(this.source.mayFinish)
    this.#settleIfDone()
  }

  /** Nothing begins any more. */
  cut(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#isClosing = false
    this.#taken.disperse()
    this.#held = null
    this.#settleIfDone()
  }

  /** As `cut`, at once: handlers are told by their signal, and what they do is ignored. */
  lose(): void {
    this.cut()
    if (this.#isSettled && this.#busy === 0) return
    this.#settle()
    this.#forget()
    this.#controller ??= new AbortController()
    this.#controller.abort()
  }

  #settleIfDone(): void {
    if (this.#busy > 0) return
    if (this.#isClosing && this.#taken.isThrough) return this.cut()
    if (this.#isOver) this.#settle()
  }

  #settle(): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#taken.release()
    if (this.source.isInHand) this.source.giveBack()
  }

  // ---- reading ----

  /** Until the handlers of before are done, one item is taken, so that a partition that is stuck can be seen from outside. */
  #mayBegin(mayRead: boolean, now: number): boolean {
    if (this.#predecessor!.isEnded) {
      this.#predecessor = null
      return true
    }
    if (mayRead && this.#taken.count === 0) {
      const task = this.#read(now)
      if (task !== null) this.#taken.ready(task)
    }
    return false
  }

  /** What was taken before the last item that began: `leave`. */
  #nextBeforeEnd(): Task | null {
    this.#settleIfDone()
    return this.#isOver ? null : this.#taken.next()
  }

  /** Looks whether the position was set anew. Then what was taken is of no account, or, after a reset, is finished before anything is read. */
  #follow(): boolean {
    const { serial } = this.source
    if (serial === this.#serial) return true
    if (!this.source.isInHand) this.#forget()
    if (this.#taken.count > 0 || this.#busy > 0) return false
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
      if (this.#taken.lineUp(task)) return task
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
    this.#taken.run(task, false)
    this.#taken.disperse()
    this.#hold(task, now)
    return null
  }

  #register(task: Task): void {
    this.source.describe(task)
    this.#taken.add(task)
    if (this.#settings.orderedBy === 'key') task.chain = this.source.chainOf(task)
  }

  #hasRoom(now: number): boolean {
    if (now < this.heldUntil) return false
    if (this.#taken.count === 0) return true
    const { orderedBy, windowRecords, windowBytes } = this.#settings
    if (orderedBy === 'partition' || this.#taken.span >= windowRecords || this.#taken.bytes >= windowBytes) return false
    this.isStarved = this.#taken.isBudgetSpent
    return !this.isStarved
  }

  #hold(task: Task, now: number): void {
    this.#held = task
    this.heldUntil = task.dueAt
    if (task.dueAt - now <= this.#settings.holdMs || this.#taken.count > 1 || this.#busy > 0) return
    this.#forget()
    this.source.giveBack()
    this.#serial = this.source.serial
  }

  // ---- accounts ----

  /** Nothing else was in hand. */
  #endAlone(task: Task): void {
    this.#alone = null
    task.isDecoded = false
    if (!this.#isSettled) this.source.handled()
    this.#settleIfDone()
  }

  #report(): void {
    if (!this.source.isInHand || this.source.serial !== this.#serial) return this.#reportMoved()
    if (this.#taken.span === 0) this.source.handled()
    else this.source.handledUpTo(this.#taken.handledOffset, this.#taken.handledEpoch)
  }

  /** The position was set anew meanwhile: what is in hand from before, if it still counts, is released as a whole. */
  #reportMoved(): void {
    if (this.source.isInHand && this.#taken.span === 0) this.source.handled()
  }

  #forget(): void {
    this.#taken.forget()
    this.#held = null
  }
}
