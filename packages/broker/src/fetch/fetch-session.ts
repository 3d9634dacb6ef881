import { ErrorCode } from '@millrace/protocol'
import type { FetchRequest, FetchTopic, PartitionData } from '@millrace/protocol/apis/fetch'
import { FETCH_SESSIONS_MAX, FETCH_SESSION_EVICTION_MS, FETCH_SESSION_PARTITIONS_MAX } from '../limits.ts'
import { FetchTarget } from './fetch-target.ts'

const NO_SESSION_ID = 0
const INITIAL_EPOCH = 0
const FINAL_EPOCH = -1
const SESSION_ID_MAX = 0x7fff_ffff

/** The partitions that a consumer fetches again and again, so that it need not list them each time (KIP-227). */
export class FetchSession {
  readonly id: number
  readonly usesTopicIds: boolean
  readonly createdAt: number
  lastUsedAt: number
  /** What the next request must carry. */
  epoch: number = INITIAL_EPOCH + 1
  /** In the order in which they are read: those that gave records last come last. */
  readonly targets: Map<string, FetchTarget>

  constructor(id: number, usesTopicIds: boolean, targets: Map<string, FetchTarget>, now: number) {
    this.id = id
    this.usesTopicIds = usesTopicIds
    this.targets = targets
    this.createdAt = now
    this.lastUsedAt = now
  }

  update(request: FetchRequest): void {
    for (const topic of request.topics) {
      for (const partition of topic.partitions) {
        const key = targetKey(this.usesTopicIds, topic.topic, topic.topicId, partition.partition)
        const known = this.targets.get(key)
        if (known === undefined) this.targets.set(key, new FetchTarget(topic.topic, topic.topicId, partition))
        else known.update(partition)
      }
    }
    for (const topic of request.forgottenTopicsData) {
      for (const partition of topic.partitions) {
        this.targets.delete(targetKey(this.usesTopicIds, topic.topic, topic.topicId, partition))
      }
    }
  }

  /** Puts a partition that gave records behind the others, so that none starves when the response is full. */
  moveToEnd(target: FetchTarget): void {
    const key = targetKey(this.usesTopicIds, target.topicName, target.topicId, target.partition)
    if (this.targets.delete(key)) this.targets.set(key, target)
  }
}

/** What a fetch request amounts to: which partitions to read, and how much of the outcome to tell. */
export interface FetchPlan {
  /** Not 0: the answer to the request as a whole. */
  readonly errorCode: number
  readonly targets: readonly FetchTarget[]
  /** The session of an incremental fetch: only news is told. */
  readonly session: FetchSession | null
  /** The epoch that the session has until its next request. */
  readonly sessionEpoch: number
  /** Whether the response may open a session. */
  readonly mayOpenSession: boolean
}

/** Kafka's `FetchManager` and `FetchSessionCache`. */
export class FetchSessions {
  readonly #random: () => number
  readonly #capacity: number
  /** The least recently used first. */
  readonly #sessions = new Map<number, FetchSession>()

  /** `random` gives numbers in [0, 1). */
  constructor(random: () => number, capacity: number = FETCH_SESSIONS_MAX) {
    this.#random = random
    this.#capacity = capacity
  }

  get size(): number {
    return this.#sessions.size
  }

  /** What to do for a request. A full request ends the session it names; an incremental one moves its session on. */
  plan(request: FetchRequest, usesTopicIds: boolean, now: number): FetchPlan {
    const { sessionId, sessionEpoch } = request
    if (sessionEpoch === INITIAL_EPOCH || sessionEpoch === FINAL_EPOCH) {
      if (sessionId !== NO_SESSION_ID) this.#sessions.delete(sessionId)
      return fullPlan(listTargets(request.topics), sessionEpoch === INITIAL_EPOCH)
    }
    const session = this.#sessions.get(sessionId)
    if (session === undefined) return errorPlan(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    if (session.epoch !== sessionEpoch) return errorPlan(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
    if (session.usesTopicIds !== usesTopicIds) return errorPlan(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
    session.update(request)
    if (session.targets.size === 0 || session.targets.size > FETCH_SESSION_PARTITIONS_MAX) {
      this.#sessions.delete(sessionId)
      return fullPlan([...session.targets.values()], false)
    }
    session.epoch = nextEpoch(session.epoch)
    session.lastUsedAt = now
    this.#sessions.delete(sessionId)
    this.#sessions.set(sessionId, session)
    return { errorCode: 0, targets: [...session.targets.values()], session, sessionEpoch: session.epoch, mayOpenSession: false }
  }

  /** The partitions that a request is about, those of its session with it; changes nothing. */
  peek(request: FetchRequest, usesTopicIds: boolean): FetchTarget[] {
    const { sessionId, sessionEpoch } = request
    const asked = listTargets(request.topics)
    const session = sessionEpoch === INITIAL_EPOCH || sessionEpoch === FINAL_EPOCH ? undefined : this.#sessions.get(sessionId)
    if (session === undefined) return asked
    const key = (target: FetchTarget): string => targetKey(usesTopicIds, target.topicName, target.topicId, target.partition)
    const all = new Map([...session.targets.values(), ...asked].map((target) => [key(target), target]))
    for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
      for (const partition of partitions) all.delete(targetKey(usesTopicIds, topic, topicId, partition))
    }
    return [...all.values()]
  }

  /** A reply said something else of this partition than what was noted: the next one tells it whatever it is. */
  forgetTold(sessionId: number, { topicName, topicId, partition }: FetchTarget): void {
    const session = this.#sessions.get(sessionId)
    const target = session?.targets.get(targetKey(session.usesTopicIds, topicName, topicId, partition))
    if (target !== undefined) target.knownHighWatermark = -1
  }

  /** A session for the partitions of a full fetch; null when there is no room for one. */
  open(targets: readonly FetchTarget[], usesTopicIds: boolean, now: number): FetchSession | null {
    if (targets.length === 0 || targets.length > FETCH_SESSION_PARTITIONS_MAX) return null
    if (this.#sessions.size >= this.#capacity && !this.#evict(targets.length, now)) return null
    const byKey = new Map<string, FetchTarget>()
    for (const target of targets) byKey.set(targetKey(usesTopicIds, target.topicName, target.topicId, target.partition), target)
    const session = new FetchSession(this.#newId(), usesTopicIds, byKey, now)
    this.#sessions.set(session.id, session)
    return session
  }

  /** Frees a place: the session unused for longest if that is long, else an old one with fewer partitions than `size`. */
  #evict(size: number, now: number): boolean {
    const [idle] = this.#sessions.values()
    if (idle === undefined) return false
    if (now - idle.lastUsedAt > FETCH_SESSION_EVICTION_MS) return this.#sessions.delete(idle.id)
    let smallest: FetchSession | null = null
    for (const session of this.#sessions.values()) {
      if (now - session.createdAt <= FETCH_SESSION_EVICTION_MS) continue
      if (smallest === null || session.targets.size < smallest.targets.size) smallest = session
    }
    return smallest !== null && smallest.targets.size < size && this.#sessions.delete(smallest.id)
  }

  #newId(): number {
    for (;;) {
      const id = 1 + Math.floor(this.#random() * SESSION_ID_MAX)
      if (!this.#sessions.has(id)) return id
    }
  }
}

/** Notes what a response says of a partition and returns whether it is news. `CachedPartition.maybeUpdateResponseData`. */
export function noteResponse(target: FetchTarget, data: PartitionData): boolean {
  const highWatermark = Number(data.highWatermark)
  const logStartOffset = Number(data.logStartOffset)
  const isNews =
    (data.records?.length ?? 0) > 0 ||
    data.errorCode !== 0 ||
    data.divergingEpoch.epoch !== -1 ||
    highWatermark !== target.knownHighWatermark ||
    logStartOffset !== target.knownLogStartOffset
  // After an error the next good answer must be told, whatever it is.
  target.knownHighWatermark = data.errorCode === 0 ? highWatermark : -1
  target.knownLogStartOffset = logStartOffset
  return isNews
}

function fullPlan(targets: readonly FetchTarget[], mayOpenSession: boolean): FetchPlan {
  return { errorCode: 0, targets, session: null, sessionEpoch: FINAL_EPOCH, mayOpenSession }
}

function errorPlan(errorCode: number): FetchPlan {
  return { errorCode, targets: [], session: null, sessionEpoch: FINAL_EPOCH, mayOpenSession: false }
}

function listTargets(topics: readonly FetchTopic[]): FetchTarget[] {
  return topics.flatMap((topic) => topic.partitions.map((partition) => new FetchTarget(topic.topic, topic.topicId, partition)))
}

function nextEpoch(epoch: number): number {
  return epoch === SESSION_ID_MAX ? 1 : epoch + 1
}

function targetKey(usesTopicIds: boolean, topicName: string, topicId: string, partition: number): string {
  return `${usesTopicIds ? topicId : topicName}:${partition}`
}
