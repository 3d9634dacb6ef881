import { Chains } from './chains.ts'
import { HandledPrefix } from './handled-prefix.ts'
import type { Task } from './task.ts'

/** Bytes of what is taken and not over, of all lanes. */
export interface ByteBudget {
  used: number
  readonly limit: number
}

/** The items of one partition that were taken and are not over: how much that is, which of them may begin, and before which offset all are over. */
export class TakenItems {
  readonly #budget: ByteBudget
  readonly #prefix = new HandledPrefix()
  readonly #chains = new Chains()
  #generation = 0
  #count = 0
  #bytes = 0
  /** Of `close`: nothing begins from this item on, and how many before it that no handler has. */
  #closeAt = Infinity
  #toDo = 0

  constructor(budget: ByteBudget) {
    this.#budget = budget
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  get isBudgetSpent(): boolean {
    return this.#budget.used >= this.#budget.limit
  }

  /** How many lie between the first that is not over and the last, both counted. */
  get span(): number {
    return this.#prefix.length
  }

  /** Where the first that is not over begins; -1 without one. */
  get handledOffset(): number {
    return this.#prefix.offset
  }

  /** Leader epoch of the record before that. */
  get handledEpoch(): number {
    return this.#prefix.epoch
  }

  get hasRunnable(): boolean {
    return this.#chains.hasRunnable
  }

  /** After `close`: whether anything may begin still, now or when something else is over. */
  get isThrough(): boolean {
    return this.#toDo === 0
  }

  add(task: Task): void {
    task.generation = this.#generation
    task.number = this.#prefix.add(task.offset, task.epoch)
    this.#count++
    this.#bytes += task.sizeInBytes
    this.#budget.used += task.sizeInBytes
  }

  /** Whether what becomes of it is of no account any more. */
  isStale(task: Task): boolean {
    return task.generation !== this.#generation
  }

  /** Whether it, or a part of it, does not count as handled. */
  isOpen(task: Task): boolean {
    return this.#prefix.has(task.number)
  }

  // ---- what may begin ----

  /** The item gets in line behind those with its key. Gives back whether it is the first, so that it may begin. */
  lineUp(task: Task): boolean {
    return this.#chains.add(task)
  }

  /** It may begin, when it is its turn. */
  ready(task: Task): void {
    this.#chains.push(task)
  }

  /** The oldest that is ready. */
  next(): Task | null {
    const task = this.#chains.next()
    return task !== null && task.number < this.#closeAt ? task : null
  }

  /** A handler has the item, or has it no more. */
  run(task: Task, isRunning: boolean): void {
    this.#prefix.run(task.number, isRunning)
    if (task.number < this.#closeAt && this.#closeAt !== Infinity) this.#toDo += isRunning ? -1 : 1
  }

  /** From now on only what lies before the last item that began may begin; or nothing. */
  close(mayFinish: boolean): void {
    this.#closeAt = mayFinish ? this.#prefix.lastBegun : -1
    this.#toDo = this.#prefix.idleBefore(this.#closeAt)
  }

  /** Nobody is in line any more. */
  disperse(): void {
    this.#chains.clear()
  }

  // ---- what is over ----

  /** It is off the books, and the next one with its key may begin. Gives back whether `handledOffset` moved. */
  over(task: Task): boolean {
    this.#count--
    this.#bytes -= task.sizeInBytes
    this.#budget.used -= task.sizeInBytes
    this.#chains.ended(task)
    return this.end(task)
  }

  /** It counts as handled. Gives back whether `handledOffset` moved. */
  end(task: Task): boolean {
    return this.#prefix.has(task.number) && this.#prefix.end(task.number)
  }

  /** What of it lies before this offset counts as handled. Gives back whether `handledOffset` moved. */
  advance(task: Task, offset: number): boolean {
    return this.#prefix.advance(task.number, offset)
  }

  /** Nothing of it is held any more. */
  release(): void {
    this.#budget.used -= this.#bytes
    this.#bytes = 0
  }

  /** Nothing that was taken is of any account. */
  forget(): void {
    this.#generation++
    this.#prefix.clear()
    this.#chains.clear()
    this.#toDo = 0
    this.#count = 0
    this.release()
  }
}
