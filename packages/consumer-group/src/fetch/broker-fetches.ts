import type { FetchRequest } from '@millrace/protocol/apis/fetch'
import { FetchSession, type FetchTarget } from './fetch-session.ts'
import type { PartitionCursor } from './partition-cursor.ts'

/** One fetch from one broker. */
export interface FetchCall {
  readonly node: number
  readonly request: FetchRequest
  readonly maxVersion: number | undefined
  /** Not in the session, and on a connection of its own: it does not wait for data, while that of the session may. */
  readonly isAside: boolean
  /** What the fetch is for, with the offset that each was at. */
  readonly wanted: ReadonlyMap<PartitionCursor, FetchTarget>
}

/** What is under way with one broker: one fetch in the session and, while that may wait for data, one beside it. */
export class BrokerFetches {
  readonly session: FetchSession = new FetchSession()
  #inSession: FetchCall | null = null
  #aside: FetchCall | null = null
  /** Nothing is asked of it before. */
  retryAt = 0
  /** Since its last answer. */
  failures = 0

  /** A fetch of the session is out and may wait at the broker: what it does not ask for may be asked beside it. */
  get isWaiting(): boolean {
    return this.#inSession !== null && this.#inSession.request.maxWaitMs > 0
  }

  /** Nothing is sent before an answer that is near: what that asks for may be asked together with the rest then. */
  get isBusy(): boolean {
    return this.#aside !== null || (this.#inSession !== null && !this.isWaiting)
  }

  sent(call: FetchCall): void {
    if (call.isAside) this.#aside = call
    else this.#inSession = call
    for (const cursor of call.wanted.keys()) cursor.fetch = call
  }

  /** Whether it was answered or not. */
  ended(call: FetchCall): void {
    if (call.isAside) this.#aside = null
    else this.#inSession = null
    for (const cursor of call.wanted.keys()) if (cursor.fetch === call) cursor.fetch = null
  }
}
