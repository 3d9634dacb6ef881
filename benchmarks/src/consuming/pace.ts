import { setTimeout as sleep } from 'node:timers/promises'
import { BACKLOG_SLEEP_MS } from '../limits.ts'

/** What slows handlers down: together they let through so many bytes a second, and sleep when they are ahead. */
export class Pace {
  readonly #bytesPerMs: number
  readonly #startedAt: number = performance.now()
  messages = 0
  bytes = 0

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000
  }

  /** What was handled, and a promise to wait for when that was too fast. */
  handled(messages: number, bytes: number): Promise<void> | undefined {
    this.messages += messages
    this.bytes += bytes
    const aheadMs = this.bytes / this.#bytesPerMs - (performance.now() - this.#startedAt)
    return aheadMs < BACKLOG_SLEEP_MS ? undefined : sleep(aheadMs)
  }
}
