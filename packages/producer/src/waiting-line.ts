import { COMPACT_AFTER } from './limits.ts'
import type { WaitingSend } from './waiting-sends.ts'

/** First in, first out, unless taken out before; taking from a long line costs no more than from a short one. */
export class WaitingLine implements Iterable<WaitingSend> {
  #sends: WaitingSend[] = []
  #head = 0
  /** Sends behind the head that were taken out and still have their place. */
  #gaps = 0

  get length(): number {
    return this.#sends.length - this.#head - this.#gaps
  }

  get first(): WaitingSend | undefined {
    return this.#sends[this.#head]
  }

  push(send: WaitingSend): void {
    this.#sends.push(send)
  }

  removeFirst(): void {
    this.#sends[this.#head]!.isOver = true
    this.#gaps++
    this.#passGaps()
  }

  /** Takes a send out of the line wherever it stands. False when it was not there any more. */
  remove(send: WaitingSend): boolean {
    if (send.isOver) return false
    send.isOver = true
    this.#gaps++
    this.#passGaps()
    // Those behind a send that waits long must not keep their records for as long.
    if (this.#gaps >= COMPACT_AFTER && this.#gaps > this.length) this.#compact()
    return true
  }

  *[Symbol.iterator](): Iterator<WaitingSend> {
    for (let at = this.#head; at < this.#sends.length; at++) if (!this.#sends[at]!.isOver) yield this.#sends[at]!
  }

  clear(): void {
    for (let at = this.#head; at < this.#sends.length; at++) this.#sends[at]!.isOver = true
    this.#sends = []
    this.#head = 0
    this.#gaps = 0
  }

  #passGaps(): void {
    while (this.#head < this.#sends.length && this.#sends[this.#head]!.isOver) {
      this.#head++
      this.#gaps--
    }
    if (this.#head === this.#sends.length || (this.#head >= COMPACT_AFTER && this.#head * 2 >= this.#sends.length))
      this.#compact()
  }

  #compact(): void {
    this.#sends = [...this]
    this.#head = 0
    this.#gaps = 0
  }
}
