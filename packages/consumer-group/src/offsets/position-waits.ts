import { aborted, type Clock } from '@millrace/client/internal'

/** Those who wait for a position to be found, or to fail. */
export class PositionWaits {
  readonly #clock: Clock
  readonly #waiting = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Something has changed: each looks for itself. */
  wake(): void {
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resume of waiting) resume()
  }

  /**
   * Resolves at the next change, or after `timeoutMs`.
   * @throws {KafkaError} ABORTED as a rejection
   */
  next(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(aborted(signal))
      const end = (): void => {
        this.#waiting.delete(resume)
        timer.cancel()
        signal?.removeEventListener('abort', onAbort)
      }
      const resume = (): void => {
        end()
        resolve()
      }
      const onAbort = (): void => {
        end()
        reject(aborted(signal!))
      }
      const timer = this.#clock.after(timeoutMs, resume)
      this.#waiting.add(resume)
      signal?.addEventListener('abort', onAbort)
    })
  }
}
