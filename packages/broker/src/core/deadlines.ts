/** Something that is to happen at a time, unless it is moved or cancelled before. */
export interface Deadline {
  /** Epoch ms. */
  readonly at: number
  readonly active: boolean
  moveTo(at: number): void
  cancel(): void
}

interface HeapEntry {
  readonly at: number
  readonly deadline: PendingDeadline
}

/**
 * Many deadlines, most of which move before they are due (a session that heartbeats extend). Moving one later costs nothing:
 * its place in the heap is corrected when it comes up. Nothing here knows the time: `fire` is told.
 */
export class Deadlines {
  readonly #heap: HeapEntry[] = []
  readonly #onEarlier: (at: number) => void

  /** @param onEarlier called when the next deadline may now be earlier than before */
  constructor(onEarlier: (at: number) => void = () => {}) {
    this.#onEarlier = onEarlier
  }

  /** When `fire` has something to do at the earliest; Infinity when there is nothing. */
  get next(): number {
    return this.#heap[0]?.at ?? Infinity
  }

  schedule(at: number, action: (now: number) => void): Deadline {
    const deadline = new PendingDeadline(at, action, (moved) => this.#push(moved))
    this.#push(deadline)
    return deadline
  }

  /** Runs what is due, in order of time. */
  fire(now: number): void {
    while (this.next <= now) {
      const { at, deadline } = this.#pop()
      if (!deadline.active || deadline.queuedAt !== at) continue
      if (deadline.at > now) this.#push(deadline)
      else deadline.run(now)
    }
  }

  #push(deadline: PendingDeadline): void {
    const before = this.next
    deadline.queuedAt = deadline.at
    const heap = this.#heap
    const entry = { at: deadline.at, deadline }
    let i = heap.push(entry) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (heap[parent]!.at <= entry.at) break
      heap[i] = heap[parent]!
      i = parent
    }
    heap[i] = entry
    if (entry.at < before) this.#onEarlier(entry.at)
  }

  #pop(): HeapEntry {
    const heap = this.#heap
    const top = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return top
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++
      if (heap[child]!.at >= last.at) break
      heap[i] = heap[child]!
      i = child
    }
    heap[i] = last
    return top
  }
}

class PendingDeadline implements Deadline {
  at: number
  active = true
  /** The time under which it lies in the heap; entries with another time are stale. */
  queuedAt: number
  readonly #action: (now: number) => void
  readonly #requeue: (deadline: PendingDeadline) => void

  constructor(at: number, action: (now: number) => void, requeue: (deadline: PendingDeadline) => void) {
    this.at = at
    this.queuedAt = at
    this.#action = action
    this.#requeue = requeue
  }

  moveTo(at: number): void {
    if (!this.active) return
    this.at = at
    if (at < this.queuedAt) this.#requeue(this)
  }

  cancel(): void {
    this.active = false
  }

  run(now: number): void {
    this.active = false
    this.#action(now)
  }
}
