import { COMPACT_AFTER } from './limits.ts'
import type { WaitingSend } from './waiting-sends.ts'

/** First in, first out; taking from a long line costs no more than from a short one. */
export class WaitingLine implements Iterable<WaitingSend> {
  #sends: WaitingSend[] = []
  #head = 0

  get length(): number {
    return this.#sends.length - this.#head
  }

  get first(): WaitingSend | undefined {
    return this.#sends[this.#head]
  }

  push(send: WaitingSend): void {
    this.#sends.push(send)
  }

  removeFirst(): void {
    this.#head++
    if (this.#head === this.#sends.length) {
      this.#sends = []
      this.#head = 0
    } else if (this.#head >= COMPACT_AFTER && this.#head * 2 >= this.#sends.length) {
      this.#sends = this.#sends.slice(this.#head)
      this.#head = 0
    }
  }

  *[Symbol.iterator](): Iterator<WaitingSend> {
    for (let at = this.#head; at < this.#sends.length; at++) yield this.#sends[at]!
  }

  clear(): void {
    this.#sends = []
    this.#head = 0
  }
}
