/** Counts down what a `flush` waits for. */
export class FlushWait {
  readonly #done: () => void
  #left = 0

  constructor(done: () => void) {
    this.#done = done
  }

  expect(count: number): void {
    this.#left += count
  }

  arrived(): void {
    if (--this.#left === 0) this.#done()
  }
}

/** Has a flush wait for a batch, or for a send that waits. */
export function waitForFlush(pending: { flushes: FlushWait[] | null }, wait: FlushWait): void {
  if (pending.flushes?.includes(wait)) return
  wait.expect(1)
  if (pending.flushes === null) pending.flushes = [wait]
  else pending.flushes.push(wait)
}
