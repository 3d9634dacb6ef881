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
