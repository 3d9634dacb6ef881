import type { Clock } from '../core/clock.ts'
import { ReadMemory } from '../storage/read-memory.ts'
import { FetchSessions } from './fetch-session.ts'
import { ParkedRequests } from './parked-requests.ts'

/** What Fetch and Produce keep between requests: the sessions of consumers, and the requests that wait; and the memory of replies. */
export class FetchService {
  readonly sessions: FetchSessions
  readonly parked: ParkedRequests
  readonly memory: ReadMemory = new ReadMemory()

  /** `random` gives numbers in [0, 1). */
  constructor(clock: Clock, random: () => number) {
    this.sessions = new FetchSessions(random)
    this.parked = new ParkedRequests(clock)
  }
}
