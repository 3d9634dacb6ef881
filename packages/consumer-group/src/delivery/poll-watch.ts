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
  /** Whether the application ever asked for anything: before that there is nothing to watch. */
  #hasBegun = false

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
    this.#hasBegun = true
    if (this.#nextCheck === Infinity) this.#watch(now, now)
  }

  check(now: number, cursors: Iterable<PartitionCursor>): void {
    if (this.#waiting > 0) {
      this.#hasBegun = true
      if (isNothingInHand(cursors)) return this.#stop(now)
    }
    if (!this.#hasBegun || (this.#nextCheck !== Infinity && now < this.#nextCheck)) return
    this.#watch(now, this.#look(now, cursors))
  }

  /** The application waits for us. */
  #stop(now: number): void {
    this.#askedAt = now
    this.#sightings.clear()
    if (this.#nextCheck === Infinity) return
    this.#nextCheck = Infinity
    this.#setDeadline(Infinity, now)
  }

  /** Since when a partition is in hand without any progress, at most `now`. */
  #look(now: number, cursors: Iterable<PartitionCursor>): number {
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
    return stuckSince
  }

  #watch(now: number, stuckSince: number): void {
    const isFirst = this.#nextCheck === Infinity
    if (isFirst || this.#asked !== this.#askedBefore) this.#askedAt = now
    this.#askedBefore = this.#asked
    this.#nextCheck = now + Math.max(1, this.#maxPollIntervalMs / POLL_CHECKS_PER_INTERVAL)
    this.#setDeadline(Math.min(this.#askedAt, stuckSince) + this.#maxPollIntervalMs, now)
  }
}

function isNothingInHand(cursors: Iterable<PartitionCursor>): boolean {
  for (const cursor of cursors) if (cursor.inHandFrom >= 0) return false
  return true
}
