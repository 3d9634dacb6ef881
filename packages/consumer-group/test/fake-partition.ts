import type { LaneSource } from '../src/run/lane-source.ts'
import type { Task } from '../src/run/task.ts'

export interface FakeItem {
  readonly offset: number
  readonly chain: number
  readonly epoch: number
  readonly sizeInBytes: number
  readonly dueAt?: number
}

class BrokenRule extends Error {}

/** @throws {BrokenRule} with these words */
export function must(holds: boolean, rule: string): void {
  if (!holds) throw new BrokenRule(rule)
}

/** A partition with these items, which checks what it is told: nothing counts as handled that was not `done`. */
export class FakePartition implements LaneSource {
  readonly topic: string = 't'
  readonly partition: number
  readonly items: FakeItem[]
  /** Offsets whose handlers have ended well, since the position was last set. */
  done: Set<number> = new Set()
  isOurs = true
  isLost = false
  isPaused = false
  serial = 0
  /** Of the next item, among the items. */
  position: number
  #inHandFrom = -1
  /** Everything from here on to what is handled must be done. */
  #base: number

  constructor(partition: number, items: FakeItem[], position = 0) {
    this.partition = partition
    this.items = items
    this.position = position
    this.#base = position
  }

  get mayFinish(): boolean {
    return !this.isPaused
  }

  get isInHand(): boolean {
    return this.#inHandFrom >= 0
  }

  get hasMore(): boolean {
    return this.position < this.items.length
  }

  /** The first item that is not handled, among the items. */
  get handledTo(): number {
    if (this.#inHandFrom < 0) return this.position
    const at = this.items.findIndex(({ offset }) => offset >= this.#inHandFrom)
    return at < 0 ? this.items.length : at
  }

  next(task: Task): boolean {
    if (this.isPaused || !this.isOurs) throw new BrokenRule(`taken from a partition that may not be read`)
    const item = this.items[this.position]
    if (item === undefined) return false
    this.position++
    if (this.#inHandFrom < 0) this.#inHandFrom = item.offset
    const { offset, epoch, sizeInBytes, dueAt = 0 } = item
    Object.assign(task, { stored: item, item, offset, lastOffset: offset, epoch, sizeInBytes, dueAt })
    return true
  }

  goOn(task: Task): boolean {
    this.handled()
    const isThere = (this.items[this.position]?.dueAt ?? 0) === 0
    return isThere && this.next(task)
  }

  describe(): void {
    // `next` has said it all.
  }

  chainOf(task: Task): number {
    return (task.item as FakeItem).chain
  }

  handled(): void {
    this.#inHandFrom = -1
    this.#check()
  }

  handledUpTo(offset: number, epoch: number): void {
    if (offset <= this.#inHandFrom) throw new BrokenRule(`${offset} after ${this.#inHandFrom}`)
    this.#inHandFrom = offset
    const before = this.items[this.handledTo - 1]!
    if (before.epoch !== epoch) throw new BrokenRule(`the epoch before ${offset} is ${before.epoch}, not ${epoch}`)
    this.#check()
  }

  giveBack(): void {
    if (this.#inHandFrom >= 0) this.position = this.handledTo
    this.#inHandFrom = -1
    this.serial++
    this.#check()
  }

  seek(position: number): void {
    this.#inHandFrom = -1
    this.serial++
    this.position = position
    this.#base = position
    this.done = new Set()
  }

  #check(): void {
    if (this.isLost) return
    for (const { offset } of this.items.slice(this.#base, this.handledTo)) {
      if (!this.done.has(offset)) throw new BrokenRule(`${this.partition}: ${offset} counts as handled and is not done`)
    }
  }
}
