import { DueHeap } from './due-heap.ts'
import { NO_CHAIN, type Task } from './task.ts'

/** The items of one lane that wait for their turn: each for the one before it with the same key, and those that may begin, the oldest first. */
export class Chains {
  /** The last item of each key that has any. */
  readonly #last = new Map<number, Task>()
  /** By their numbers: what lies farthest back is what keeps the handled prefix from growing. */
  readonly #runnable = new DueHeap<Task>()

  get hasRunnable(): boolean {
    return this.#runnable.size > 0
  }

  /** A new item is the last of its key. Gives back whether nothing is before it, so that it may begin. */
  add(task: Task): boolean {
    if (task.chain === NO_CHAIN) return true
    const before = this.#last.get(task.chain)
    this.#last.set(task.chain, task)
    if (before === undefined) return true
    before.nextInChain = task
    return false
  }

  /** It may begin (again). */
  push(task: Task): void {
    this.#runnable.add(task.number, task)
  }

  /** The oldest that may begin. */
  next(): Task | null {
    return this.#runnable.take(Infinity)
  }

  /** The item is over: the next one of its key may begin. */
  ended({ chain, nextInChain, number }: Task): void {
    if (chain === NO_CHAIN) return
    if (nextInChain !== null) this.push(nextInChain)
    else if (this.#last.get(chain)?.number === number) this.#last.delete(chain)
  }

  clear(): void {
    this.#last.clear()
    this.#runnable.clear()
  }
}
