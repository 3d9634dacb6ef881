interface Entry<Item> {
  readonly dueAt: number
  readonly item: Item
}

/** What is to happen at some time, earliest first: a binary heap. */
export class DueHeap<Item> {
  readonly #heap: Entry<Item>[] = []

  get size(): number {
    return this.#heap.length
  }

  /** `Infinity` when nothing is to come. */
  get deadline(): number {
    return this.#heap[0]?.dueAt ?? Infinity
  }

  add(dueAt: number, item: Item): void {
    const heap = this.#heap
    let at = heap.length
    const entry = { dueAt, item }
    heap.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]!.dueAt <= dueAt) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = entry
  }

  /** The earliest if it is due, which is then gone from here. */
  take(now: number): Item | null {
    const heap = this.#heap
    const first = heap[0]
    if (first === undefined || first.dueAt > now) return null
    const last = heap.pop()!
    if (heap.length > 0) this.#sink(last)
    return first.item
  }

  clear(): void {
    this.#heap.length = 0
  }

  #sink(entry: Entry<Item>): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.dueAt < heap[child]!.dueAt) child++
      if (heap[child]!.dueAt >= entry.dueAt) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = entry
  }
}
