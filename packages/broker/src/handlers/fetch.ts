import { ErrorCode } from '@millrace/protocol'
import {
  fetchApi,
  type FetchRequest,
  type FetchResponse,
  type FetchableTopicResponse,
  type NodeEndpoint,
  type PartitionData,
} from '@millrace/protocol/apis/fetch'
import { Deferred } from '../core/deferred.ts'
import type { Handler, RequestContext } from '../core/handler.ts'
import { topicNameOf, type ErrorShape, type Target } from '../faults/error-shape.ts'
import { noteResponse, type FetchPlan } from '../fetch/fetch-session.ts'
import type { FetchTarget } from '../fetch/fetch-target.ts'
import type { Parked } from '../fetch/parked-requests.ts'
import {
  errorData,
  findTopic,
  LEADERS_VERSION,
  readPartitions,
  type FetchLimits,
  type FetchedPartitions,
} from '../fetch/read-partitions.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { ReadLease } from '../storage/read-memory.ts'

const READ_COMMITTED = 1
/** From here on requests name topics by their id. */
const TOPIC_ID_VERSION = 13

/** What is wrong with the session is said of the request as a whole. */
const SESSION_ERRORS: ReadonlySet<number> = new Set([
  ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
  ErrorCode.INVALID_FETCH_SESSION_EPOCH,
  ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
])
const SESSIONS_SINCE = 7
const NONE_ELECTED: ReadonlySet<FetchTarget> = new Set()

/**
 * A fetch changes nothing, so it is served in full, at once, and what was chosen is overwritten: a session that it opens has all its partitions.
 * In an incremental fetch the partitions are those of the session, which the request need not name.
 */
const fetchErrors: ErrorShape<FetchRequest, FetchResponse> = {
  selectors: ['topic', 'partition'],
  targets(request, context) {
    const targets = context.broker.fetches.sessions.peek(request, context.version >= TOPIC_ID_VERSION)
    return targets.map((target) => faultTarget(target, context))
  },
  rest: (request, _chosen, errorCode, { version }) => (isSessionError(errorCode, version) ? null : { ...request, maxWaitMs: 0 }),
  answer(served, request, chosen, errorCode, context) {
    if (served === null) return responseOf(errorCode, 0, [], [])
    if (served.errorCode !== ErrorCode.NONE) return served
    const { sessions } = context.broker.fetches
    for (const target of sessions.peek(request, context.version >= TOPIC_ID_VERSION)) {
      if (!chosen(faultTarget(target, context))) continue
      overwrite(served.responses, target, errorData(target, errorCode))
      sessions.forgetTold(served.sessionId, target)
    }
    return served
  },
  nameLeaders(response, context) {
    const { broker, version } = context
    if (version < LEADERS_VERSION) return response
    for (const { topic, topicId, partitions } of response.responses) {
      const found = version >= TOPIC_ID_VERSION ? broker.topics.byId(topicId) : broker.topics.byName(topic)
      for (const data of partitions) {
        const leader = found?.partitions[data.partitionIndex]
        if (data.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER && leader !== undefined) {
          data.currentLeader = { leaderId: broker.nodeId, leaderEpoch: leader.leaderEpoch }
        }
      }
    }
    const all = response.responses.flatMap(({ partitions }) => partitions)
    return { ...response, nodeEndpoints: endpoints(all, context) }
  },
}

function isSessionError(errorCode: number, version: number): boolean {
  return version >= SESSIONS_SINCE && SESSION_ERRORS.has(errorCode)
}

function faultTarget({ topicName, topicId, partition }: FetchTarget, context: RequestContext): Target {
  return { topic: topicNameOf({ name: topicName, topicId }, context), partition, group: null }
}

function overwrite(responses: FetchableTopicResponse[], target: FetchTarget, data: PartitionData): void {
  const { topicName, topicId } = target
  let topic = responses.find((one) => one.topic === topicName && one.topicId === topicId)
  if (topic === undefined) responses.push((topic = { topic: topicName, topicId, partitions: [] }))
  const index = topic.partitions.findIndex(({ partitionIndex }) => partitionIndex === target.partition)
  if (index < 0) topic.partitions.push(data)
  else topic.partitions[index] = data
}

/**
 * Fetch: long poll, incremental sessions (KIP-227), size limits (KIP-74), leader epochs (KIP-320), diverging epochs (KIP-595), topic ids.
 * Missing: aborted transactions, as none are served; follower fetching, as there is one replica.
 */
export const fetchHandler: Handler<FetchRequest, FetchResponse> = {
  api: fetchApi,
  minVersion: 4,
  maxVersion: 18,
  errors: fetchErrors,
  handle(request, context) {
    const { broker, now, version } = context
    const plan = broker.fetches.sessions.plan(request, version >= TOPIC_ID_VERSION, now)
    if (plan.errorCode !== ErrorCode.NONE) return responseOf(plan.errorCode, 0, [], [])
    const maxBytes = Math.min(request.maxBytes, broker.config.fetchMaxBytes)
    const limits: FetchLimits = {
      maxBytes,
      readCommitted: request.isolationLevel === READ_COMMITTED,
      // From version 15 on it comes in a struct of its own.
      replicaId: version >= 15 ? request.replicaState.replicaId : request.replicaId,
      version,
      nodeId: broker.nodeId,
      formerLeaders: NONE_ELECTED,
    }
    const lease = broker.fetches.memory.lease()
    const fetched = readPartitions(broker.topics, plan.targets, limits, lease)
    const minBytes = Math.min(request.minBytes, maxBytes)
    context.whenSent(() => lease.release())
    if (fetched.urgent || fetched.recordBytes >= minBytes || request.maxWaitMs <= 0) return respond(plan, fetched, context, now)
    const waiting = new WaitingFetch(plan, limits, minBytes, lease, context)
    if (waiting.logs.length === 0) return respond(plan, fetched, context, now)
    waiting.parkUntil(now + request.maxWaitMs)
    return waiting.reply
  },
}

/** A fetch for which there is not enough yet: Kafka's `DelayedFetch`. */
class WaitingFetch implements Parked {
  readonly reply: Deferred<FetchResponse> = new Deferred()
  readonly logs: PartitionLog[] = []
  /** Those that `logs` belong to, at the same index. Unknown partitions are told with the others, but wake nobody. */
  readonly #watched: FetchTarget[] = []
  /** The leader epochs in which the wait began, at the same index. */
  readonly #leaderEpochs: number[] = []
  readonly #plan: FetchPlan
  readonly #limits: FetchLimits
  readonly #minBytes: number
  /** Of the reply; what the first look read into it is not sent. */
  readonly #lease: ReadLease
  readonly #context: RequestContext
  #forgetConnection: (() => void) | null = null

  constructor(plan: FetchPlan, limits: FetchLimits, minBytes: number, lease: ReadLease, context: RequestContext) {
    this.#plan = plan
    this.#limits = limits
    this.#minBytes = minBytes
    this.#lease = lease
    lease.release()
    this.#context = context
    for (const target of plan.targets) {
      const log = findTopic(context.broker.topics, target, limits.version)?.partitions[target.partition]?.log
      if (log === undefined) continue
      this.logs.push(log)
      this.#watched.push(target)
      this.#leaderEpochs.push(log.leaderEpoch)
    }
  }

  parkUntil(until: number): void {
    const leave = this.#context.broker.fetches.parked.park(this, until)
    this.#forgetConnection = this.#context.connection.onClose(leave)
  }

  isReady(): boolean {
    let bytes = 0
    for (const [index, log] of this.logs.entries()) {
      const { fetchOffset, maxBytes } = this.#watched[index]!
      // What went away or failed while it waited is told at once.
      if (log.closed || log.failure !== null || fetchOffset < log.logStartOffset || this.#hasNewLeader(index)) return true
      bytes += Math.min(log.bytesFrom(fetchOffset, this.#minBytes), maxBytes)
      if (bytes >= this.#minBytes) return true
    }
    return false
  }

  finish(now: number): void {
    this.#forgetConnection?.()
    const limits = { ...this.#limits, formerLeaders: this.#formerLeaders() }
    const { broker } = this.#context
    const fetched = readPartitions(broker.topics, this.#plan.targets, limits, this.#lease)
    this.reply.complete(respond(this.#plan, fetched, this.#context, now))
  }

  #hasNewLeader(index: number): boolean {
    return this.logs[index]!.leaderEpoch !== this.#leaderEpochs[index]
  }

  /** Those whose leader this node was, and that elected one anew in the meantime: `DelayedFetch` answers NOT_LEADER_OR_FOLLOWER. */
  #formerLeaders(): ReadonlySet<FetchTarget> {
    const former = this.#watched.filter((_, index) => this.#hasNewLeader(index))
    return former.length === 0 ? NONE_ELECTED : new Set(former)
  }
}

function respond(plan: FetchPlan, fetched: FetchedPartitions, context: RequestContext, now: number): FetchResponse {
  const { session } = plan
  if (session === null) {
    for (const [index, target] of plan.targets.entries()) noteResponse(target, fetched.data[index]!)
    const opened =
      plan.mayOpenSession && context.broker.fetches.sessions.open(plan.targets, context.version >= TOPIC_ID_VERSION, now)
    const responses = groupByTopic(plan.targets, fetched.data)
    return responseOf(ErrorCode.NONE, opened ? opened.id : 0, responses, endpoints(fetched.data, context))
  }
  // Another request of the session came while this one waited: its consumer gave up on this one.
  if (session.epoch !== plan.sessionEpoch) return responseOf(ErrorCode.INVALID_FETCH_SESSION_EPOCH, session.id, [], [])
  const targets: FetchTarget[] = []
  const data: PartitionData[] = []
  for (const [index, target] of plan.targets.entries()) {
    const partition = fetched.data[index]!
    if (!noteResponse(target, partition)) continue
    targets.push(target)
    data.push(partition)
    if (partition.records!.length > 0) session.moveToEnd(target)
  }
  return responseOf(ErrorCode.NONE, session.id, groupByTopic(targets, data), endpoints(data, context))
}

function groupByTopic(targets: readonly FetchTarget[], data: readonly PartitionData[]): FetchableTopicResponse[] {
  const responses: FetchableTopicResponse[] = []
  let current: FetchableTopicResponse | undefined
  for (const [index, target] of targets.entries()) {
    if (current === undefined || current.topic !== target.topicName || current.topicId !== target.topicId) {
      current = { topic: target.topicName, topicId: target.topicId, partitions: [] }
      responses.push(current)
    }
    current.partitions.push(data[index]!)
  }
  return responses
}

/** Where the leaders are that the partitions name (KIP-951). */
function endpoints(data: readonly PartitionData[], { broker }: RequestContext): NodeEndpoint[] {
  if (!data.some((partition) => partition.currentLeader.leaderId >= 0)) return []
  return [{ nodeId: broker.nodeId, host: broker.endpoint.host, port: broker.endpoint.port, rack: null }]
}

function responseOf(
  errorCode: number,
  sessionId: number,
  responses: FetchableTopicResponse[],
  nodeEndpoints: NodeEndpoint[],
): FetchResponse {
  return { throttleTimeMs: 0, errorCode, sessionId, responses, nodeEndpoints }
}
