/** Counts what each member read, up to a limit. */
export class Tally {
  readonly #limit: number
  readonly #perMember = new Map<string, number>()
  #total = 0
  #firstAt: number | undefined
  #lastAt = 0

  /** @param limit how many events to take; `undefined`: all of them */
  constructor(limit: number | undefined) {
    this.#limit = limit ?? Infinity
  }

  get full(): boolean {
    return this.#total >= this.#limit
  }

  /** Counts one event for this member, at this time in milliseconds; false when the limit was reached before. */
  take(member: string, now: number): boolean {
    if (this.full) return false
    this.#total++
    this.#perMember.set(member, (this.#perMember.get(member) ?? 0) + 1)
    this.#firstAt ??= now
    this.#lastAt = now
    return true
  }

  /** One line each for the total and for the members' shares. */
  summary(members: readonly string[]): string {
    const seconds = (this.#lastAt - (this.#firstAt ?? this.#lastAt)) / 1000
    const rate = seconds > 0 ? `${Math.round(this.#total / seconds)} events/s` : 'all at once'
    const shares = members.map((member) => {
      const count = this.#perMember.get(member) ?? 0
      return `${member} ${count} (${this.#total === 0 ? 0 : Math.round((100 * count) / this.#total)} %)`
    })
    return `read ${this.#total} events in ${seconds.toFixed(1)} s (${rate})\n${shares.join(', ')}`
  }
}
