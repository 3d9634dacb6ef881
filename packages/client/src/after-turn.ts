/** Calls one function after the current turn, once however often it is asked to: what is asked for together is done together. */
export class AfterTurn {
  readonly #action: () => void
  #isScheduled = false

  constructor(action: () => void) {
    this.#action = action
  }

  schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    void Promise.resolve().then(() => {
      this.#isScheduled = false
      this.#action()
    })
  }
}
