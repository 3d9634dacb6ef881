/** When a member last heard of its coordinator, and when the next heartbeat is due: one at a time. */
export class Heartbeats {
  #sessionTimeoutMs: number
  intervalMs: number
  #serial = 0
  #isPending = false
  #nextAt = Infinity
  #lastContact = 0
  /** Until when silence is borne before it is told (again). */
  #silenceAt = Infinity

  constructor(intervalMs: number, sessionTimeoutMs: number) {
    this.intervalMs = intervalMs
    this.#sessionTimeoutMs = sessionTimeoutMs
  }

  /** When something is due by time. */
  get deadline(): number {
    return Math.min(this.#silenceAt, this.#isPending ? Infinity : this.#nextAt)
  }

  /** Whether one is on its way. */
  get isPending(): boolean {
    return this.#isPending
  }

  /** What was believed of it was wrong. */
  setSessionTimeout(sessionTimeoutMs: number): void {
    this.#sessionTimeoutMs = sessionTimeoutMs
    if (this.#silenceAt !== Infinity) this.#silenceAt = this.#lastContact + sessionTimeoutMs
  }

  /** The coordinator answered something that keeps the session alive. */
  contact(now: number): void {
    this.#lastContact = now
    this.#silenceAt = now + this.#sessionTimeoutMs
  }

  /** The next one is due an interval from now. */
  schedule(now: number): void {
    this.#nextAt = now + this.intervalMs
  }

  /** The next one is due at this time, if not before. */
  hurry(at: number): void {
    this.#nextAt = Math.min(this.#nextAt, at)
  }

  /** The next one is due at this time and not before. */
  postpone(at: number): void {
    this.#nextAt = at
  }

  /** Whether a heartbeat is to be sent now. */
  isDue(now: number): boolean {
    return !this.#isPending && now >= this.#nextAt
  }

  /** @returns the serial of the heartbeat that is sent */
  send(now: number): number {
    this.#isPending = true
    this.schedule(now)
    return ++this.#serial
  }

  /** False for the answer to one that is not waited for any more. */
  answered(serial: number): boolean {
    if (serial !== this.#serial || !this.#isPending) return false
    this.#isPending = false
    return true
  }

  /** How long it was silent, each time that a session is over without contact; else null. */
  silence(now: number): number | null {
    if (now < this.#silenceAt) return null
    this.#silenceAt = now + this.#sessionTimeoutMs
    return now - this.#lastContact
  }

  sinceContact(now: number): number {
    return now - this.#lastContact
  }

  /** Nothing more of what is on its way counts, and nothing is due. */
  stop(): void {
    this.#isPending = false
    this.#serial++
    this.#nextAt = Infinity
    this.#silenceAt = Infinity
  }
}
