import { ErrorCode, ZERO_UUID, type KafkaError } from '@millrace/protocol'
import { errorAbout, RetryPolicy } from '@millrace/client/internal'
import type { FetchRequest, FetchResponse, PartitionData } from '@millrace/protocol/apis/fetch'
import { UnreadableRecordError } from '../errors.ts'
import { BUFFERED_BYTES_MAX, BUFFERED_FETCHES_MAX } from '../limits.ts'
import { fetchRequestOf, hasTopicIds, LAST_FETCH_VERSION_BY_NAME, type FetchSettings } from './fetch-request.ts'
import { indexByTopic, isSessionError, nameOrId } from './fetch-response.ts'
import { FetchSession, type FetchTarget } from './fetch-session.ts'
import { endOfChunk, FetchedChunk } from './fetched-chunk.ts'
import type { PartitionCursor } from './partition-cursor.ts'

export interface FetcherSettings extends FetchSettings {
  readonly checkCrcs: boolean
  /** How long a replica that the leader named is fetched from before the leader is asked again (KIP-392). */
  readonly metadataMaxAgeMs: number
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
}

/** What the metadata says of a partition now. */
export interface Leadership {
  readonly node: number
  readonly leaderEpoch: number
  readonly topicId: string
}

/** What a fetcher knows of the cluster. */
export interface ClusterView {
  /** Null while the leader is not known. */
  leaderOf(cursor: PartitionCursor): Leadership | null
  /** Whether the node is known, and has a replica of the partition that is not offline. */
  isOnline(cursor: PartitionCursor, node: number): boolean
}

/** Told of what was read, for the metrics. */
export interface FetchObserver {
  /** A chunk of the partition was handed out to its end, in a partition that ended at `end` as of its fetch. */
  consumed(cursor: PartitionCursor, records: number, bytes: number, end: number): void
}

/** One fetch from one broker. */
export interface FetchCall {
  readonly node: number
  readonly request: FetchRequest
  readonly maxVersion: number | undefined
  /** Differs from the fetcher's when a partition that was left out has room by now. */
  readonly roomVersion: number
  /** What the fetch is for, with the offset that each was at. */
  readonly wanted: ReadonlyMap<PartitionCursor, FetchTarget>
}

export interface FetcherEffects {
  readonly calls: FetchCall[]
  /** Topics whose leaders are wrong or unknown. */
  readonly staleTopics: Set<string>
  /** Partitions whose offset does not exist (any more): the reset policy decides. */
  readonly outOfRange: PartitionCursor[]
  /** Partitions that have another leader than the one under which they were read: it may not have all of that (KIP-320). */
  readonly newLeaders: PartitionCursor[]
  /** KIP-951: who leads instead. */
  readonly leaderHints: Array<{ readonly cursor: PartitionCursor; readonly leaderId: number; readonly leaderEpoch: number }>
  /** Partitions that cannot be fetched: nothing is tried before the application asks again. */
  readonly failures: Array<{ readonly cursor: PartitionCursor; readonly error: KafkaError }>
  readonly errors: KafkaError[]
}

interface NodePlan {
  readonly wanted: Map<PartitionCursor, FetchTarget>
  /** Whether a partition of the broker is left out because enough of it is buffered. */
  hasBuffered: boolean
}

/** Errors after which the same fetch makes sense again, from whoever the metadata names then. */
const STALE_METADATA: ReadonlySet<number> = new Set([
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.REPLICA_NOT_AVAILABLE,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.OFFSET_NOT_AVAILABLE,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.INCONSISTENT_TOPIC_ID,
  ErrorCode.LEADER_NOT_AVAILABLE,
])

/**
 * Decides what to fetch from whom, and takes in what comes. One fetch at a time per broker, in a session; a partition is left
 * out while its position is unknown or enough of it is buffered.
 */
export class Fetcher {
  readonly effects: FetcherEffects = {
    calls: [],
    staleTopics: new Set(),
    outOfRange: [],
    newLeaders: [],
    leaderHints: [],
    failures: [],
    errors: [],
  }
  /** Partitions with something to hand out, in the order in which it came. */
  readonly ready: PartitionCursor[] = []
  readonly #settings: FetcherSettings
  readonly #view: ClusterView
  readonly #random: () => number
  readonly #observer: FetchObserver
  readonly #retryPolicy: RetryPolicy
  readonly #cursors = new Set<PartitionCursor>()
  readonly #sessions = new Map<number, FetchSession>()
  readonly #busyNodes = new Set<number>()
  readonly #nodeRetryAt = new Map<number, number>()
  readonly #nodeFailures = new Map<number, number>()
  /**
   * Brokers that had nothing for the partitions that could be fetched while others of theirs were buffered, and when to ask them
   * again at the latest. A fetch that waits for data would keep the buffered ones from being fetched once there is room.
   */
  readonly #idleUntil = new Map<number, number>()
  #roomVersion = 0
  #bufferedBytes = 0
  #hasRoom = false
  #deadline = Infinity

  constructor(settings: FetcherSettings, view: ClusterView, random: () => number, observer: FetchObserver) {
    this.#settings = settings
    this.#view = view
    this.#random = random
    this.#observer = observer
    this.#retryPolicy = new RetryPolicy(settings.retryBackoffMs, settings.retryBackoffMaxMs)
  }

  /** When `poll` is next due even if nothing happens. */
  get deadline(): number {
    return this.#deadline
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  add(cursor: PartitionCursor): void {
    this.#cursors.add(cursor)
  }

  /** The partition is not ours any more: nothing of it is handed out, whatever is buffered or still comes. */
  remove(cursor: PartitionCursor): void {
    cursor.isActive = false
    this.#cursors.delete(cursor)
    this.discard(cursor)
  }

  /** Drops what is buffered of a partition; it is fetched again from its position. */
  discard(cursor: PartitionCursor): void {
    this.#bufferedBytes -= cursor.dropBuffered()
    const at = this.ready.indexOf(cursor)
    if (at >= 0) this.ready.splice(at, 1)
  }

  /** The topic cannot be had: nothing of it is tried before the application asks again. */
  failTopic(topic: string, error: KafkaError): void {
    for (const cursor of this.#cursors) {
      if (cursor.topic !== topic || cursor.phase !== 'fetching') continue
      cursor.fail()
      this.effects.failures.push({ cursor, error })
    }
  }

  /** Whether something was consumed since the last `poll`, so that there may be more to fetch. */
  get hasRoom(): boolean {
    return this.#hasRoom
  }

  /** The partition's first chunk is at its end. */
  consumed(cursor: PartitionCursor): void {
    const chunk = cursor.chunks.shift()!
    this.#observer.consumed(cursor, chunk.recordCount, chunk.sizeInBytes, chunk.highWatermark)
    this.#hasRoom = true
    const wasFull = this.#isFull(cursor)
    cursor.bufferedBytes -= chunk.sizeInBytes
    if (wasFull && !this.#isFull(cursor)) {
      this.#roomVersion++
      this.#idleUntil.clear()
    }
    this.#bufferedBytes -= chunk.sizeInBytes
    // To the end of the line, so that every partition gets its turn.
    const at = this.ready.indexOf(cursor)
    if (at >= 0) this.ready.splice(at, 1)
    if (cursor.chunks.length > 0) this.ready.push(cursor)
  }

  /** Plans a fetch for every broker that has none under way and something to fetch. */
  poll(now: number): void {
    this.#deadline = Infinity
    this.#hasRoom = false
    const byNode = new Map<number, NodePlan>()
    for (const cursor of this.#cursors) {
      const leadership = this.#mayFetch(cursor, now)
      if (leadership === null) continue
      let plan = byNode.get(leadership.node)
      if (plan === undefined) byNode.set(leadership.node, (plan = { wanted: new Map(), hasBuffered: false }))
      if (this.#isFull(cursor)) plan.hasBuffered = true
      else plan.wanted.set(cursor, this.#targetOf(cursor, leadership))
    }
    for (const [node, { wanted, hasBuffered }] of byNode) if (wanted.size > 0) this.#fetch(node, wanted, hasBuffered)
  }

  fetched(call: FetchCall, response: FetchResponse, now: number): void {
    this.#release(call)
    const session = this.#sessions.get(call.node)!
    if (response.errorCode !== ErrorCode.NONE) {
      session.refused(response.errorCode)
      this.#backOff(call.node, now)
      const error = errorAbout(response.errorCode, `fetch from node ${call.node}`)
      if (!error.retriable && !isSessionError(response.errorCode)) this.effects.errors.push(error)
      return
    }
    session.answered(response.sessionId)
    this.#nodeFailures.delete(call.node)
    const index = indexByTopic(call.wanted)
    const before = this.#bufferedBytes
    for (const topic of response.responses) {
      const partitions = index.get(nameOrId(topic))
      for (const data of topic.partitions) {
        const cursor = partitions?.get(data.partitionIndex)
        if (cursor !== undefined) this.#take(cursor, call.wanted.get(cursor)!, data, now)
      }
    }
    const isIdle = this.#bufferedBytes === before && call.request.maxWaitMs === 0 && call.roomVersion === this.#roomVersion
    if (isIdle) this.#idleUntil.set(call.node, now + this.#settings.fetchMaxWaitMs)
  }

  fetchFailed(call: FetchCall, error: KafkaError, now: number): void {
    this.#release(call)
    this.#sessions.get(call.node)!.failed()
    this.#backOff(call.node, now)
    for (const cursor of call.wanted.keys()) {
      if (!cursor.isActive) continue
      cursor.readReplica = -1
      this.effects.staleTopics.add(cursor.topic)
    }
    if (!error.retriable || error.fatal) this.effects.errors.push(error)
  }

  /** Where to fetch the partition from now, or null: each exit is a reason why not. */
  #mayFetch(cursor: PartitionCursor, now: number): Leadership | null {
    if (cursor.phase !== 'fetching') return null
    if (cursor.isPaused) return null
    if (cursor.fetchedFrom >= 0) return null
    if (cursor.retryAt > now) {
      this.#deadline = Math.min(this.#deadline, cursor.retryAt)
      return null
    }
    const leadership = this.#view.leaderOf(cursor)
    if (leadership === null) {
      this.effects.staleTopics.add(cursor.topic)
      return null
    }
    if (this.#mustValidate(cursor, leadership.leaderEpoch)) {
      this.effects.newLeaders.push(cursor)
      return null
    }
    const node = this.#nodeOf(cursor, leadership, now)
    if (this.#busyNodes.has(node)) return null
    const nodeRetryAt = this.#nodeRetryAt.get(node) ?? 0
    if (nodeRetryAt > now) {
      this.#deadline = Math.min(this.#deadline, nodeRetryAt)
      return null
    }
    const idleUntil = this.#idleUntil.get(node) ?? 0
    if (idleUntil > now) {
      this.#deadline = Math.min(this.#deadline, idleUntil)
      return null
    }
    return node === leadership.node ? leadership : { ...leadership, node }
  }

  /** What was read under one leader must be in the log of the next (KIP-320). Without an epoch there is nothing to ask about. */
  #mustValidate(cursor: PartitionCursor, leaderEpoch: number): boolean {
    if (leaderEpoch < 0 || cursor.validatedEpoch === leaderEpoch) return false
    if (cursor.validatedEpoch >= 0 && cursor.fetchEpoch >= 0) return true
    cursor.validatedEpoch = leaderEpoch
    return false
  }

  /** The replica that the leader chose for us, for as long as that holds, else the leader (KIP-392). */
  #nodeOf(cursor: PartitionCursor, leadership: Leadership, now: number): number {
    const { readReplica } = cursor
    if (readReplica < 0 || readReplica === leadership.node) return leadership.node
    if (now >= cursor.readReplicaUntil) {
      cursor.readReplica = -1
      return leadership.node
    }
    if (this.#view.isOnline(cursor, readReplica)) return readReplica
    cursor.readReplica = -1
    this.effects.staleTopics.add(cursor.topic)
    return leadership.node
  }

  #isFull(cursor: PartitionCursor): boolean {
    if (cursor.bufferedBytes >= this.#settings.maxPartitionFetchBytes * BUFFERED_FETCHES_MAX) return true
    return this.#bufferedBytes >= BUFFERED_BYTES_MAX && cursor.bufferedBytes > 0
  }

  #targetOf(cursor: PartitionCursor, { leaderEpoch, topicId }: Leadership): FetchTarget {
    const { topic, partition, fetchOffset } = cursor
    return { topic, topicId, partition, fetchOffset, leaderEpoch, maxBytes: this.#settings.maxPartitionFetchBytes }
  }

  #fetch(node: number, wanted: Map<PartitionCursor, FetchTarget>, hasBuffered: boolean): void {
    let session = this.#sessions.get(node)
    if (session === undefined) this.#sessions.set(node, (session = new FetchSession()))
    const planned = session.plan([...wanted.values()])
    const hasIds = [...wanted.values()].every((target) => target.topicId !== ZERO_UUID) && hasTopicIds(planned)
    this.#busyNodes.add(node)
    for (const cursor of wanted.keys()) cursor.fetchedFrom = node
    const maxVersion = hasIds ? undefined : LAST_FETCH_VERSION_BY_NAME
    const request = fetchRequestOf(planned, this.#settings)
    if (hasBuffered) request.maxWaitMs = 0
    this.effects.calls.push({ node, request, maxVersion, roomVersion: this.#roomVersion, wanted })
  }

  #release(call: FetchCall): void {
    this.#busyNodes.delete(call.node)
    for (const cursor of call.wanted.keys()) cursor.fetchedFrom = -1
  }

  #backOff(node: number, now: number): void {
    const failures = this.#nodeFailures.get(node) ?? 0
    this.#nodeFailures.set(node, failures + 1)
    this.#nodeRetryAt.set(node, now + this.#retryPolicy.delayMs(failures, this.#random()))
  }

  #take(cursor: PartitionCursor, target: FetchTarget, data: PartitionData, now: number): void {
    // Given up, or moved by a seek, since it was asked for.
    if (!cursor.isActive || cursor.phase !== 'fetching' || cursor.fetchOffset !== target.fetchOffset) return
    if (data.errorCode !== ErrorCode.NONE) return this.#refused(cursor, data, now)
    if (data.preferredReadReplica >= 0) {
      cursor.readReplica = data.preferredReadReplica
      cursor.readReplicaUntil = now + this.#settings.metadataMaxAgeMs
    }
    cursor.highWatermark = Number(data.highWatermark)
    if (data.lastStableOffset >= 0n) cursor.lastStableOffset = Number(data.lastStableOffset)
    if (data.logStartOffset >= 0n) cursor.logStartOffset = Number(data.logStartOffset)
    const { records } = data
    if (records === null || records.length === 0) return
    const end = endOfChunk(records)
    if (end.offset < 0 && !end.isDamaged) return
    const isCommitted = this.#settings.isolationLevel === 'read_committed'
    const chunk = new FetchedChunk(
      cursor.topic,
      cursor.partition,
      records,
      isCommitted && cursor.lastStableOffset >= 0 ? cursor.lastStableOffset : cursor.highWatermark,
      isCommitted ? (data.abortedTransactions ?? []) : null,
      this.#settings.checkCrcs,
    )
    if (end.offset > cursor.fetchOffset) {
      cursor.fetchOffset = end.offset
      cursor.fetchEpoch = end.epoch
    }
    cursor.bufferedBytes += chunk.sizeInBytes
    this.#bufferedBytes += chunk.sizeInBytes
    cursor.chunks.push(chunk)
    if (cursor.chunks.length === 1) this.ready.push(cursor)
  }

  #refused(cursor: PartitionCursor, data: PartitionData, now: number): void {
    const { errorCode, currentLeader } = data
    cursor.retryAt = now + this.#retryPolicy.initialMs
    const wasReplica = cursor.readReplica >= 0
    cursor.readReplica = -1
    if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
      // A follower may be behind, or have less: only the leader's word counts (KIP-392).
      if (wasReplica) cursor.retryAt = now
      // What is buffered before the bad offset is handed out first.
      else if (cursor.chunks.length === 0) this.effects.outOfRange.push(cursor)
      return
    }
    if (currentLeader.leaderId >= 0) {
      this.effects.leaderHints.push({ cursor, leaderId: currentLeader.leaderId, leaderEpoch: currentLeader.leaderEpoch })
      cursor.retryAt = now
    }
    if (STALE_METADATA.has(errorCode)) {
      this.effects.staleTopics.add(cursor.topic)
      return
    }
    const { topic, partition, fetchOffset } = cursor
    const error = errorAbout(errorCode, `fetch of ${topic}-${partition} at offset ${fetchOffset}`)
    // As Java: what the broker does not understand itself may pass, and damage to its log does not, whatever the error table says.
    const isDamage = errorCode === ErrorCode.CORRUPT_MESSAGE
    if ((error.retriable && !isDamage) || errorCode === ErrorCode.UNKNOWN_SERVER_ERROR) return
    cursor.fail()
    const failure = isDamage ? new UnreadableRecordError(topic, partition, fetchOffset, -1, error) : error
    this.effects.failures.push({ cursor, error: failure })
  }
}
