import { ErrorCode, KafkaError } from '@millrace/protocol'
import {
  produceApi,
  type BatchIndexAndErrorMessage,
  type LeaderIdAndEpoch,
  type PartitionProduceData,
  type PartitionProduceResponse,
  type ProduceRequest,
  type ProduceResponse,
  type TopicProduceResponse,
} from '@millrace/protocol/apis/produce'
import { messageOf } from '@millrace/protocol/internal'
import { compressionOf } from '@millrace/records/internal'
import { Deferred } from '../core/deferred.ts'
import { NO_RESPONSE, type Handler, type RequestContext } from '../core/handler.ts'
import { FAULT_MESSAGE, partitionErrors, type ErrorShape } from '../faults/error-shape.ts'
import type { Topic } from '../core/topic-registry.ts'
import type { Parked } from '../fetch/parked-requests.ts'
import { LogError } from '../log/log-error.ts'
import type { PartitionLog } from '../log/partition-log.ts'

const NO_LEADER: LeaderIdAndEpoch = { leaderId: -1, leaderEpoch: -1 }
const NO_RECORD_ERRORS: BatchIndexAndErrorMessage[] = []
const ACKS_ALL = -1
/** From here on requests name topics by their id. */
const TOPIC_ID_VERSION = 13
/** Clients before it do not know the codec (KIP-110). */
const ZSTD_VERSION = 7
/** From here on who is refused for want of a leader is told where it is (KIP-951). */
const LEADERS_VERSION = 10
const SMALLEST_HEADER_BYTES = 61
/** Errors that come before a log is looked at (Kafka: ReplicaManager.appendToLocalLog). */
const WITHOUT_LOG_START: ReadonlySet<number> = new Set([
  ErrorCode.CORRUPT_MESSAGE,
  ErrorCode.MESSAGE_TOO_LARGE,
  ErrorCode.KAFKA_STORAGE_ERROR,
])

/** What was chosen is not written. */
const produceErrors: ErrorShape<ProduceRequest, ProduceResponse> = {
  ...partitionErrors({
    topics: ({ topicData }: ProduceRequest) => topicData,
    withTopics: (request, topicData) => ({ ...request, topicData }),
    nameOf: ({ name, topicId }) => ({ name, topicId }),
    partitions: ({ partitionData }) => partitionData,
    withPartitions: (topic, partitionData) => ({ ...topic, partitionData }),
    indexOf: ({ index }) => index,
    topicAnswers: ({ responses }: ProduceResponse) => responses,
    topicAnswer: ({ name, topicId }): TopicProduceResponse => ({ name, topicId, partitionResponses: [] }),
    answers: ({ partitionResponses }) => partitionResponses,
    failed: ({ index }, errorCode) => failed(index, errorCode, FAULT_MESSAGE),
  }),
  nameLeaders: withLeaders,
}

/**
 * Produce: Kafka's validation, idempotence, LogAppendTime, acks 0, 1 and all. With one replica, acks=all differs from 1 only under
 * `flush: 'fsync'`. Transactions are not served: a request with a transactional id is refused.
 */
export const produceHandler: Handler<ProduceRequest, ProduceResponse> = {
  api: produceApi,
  minVersion: 3,
  maxVersion: 13,
  errors: produceErrors,
  handle(request, context) {
    const appends = new Appends(request, context)
    if (request.acks === 0) {
      if (appends.firstError !== null) context.connection.close(`Produce with acks=0 failed: ${appends.firstError}`)
      return NO_RESPONSE
    }
    if (request.acks !== ACKS_ALL || appends.isReady()) return appends.response
    appends.parkUntil(context.now + Math.max(0, request.timeoutMs))
    return appends.reply
  },
}

/** What waits for its log's high watermark to reach an offset, in the leader epoch in which it was written. */
interface Waiting {
  readonly partition: PartitionProduceResponse
  readonly end: number
  readonly leaderEpoch: number
}

/** The appends of one request, and what becomes of them: Kafka's `DelayedProduce`. */
class Appends implements Parked {
  readonly reply: Deferred<ProduceResponse> = new Deferred()
  readonly response: ProduceResponse
  /** Why a partition was refused, for the one who gets no reply. */
  firstError: string | null = null
  readonly logs: PartitionLog[] = []
  /** At the index of its log. */
  readonly #waiting: Waiting[] = []
  readonly #context: RequestContext
  #forgetConnection: (() => void) | null = null

  constructor(request: ProduceRequest, context: RequestContext) {
    this.#context = context
    const requestError = checkRequest(request)
    const { parked } = context.broker.fetches
    parked.hold()
    try {
      this.response = { responses: [], throttleTimeMs: 0, nodeEndpoints: [] }
      for (const data of request.topicData) {
        const topic =
          context.version >= TOPIC_ID_VERSION ? context.broker.topics.byId(data.topicId) : context.broker.topics.byName(data.name)
        const partitionResponses = data.partitionData.map((partition) => this.#append(topic, partition, requestError))
        this.response.responses.push({ name: data.name, topicId: data.topicId, partitionResponses })
      }
    } finally {
      parked.release()
    }
  }

  parkUntil(until: number): void {
    const leave = this.#context.broker.fetches.parked.park(this, until)
    this.#forgetConnection = this.#context.connection.onClose(leave)
  }

  isReady(): boolean {
    return this.logs.every((log, index) => {
      const { end, leaderEpoch } = this.#waiting[index]!
      return log.highWatermark >= end || log.failure !== null || log.closed || log.leaderEpoch !== leaderEpoch
    })
  }

  finish(): void {
    this.#forgetConnection?.()
    for (const [index, log] of this.logs.entries()) {
      const { partition, end, leaderEpoch } = this.#waiting[index]!
      if (log.highWatermark >= end) continue
      const [errorCode, errorMessage] = unconfirmed(log, leaderEpoch)
      Object.assign(partition, { errorCode, errorMessage, baseOffset: -1n, logAppendTimeMs: -1n, logStartOffset: -1n })
    }
    this.reply.complete(withLeaders(this.response, this.#context))
  }

  #append(topic: Topic | undefined, data: PartitionProduceData, requestError: LogError | null): PartitionProduceResponse {
    const { version, now } = this.#context
    if (requestError !== null) return this.#refused(data.index, requestError)
    const partition = topic?.partitions[data.index]
    if (partition === undefined) {
      const isUnknownId = topic === undefined && version >= TOPIC_ID_VERSION
      return this.#failed(data.index, isUnknownId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, null)
    }
    const { log } = partition
    try {
      const batch = data.records ?? EMPTY
      checkCodec(batch, version, log.name)
      const result = log.append(batch, { now, origin: 'client' })
      const response: PartitionProduceResponse = {
        index: data.index,
        errorCode: ErrorCode.NONE,
        baseOffset: BigInt(result.baseOffset),
        logAppendTimeMs: BigInt(result.logAppendTime),
        logStartOffset: BigInt(result.logStartOffset),
        recordErrors: NO_RECORD_ERRORS,
        errorMessage: null,
        currentLeader: NO_LEADER,
      }
      if (log.highWatermark <= result.lastOffset) {
        this.logs.push(log)
        this.#waiting.push({ partition: response, end: result.lastOffset + 1, leaderEpoch: log.leaderEpoch })
      }
      return response
    } catch (error) {
      const response = this.#refused(data.index, error)
      // Idempotent producers compare it to what they sent; for the others Kafka does not say it either.
      if (!WITHOUT_LOG_START.has(response.errorCode)) response.logStartOffset = BigInt(log.logStartOffset)
      return response
    }
  }

  #refused(index: number, error: unknown): PartitionProduceResponse {
    const response = this.#failed(index, produceErrorCode(error), messageOf(error))
    if (error instanceof LogError && error.recordErrors.length > 0) {
      response.recordErrors = error.recordErrors.map(({ index: batchIndex, message }) => ({
        batchIndex,
        batchIndexErrorMessage: message,
      }))
    }
    return response
  }

  #failed(index: number, errorCode: number, errorMessage: string | null): PartitionProduceResponse {
    this.firstError ??= errorMessage ?? `partition ${index} is unknown`
    return failed(index, errorCode, errorMessage)
  }
}

/** Why the log does not vouch for what it was given. As in Kafka's `DelayedProduce`, a former leader cannot. */
function unconfirmed(log: PartitionLog, leaderEpoch: number): [errorCode: number, message: string] {
  if (log.failure !== null) return [ErrorCode.KAFKA_STORAGE_ERROR, log.failure.message]
  if (log.closed) return [ErrorCode.KAFKA_STORAGE_ERROR, `${log.name} is closed`]
  if (log.leaderEpoch !== leaderEpoch) {
    return [ErrorCode.NOT_LEADER_OR_FOLLOWER, `${log.name}: a leader was elected before the disk confirmed`]
  }
  return [ErrorCode.REQUEST_TIMED_OUT, `${log.name}: the disk did not confirm in time`]
}

function failed(index: number, errorCode: number, errorMessage: string | null): PartitionProduceResponse {
  return {
    index,
    errorCode,
    baseOffset: -1n,
    logAppendTimeMs: -1n,
    logStartOffset: -1n,
    recordErrors: NO_RECORD_ERRORS,
    errorMessage,
    currentLeader: NO_LEADER,
  }
}

/** Names the leaders of the partitions that were refused for want of one. */
function withLeaders(response: ProduceResponse, { broker, version }: RequestContext): ProduceResponse {
  if (version < LEADERS_VERSION) return response
  for (const { name, topicId, partitionResponses } of response.responses) {
    const topic = version >= TOPIC_ID_VERSION ? broker.topics.byId(topicId) : broker.topics.byName(name)
    for (const partition of partitionResponses) {
      const leaderEpoch = topic?.partitions[partition.index]?.leaderEpoch
      if (partition.errorCode !== ErrorCode.NOT_LEADER_OR_FOLLOWER || leaderEpoch === undefined) continue
      partition.currentLeader = { leaderId: broker.nodeId, leaderEpoch }
      response.nodeEndpoints = [{ nodeId: broker.nodeId, host: broker.endpoint.host, port: broker.endpoint.port, rack: null }]
    }
  }
  return response
}

const EMPTY: Buffer = Buffer.alloc(0)

/** What is wrong with the request as a whole, told for each partition as the response has no place of its own for it. */
function checkRequest(request: ProduceRequest): LogError | null {
  if (request.acks !== 0 && request.acks !== 1 && request.acks !== ACKS_ALL) {
    return new LogError('INVALID_REQUIRED_ACKS', `acks is ${request.acks}; it must be -1, 0 or 1`)
  }
  if (request.transactionalId !== null) {
    return new LogError(
      'INVALID_TXN_STATE',
      `transactional id ${JSON.stringify(request.transactionalId)}: transactions are not served`,
    )
  }
  return null
}

function checkCodec(batch: Buffer, version: number, where: string): void {
  if (version >= ZSTD_VERSION || batch.length < SMALLEST_HEADER_BYTES || compressionOf(batch, 0) !== 'zstd') return
  throw new LogError('UNSUPPORTED_COMPRESSION_TYPE', `${where}: zstd needs Produce version ${ZSTD_VERSION}; this is ${version}`)
}

/** Never UNKNOWN_SERVER_ERROR: idempotent Java producers lose their sequence over it (KAFKA-14034). What is not foreseen is retriable. */
function produceErrorCode(error: unknown): number {
  if (!(error instanceof KafkaError)) return ErrorCode.KAFKA_STORAGE_ERROR
  const codes: Readonly<Record<string, number>> = ErrorCode
  return codes[error.code] ?? ErrorCode.KAFKA_STORAGE_ERROR
}
