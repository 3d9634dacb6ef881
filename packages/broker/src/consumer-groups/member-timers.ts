import type { Deadline, Deadlines } from '../core/deadlines.ts'

/**
 * session: the member was not heard of. rebalance: it did not give its partitions back. join and sync: a member of the classic
 * protocol did not do these in time.
 */
export type TimerKind = 'session' | 'rebalance' | 'join' | 'sync'

const KINDS: readonly TimerKind[] = ['session', 'rebalance', 'join', 'sync']

/** The timers of the members of consumer groups, of each kind one. */
export class MemberTimers {
  readonly #deadlines: Deadlines
  readonly #timers = new Map<string, Deadline>()

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines
  }

  /** Starts the timer, in place of one that runs. */
  start(kind: TimerKind, group: string, member: string, at: number, action: (now: number) => void): void {
    const key = keyOf(kind, group, member)
    this.#timers.get(key)?.cancel()
    const deadline = this.#deadlines.schedule(at, (now) => {
      this.#timers.delete(key)
      action(now)
    })
    this.#timers.set(key, deadline)
  }

  /** Starts the timer, or moves the one that runs: its action stays. */
  extend(kind: TimerKind, group: string, member: string, at: number, action: (now: number) => void): void {
    const running = this.#timers.get(keyOf(kind, group, member))
    if (running === undefined) this.start(kind, group, member, at, action)
    else running.moveTo(at)
  }

  isRunning(kind: TimerKind, group: string, member: string): boolean {
    return this.#timers.has(keyOf(kind, group, member))
  }

  cancel(kind: TimerKind, group: string, member: string): void {
    const key = keyOf(kind, group, member)
    this.#timers.get(key)?.cancel()
    this.#timers.delete(key)
  }

  cancelAll(group: string, member: string): void {
    for (const kind of KINDS) this.cancel(kind, group, member)
  }
}

/** A group id may hold any character, so its length keeps it apart from the member's id. */
function keyOf(kind: TimerKind, group: string, member: string): string {
  return `${kind} ${group.length} ${group} ${member}`
}
