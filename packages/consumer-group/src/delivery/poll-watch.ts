import type { PartitionCursor } from '../fetch/partition-cursor.ts'
import { POLL_CHECKS_PER_INTERVAL } from '../limits.ts'

/** What was seen of a partition in hand, and since when. */
interface Sighting {
  readonly inHandFrom: number
  readonly since: number
}

/**
 * Whether the application makes progress (`maxPollIntervalMs`): it asks for records, and comes back from each that it was given. It is looked at a few
 * times per interval, so that handing out a record costs no look at the clock.
 */
export class PollWatch {
  readonly #maxPollIntervalMs: number
  readonly #setDeadline: (deadline: number, now: number) => void
  #sightings = new Map<PartitionCursor, Sighting>()
  #waiting = 0
  #asked = 0
  #askedBefore = 0
  #askedAt = 0
  #nextCheck = Infinity

  /** @param setDeadline told until when there must be progress; `Infinity` while the application waits for us */
  constructor(maxPollIntervalMs: number, setDeadline: (deadline: number, now: number) => void) {
    this.#maxPollIntervalMs = maxPollIntervalMs
    this.#setDeadline = setDeadline
  }

  /** When `check` is next due; `Infinity` while the application waits for us. */
  get nextCheck(): number {
    return this.#nextCheck
  }

  /** When the application last asked for something, to within a check; 0 if it never did. */
  get askedAt(): number {
    return this.#askedAt
  }

  /** How many loops wait for us to have something. */
  get waiting(): number {
    return this.#waiting
  }

  asked(): void {
    this.#asked++
  }

  waits(): void {
    this.#waiting++
  }

  /** One that waited got something, or gave up. */
  served(): void {
    this.#waiting--
  }

  /** Something is in the application's hands: from now on it must make progress. */
  start(now: number): void {
    if (this.#nextCheck === Infinity) this.#watch(now)
  }

  check(now: number, cursors: Iterable<PartitionCursor>): void {
    const before = this.#sightings
    this.#sightings = new Map()
    let stuckSince = now
    for (const cursor of cursors) {
      const { inHandFrom } = cursor
      if (inHandFrom < 0) continue
      const known = before.get(cursor)
      const sighting = known?.inHandFrom === inHandFrom ? known : { inHandFrom, since: now }
      this.#sightings.set(cursor, sighting)
      stuckSince = Math.min(stuckSince, sighting.since)
    }
    if (this.#waiting > 0 && this.#sightings.size === 0) {
      this.#askedAt = now
      if (this.#nextCheck === Infinity) return
      this.#nextCheck = Infinity
      return this.#setDeadline(Infinity, now)
    }
    if (this.#nextCheck === Infinity || now >= this.#nextCheck) this.#watch(now, stuckSince)
  }

  #watch(now: number, stuckSince = now): void {
    const isFirst = this.#nextCheck === Infinity
    if (isFirst || this.#asked !== this.#askedBefore) this.#askedAt = now
    this.#askedBefore = this.#asked
    this.#nextCheck = now + Math.max(1, this.#maxPollIntervalMs / POLL_CHECKS_PER_INTERVAL)
    this.#setDeadline(Math.min(this.#askedAt, stuckSince) + this.#maxPollIntervalMs, now)
  }
}
