import type { Clock, Timer } from '../core/clock.ts'

/** setTimeout fires at once when asked to wait longer than this. */
const DELAY_MAX_MS = 2 ** 31 - 1

/** The machine's clock. Its timers do not keep the process alive. */
export const realClock: Clock = {
  now: () => Date.now(),
  after(delayMs: number, action: () => void): Timer {
    const handle = setTimeout(action, Math.min(Math.max(0, delayMs), DELAY_MAX_MS))
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}
