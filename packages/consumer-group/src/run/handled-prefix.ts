const INITIAL_CAPACITY = 16

// What an item is at. `IDLE`: it was taken, and no handler has it now.
const IDLE = 0
const RUNNING = 1
const OVER = 2

/**
 * What was taken of one partition, in the order of its offsets, and which of it is over. Handlers end in any order; what may be committed is
 * only what lies before the first one that is not over. A ring of 13 bytes for each item between that one and the last taken.
 */
export class HandledPrefix {
  #offsets = new Float64Array(INITIAL_CAPACITY)
  #epochs = new Int32Array(INITIAL_CAPACITY)
  #states = new Uint8Array(INITIAL_CAPACITY)
  /** Items are numbered as they come; those from head to before tail are here. */
  #head = 0
  #tail = 0
  #epoch = -1

  /** How many items lie between the first that is not over and the last taken, both counted. */
  get length(): number {
    return this.#tail - this.#head
  }

  /** Where the first item that is not over begins: everything before it was handled. -1 when there is none. */
  get offset(): number {
    return this.#head === this.#tail ? -1 : this.#offsets[this.#at(this.#head)]!
  }

  /** Leader epoch of the record before `offset`; -1 if unknown. */
  get epoch(): number {
    return this.#epoch
  }

  /**
   * An item was taken; gives back its number.
   * @param epoch leader epoch of its last record
   */
  add(offset: number, epoch: number): number {
    if (this.length === this.#offsets.length) this.#grow()
    const at = this.#at(this.#tail)
    this.#offsets[at] = offset
    this.#epochs[at] = epoch
    this.#states[at] = IDLE
    return this.#tail++
  }

  has(item: number): boolean {
    return item >= this.#head && item < this.#tail && this.#states[this.#at(item)] !== OVER
  }

  /** A handler has the item, or has it no more. Of one that is over nothing is noted. */
  run(item: number, isRunning: boolean): void {
    if (this.has(item)) this.#states[this.#at(item)] = isRunning ? RUNNING : IDLE
  }

  /** The last item that is over or that a handler has; -1 without one. */
  get lastBegun(): number {
    let item = this.#tail - 1
    while (item >= this.#head && this.#states[this.#at(item)] === IDLE) item--
    return item < this.#head ? -1 : item
  }

  /** How many of the items before this one no handler has, and are not over. */
  idleBefore(item: number): number {
    let count = 0
    for (let at = this.#head; at < item; at++) if (this.#states[this.#at(at)] === IDLE) count++
    return count
  }

  /** A part of the item, up to before `offset`, is over. Gives back whether that moves `offset` of the whole. */
  advance(item: number, offset: number): boolean {
    this.#offsets[this.#at(item)] = offset
    if (item !== this.#head) return false
    this.#epoch = -1
    return true
  }

  /** The item is over. Gives back whether that moves `offset`. */
  end(item: number): boolean {
    this.#states[this.#at(item)] = OVER
    if (item !== this.#head) return false
    do this.#epoch = this.#epochs[this.#at(this.#head++)]!
    while (this.#head !== this.#tail && this.#states[this.#at(this.#head)] === OVER)
    return true
  }

  /** Nothing that was taken is of any account. */
  clear(): void {
    this.#head = this.#tail
  }

  #at(item: number): number {
    return item & (this.#offsets.length - 1)
  }

  #grow(): void {
    const { length } = this
    const offsets = new Float64Array(length * 2)
    const epochs = new Int32Array(length * 2)
    const states = new Uint8Array(length * 2)
    for (let item = this.#head; item < this.#tail; item++) {
      const from = this.#at(item)
      const to = item & (length * 2 - 1)
      offsets[to] = this.#offsets[from]!
      epochs[to] = this.#epochs[from]!
      states[to] = this.#states[from]!
    }
    this.#offsets = offsets
    this.#epochs = epochs
    this.#states = states
  }
}
