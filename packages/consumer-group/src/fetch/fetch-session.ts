import { ErrorCode } from '@millrace/protocol'

/** A partition to be in the next fetch. */
export interface FetchTarget {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly fetchOffset: number
  readonly leaderEpoch: number
  readonly maxBytes: number
}

export interface PlannedFetch {
  readonly sessionId: number
  readonly sessionEpoch: number
  /** Those that the broker does not know as they are now; in a full fetch, all. */
  readonly targets: readonly FetchTarget[]
  readonly forgotten: readonly FetchTarget[]
}

const NO_SESSION = 0
const FIRST_EPOCH = 0
/** Of a fetch outside of every session (Java: FetchMetadata.FINAL_EPOCH). */
const FINAL_EPOCH = -1
const EPOCH_MAX = 0x7fffffff

/** A fetch of exactly these, which the broker does not remember and which leaves every session as it is. */
export function sessionless(targets: readonly FetchTarget[]): PlannedFetch {
  return { sessionId: NO_SESSION, sessionEpoch: FINAL_EPOCH, targets, forgotten: [] }
}

/**
 * One broker's incremental fetch session (KIP-227; Java: FetchSessionHandler): the broker remembers which partitions we
 * fetch from where, and each request says only what is different. A broker that answers with session 0 keeps none.
 */
export class FetchSession {
  #id = NO_SESSION
  #epoch = FIRST_EPOCH
  /** What the broker will have once it has seen the last planned fetch. */
  #known = new Map<string, Map<number, FetchTarget>>()

  plan(wanted: readonly FetchTarget[]): PlannedFetch {
    const before = this.#known
    const isFull = this.#epoch === FIRST_EPOCH
    this.#known = indexed(wanted)
    if (isFull) return { sessionId: this.#id, sessionEpoch: this.#epoch, targets: wanted, forgotten: [] }
    const targets = wanted.filter((target) => !isSame(before.get(target.topic)?.get(target.partition), target))
    const forgotten: FetchTarget[] = []
    for (const partitions of before.values()) {
      for (const old of partitions.values()) {
        const now = this.#known.get(old.topic)?.get(old.partition)
        if (now === undefined || now.topicId !== old.topicId) forgotten.push(old)
      }
    }
    return { sessionId: this.#id, sessionEpoch: this.#epoch, targets, forgotten }
  }

  /** The broker answered without an error of its own. */
  answered(sessionId: number): void {
    if (sessionId === NO_SESSION) return this.#restart(NO_SESSION)
    this.#id = sessionId
    this.#epoch = this.#epoch === EPOCH_MAX ? FIRST_EPOCH + 1 : this.#epoch + 1
  }

  /** The broker refused the fetch as a whole. */
  refused(errorCode: number): void {
    this.#restart(errorCode === ErrorCode.FETCH_SESSION_ID_NOT_FOUND ? NO_SESSION : this.#id)
  }

  /** No answer: whether the broker saw the last change is not known, so the next fetch replaces the session. */
  failed(): void {
    this.#restart(this.#id)
  }

  #restart(id: number): void {
    this.#id = id
    this.#epoch = FIRST_EPOCH
    this.#known = new Map()
  }
}

function indexed(targets: readonly FetchTarget[]): Map<string, Map<number, FetchTarget>> {
  const index = new Map<string, Map<number, FetchTarget>>()
  for (const target of targets) {
    const partitions = index.get(target.topic)
    if (partitions === undefined) index.set(target.topic, new Map([[target.partition, target]]))
    else partitions.set(target.partition, target)
  }
  return index
}

function isSame(known: FetchTarget | undefined, target: FetchTarget): boolean {
  return (
    known !== undefined &&
    known.topicId === target.topicId &&
    known.fetchOffset === target.fetchOffset &&
    known.leaderEpoch === target.leaderEpoch &&
    known.maxBytes === target.maxBytes
  )
}
