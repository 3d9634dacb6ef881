import { ErrorCode, ZERO_UUID, type KafkaError } from '@millrace/protocol'
import { errorAbout, RetryPolicy } from '@millrace/client/internal'
import type { FetchResponse, PartitionData } from '@millrace/protocol/apis/fetch'
import { UnreadableRecordError } from '../errors.ts'
import { BUFFERED_FETCHES_MAX } from '../limits.ts'
import { BrokerFetches, type FetchCall } from './broker-fetches.ts'
import { fetchRequestOf, hasTopicIds, LAST_FETCH_VERSION_BY_NAME, type FetchSettings } from './fetch-request.ts'
import { bytesOf, indexByTopic, isSessionError, nameOrId, STALE_METADATA } from './fetch-response.ts'
import { sessionless, type FetchTarget } from './fetch-session.ts'
import { endOfChunk, FetchedChunk } from './fetched-chunk.ts'
import type { FetchedAnswer } from './fetched-answer.ts'
import { FetchedMemory } from './fetched-memory.ts'
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

export interface FetcherEffects {
  readonly calls: FetchCall[]
  /** Topics whose leaders are wrong or unknown. */
  readonly staleTopics: Set<string>
  /** Partitions whose offset does not exist (any more): the reset policy decides. */
  readonly outOfRange: PartitionCursor[]
  /** Partitions that have another leader than the one under which they were read: it may not have all of that (KIP-320). */
  readonly newLeaders: PartitionCursor[]
  /** Partitions of a topic that was deleted and made anew. */
  readonly newTopics: Array<{ readonly cursor: PartitionCursor; readonly topicId: string }>
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
  /** Whether one of `wanted` may have something: it was not asked just now, without waiting, and had nothing. */
  hasNews: boolean
}

/**
 * Decides what to fetch from whom, and takes in what comes. One fetch at a time per broker, in a session; a partition is left
 * out while its position is unknown or enough of it is buffered. While that fetch may wait at the broker, what becomes fetchable is asked for
 * beside it (docs/decisions/0011). Each partition is in one fetch at a time.
 */
export class Fetcher {
  readonly effects: FetcherEffects = {
    calls: [],
    staleTopics: new Set(),
    outOfRange: [],
    newLeaders: [],
    newTopics: [],
    leaderHints: [],
    failures: [],
    errors: [],
  }
  /** Partitions with something to hand out, in the order in which it came. */
  readonly ready: PartitionCursor[] = []
  readonly memory: FetchedMemory
  readonly #settings: FetcherSettings
  readonly #view: ClusterView
  readonly #random: () => number
  readonly #observer: FetchObserver
  readonly #retryPolicy: RetryPolicy
  readonly #cursors = new Set<PartitionCursor>()
  readonly #brokers = new Map<number, BrokerFetches>()
  #hasRoom = false
  #deadline = Infinity

  constructor(settings: FetcherSettings, view: ClusterView, random: () => number, observer: FetchObserver) {
    this.#settings = settings
    this.#view = view
    this.#random = random
    this.#observer = observer
    this.memory = new FetchedMemory(settings)
    this.#retryPolicy = new RetryPolicy(settings.retryBackoffMs, settings.retryBackoffMaxMs)
  }

  /** When `poll` is next due even if nothing happens. */
  get deadline(): number {
    return this.#deadline
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
    this.memory.drop(cursor)
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

  /** Whether something was consumed since the last `poll` so that a broker can be asked for more. */
  get hasRoom(): boolean {
    return this.#hasRoom
  }

  /** The partition's first chunk is at its end. */
  consumed(cursor: PartitionCursor): void {
    const wasFull = this.memory.isFull
    const chunk = this.memory.shift(cursor)
    this.#observer.consumed(cursor, chunk.recordCount, chunk.sizeInBytes, chunk.highWatermark)
    // A member of a thousand partitions would look at all of them for each chunk, where that changes nothing.
    const isNews = cursor.fetch === null || wasFull
    this.#hasRoom ||= isNews && [...this.#brokers.values()].some((broker) => !broker.isBusy)
    // To the end of the line, so that every partition gets its turn.
    const at = this.ready.indexOf(cursor)
    if (at >= 0) this.ready.splice(at, 1)
    if (cursor.chunks.length > 0) this.ready.push(cursor)
  }

  /** Plans a fetch for every broker that can be asked for something. */
  poll(now: number): void {
    this.#deadline = Infinity
    this.#hasRoom = false
    const plans = new Map<number, NodePlan>()
    this.#settle()
    for (const cursor of this.#cursors) {
      const leadership = this.#mayFetch(cursor, now)
      if (leadership === null) continue
      let plan = plans.get(leadership.node)
      if (plan === undefined) plans.set(leadership.node, (plan = { wanted: new Map(), hasBuffered: false, hasNews: false }))
      if (this.#isFull(cursor)) {
        plan.hasBuffered = true
        continue
      }
      plan.wanted.set(cursor, this.#targetOf(cursor, leadership))
      plan.hasNews ||= !cursor.hadNothing(leadership.node, now)
    }
    for (const [node, plan] of plans) if (plan.wanted.size > 0) this.#fetch(node, plan)
  }

  /** Gives back how many bytes of batches came. */
  fetched(call: FetchCall, response: FetchResponse, now: number): number {
    const broker = this.#broker(call.node)
    if (response.errorCode !== ErrorCode.NONE) {
      broker.ended(call)
      if (!call.isAside) broker.session.refused(response.errorCode)
      this.#backOff(broker, now)
      const error = errorAbout(response.errorCode, `fetch from node ${call.node}`)
      if (!error.retriable && !isSessionError(response.errorCode)) this.effects.errors.push(error)
      return 0
    }
    if (!call.isAside) broker.session.answered(response.sessionId)
    broker.failures = 0
    const index = indexByTopic(call.wanted)
    // Else the answer might be divided for want of room that there is.
    if (this.memory.isFull) this.#settle()
    const before = this.memory.bufferedBytes
    const answer = this.memory.answered(bytesOf(response))
    for (const topic of response.responses) {
      const partitions = index.get(nameOrId(topic))
      for (const data of topic.partitions) {
        const cursor = partitions?.get(data.partitionIndex)
        if (cursor !== undefined && cursor.fetch === call) this.#take(cursor, data, answer, now)
      }
    }
    if (call.request.maxWaitMs === 0) this.#rest(call, this.memory.bufferedBytes - before, now)
    broker.ended(call)
    return answer.sizeInBytes
  }

  fetchFailed(call: FetchCall, error: KafkaError, now: number): void {
    const broker = this.#broker(call.node)
    broker.ended(call)
    if (!call.isAside) broker.session.failed()
    this.#backOff(broker, now)
    for (const cursor of call.wanted.keys()) {
      if (!cursor.isActive) continue
      cursor.readReplica = -1
      this.effects.staleTopics.add(cursor.topic)
    }
    if (!error.retriable || error.fatal) this.effects.errors.push(error)
  }

  /** Lets go of all that was handled meanwhile. */
  #settle(): void {
    for (const cursor of this.#cursors) this.memory.settle(cursor)
  }

  #broker(node: number): BrokerFetches {
    let broker = this.#brokers.get(node)
    if (broker === undefined) this.#brokers.set(node, (broker = new BrokerFetches()))
    return broker
  }

  /**
   * A fetch that did not wait brought less than it would have waited for: what it asked for is not asked for again without waiting for as long
   * as a fetch waits, unless it moves or has another leader.
   */
  #rest(call: FetchCall, bytes: number, now: number): void {
    if (bytes >= Math.max(1, this.#settings.fetchMinBytes)) return
    for (const cursor of call.wanted.keys()) {
      if (cursor.fetch !== call) continue
      cursor.nothingAt = call.node
      cursor.nothingUntil = now + this.#settings.fetchMaxWaitMs
    }
  }

  /** Where to fetch the partition from now, or null: each exit is a reason why not. */
  #mayFetch(cursor: PartitionCursor, now: number): Leadership | null {
    if (cursor.phase !== 'fetching') return null
    if (cursor.isPaused) return null
    if (cursor.fetch !== null) return null
    if (cursor.retryAt > now) {
      this.#deadline = Math.min(this.#deadline, cursor.retryAt)
      return null
    }
    const leadership = this.#view.leaderOf(cursor)
    if (leadership === null) {
      this.effects.staleTopics.add(cursor.topic)
      return null
    }
    const { topicId } = leadership
    if (cursor.isOfAnother(topicId)) {
      this.effects.newTopics.push({ cursor, topicId })
      return null
    }
    cursor.topicId = topicId
    if (this.#mustValidate(cursor, leadership.leaderEpoch)) {
      this.effects.newLeaders.push(cursor)
      return null
    }
    const node = this.#nodeOf(cursor, leadership, now)
    const broker = this.#broker(node)
    if (broker.isBusy) return null
    if (broker.isWaiting && cursor.hadNothing(node, now)) return null
    if (broker.retryAt > now) {
      this.#deadline = Math.min(this.#deadline, broker.retryAt)
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
    return this.memory.isFull && cursor.bufferedBytes > 0
  }

  #targetOf(cursor: PartitionCursor, { leaderEpoch, topicId }: Leadership): FetchTarget {
    const { topic, partition, fetchOffset } = cursor
    return { topic, topicId, partition, fetchOffset, leaderEpoch, maxBytes: this.#settings.maxPartitionFetchBytes }
  }

  #fetch(node: number, { wanted, hasBuffered, hasNews }: NodePlan): void {
    const broker = this.#broker(node)
    const isAside = broker.isWaiting
    const targets = [...wanted.values()]
    const planned = isAside ? sessionless(targets) : broker.session.plan(targets)
    const hasIds = targets.every((target) => target.topicId !== ZERO_UUID) && hasTopicIds(planned)
    const maxVersion = hasIds ? undefined : LAST_FETCH_VERSION_BY_NAME
    const request = fetchRequestOf(planned, this.#settings)
    request.maxBytes = this.memory.allowance(this.#brokers.size, this.#cursors.size)
    // What is buffered is better asked for together with the rest, once there is room. But where nothing is to be had, whatever comes is waited for, and that is asked for aside.
    if (isAside || (hasBuffered && hasNews)) request.maxWaitMs = 0
    const call: FetchCall = { node, request, maxVersion, isAside, wanted }
    broker.sent(call)
    this.effects.calls.push(call)
  }

  #backOff(broker: BrokerFetches, now: number): void {
    broker.retryAt = now + this.#retryPolicy.delayMs(broker.failures++, this.#random())
  }

  /** Not for a partition that was moved or given up since it was asked for. */
  #take(cursor: PartitionCursor, data: PartitionData, answer: FetchedAnswer, now: number): void {
    if (!cursor.isActive || cursor.phase !== 'fetching') return
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
    const share = answer.share(records)
    const chunk = new FetchedChunk(
      cursor.topic,
      cursor.partition,
      share.answer,
      share.records,
      isCommitted && cursor.lastStableOffset >= 0 ? cursor.lastStableOffset : cursor.highWatermark,
      isCommitted ? (data.abortedTransactions ?? []) : null,
      this.#settings.checkCrcs,
    )
    if (end.offset > cursor.fetchOffset) {
      cursor.fetchOffset = end.offset
      cursor.fetchEpoch = end.epoch
    }
    this.memory.add(cursor, chunk)
    // Asked for after the others from now on (Java: PartitionStates.updateAndMoveToEnd): an answer may have no room for all of them.
    if (this.#cursors.delete(cursor)) this.#cursors.add(cursor)
    if (cursor.chunks.length === 1) this.ready.push(cursor)
  }

  #refused(cursor: PartitionCursor, data: PartitionData, now: number): void {
    const { errorCode, currentLeader } = data
    cursor.fetch = null
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
