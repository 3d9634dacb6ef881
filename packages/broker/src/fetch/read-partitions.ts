import { ErrorCode, KafkaError } from '@millrace/protocol'
import type {
  AbortedTransaction,
  EpochEndOffset,
  LeaderIdAndEpoch,
  PartitionData,
  SnapshotId,
} from '@millrace/protocol/apis/fetch'
import type { Partition, Topic, TopicRegistry } from '../core/topic-registry.ts'
import type { ReadTarget } from '../storage/read-memory.ts'
import { checkLeaderEpoch } from './leader-epoch-check.ts'
import type { FetchTarget } from './fetch-target.ts'

const NO_RECORDS: Buffer = Buffer.alloc(0)
const NO_EPOCH_END: EpochEndOffset = { epoch: -1, endOffset: -1n }
const NO_LEADER: LeaderIdAndEpoch = { leaderId: -1, leaderEpoch: -1 }
const NO_SNAPSHOT: SnapshotId = { endOffset: -1n, epoch: -1 }
const NO_ABORTED: AbortedTransaction[] = []

/** From here on a refusal tells who leads (KIP-951). */
export const LEADERS_VERSION = 16

export interface FetchLimits {
  /** For all partitions together. */
  readonly maxBytes: number
  readonly readCommitted: boolean
  /** A replica's id; negative for consumers. */
  readonly replicaId: number
  readonly version: number
  /** This broker, which leads every partition. */
  readonly nodeId: number
  /** Targets whose partitions elected a leader while the request waited; who named the former epoch is fenced all the same. */
  readonly formerLeaders: ReadonlySet<FetchTarget>
}

export interface FetchedPartitions {
  /** In the order of the targets. */
  readonly data: PartitionData[]
  readonly recordBytes: number
  /** Whether waiting cannot help, however little there is: an error, a diverging epoch, or more records than fit. */
  readonly urgent: boolean
}

/**
 * Reads what a fetch asks for, under Kafka's size rules: in total at most `maxBytes` and per partition at most what it asked for, but
 * from the first partition that has any, at least one batch (KIP-74). `ReplicaManager.readFromLog`.
 */
export function readPartitions(
  topics: TopicRegistry,
  targets: readonly FetchTarget[],
  limits: FetchLimits,
  memory: ReadTarget,
): FetchedPartitions {
  const data: PartitionData[] = []
  let left = limits.maxBytes
  let recordBytes = 0
  let urgent = false
  for (const target of targets) {
    const topic = findTopic(topics, target, limits.version)
    const partition = topic?.partitions[target.partition]
    if (partition === undefined) {
      // As in Kafka, partitions that are not known do not keep the others from waiting for data.
      data.push(errorData(target, unknownPartition(topic, limits.version)))
      continue
    }
    const result = readOne(partition, target, limits, left, recordBytes === 0, memory)
    recordBytes += result.data.records!.length
    left = Math.max(0, left - result.data.records!.length)
    if (result.urgent) urgent = true
    data.push(result.data)
  }
  return { data, recordBytes, urgent }
}

export function findTopic(topics: TopicRegistry, target: FetchTarget, version: number): Topic | undefined {
  return version >= 13 ? topics.byId(target.topicId) : topics.byName(target.topicName)
}

function readOne(
  partition: Partition,
  target: FetchTarget,
  limits: FetchLimits,
  left: number,
  minOneBatch: boolean,
  memory: ReadTarget,
): { data: PartitionData; urgent: boolean } {
  const refusal = leaderError(partition, target, limits)
  if (refusal !== ErrorCode.NONE) return { data: epochErrorData(partition, target, refusal, limits), urgent: true }
  const { log } = partition
  try {
    const data = goodData(partition, target, limits.readCommitted)
    if (target.lastFetchedEpoch >= 0) {
      const end = log.epochEndOffset(target.lastFetchedEpoch)
      if (end.endOffset < 0) return { data: errorData(target, ErrorCode.OFFSET_OUT_OF_RANGE), urgent: true }
      if (end.epoch < target.lastFetchedEpoch || end.endOffset < target.fetchOffset) {
        data.divergingEpoch = { epoch: end.epoch, endOffset: BigInt(end.endOffset) }
        return { data, urgent: true }
      }
    }
    const read = log.read({
      offset: target.fetchOffset,
      maxBytes: Math.min(target.maxBytes, left),
      minOneBatch,
      upperBound: limits.readCommitted ? log.lastStableOffset : log.highWatermark,
      target: memory,
    })
    data.records = read.records
    return { data, urgent: read.hasMore }
  } catch (error) {
    return { data: errorData(target, readErrorCode(error, limits.version)), urgent: true }
  }
}

function leaderError(partition: Partition, target: FetchTarget, limits: FetchLimits): number {
  if (limits.replicaId >= 0) return ErrorCode.NOT_LEADER_OR_FOLLOWER
  const epochError = checkLeaderEpoch(partition, target.currentLeaderEpoch)
  if (epochError !== ErrorCode.NONE || !limits.formerLeaders.has(target)) return epochError
  return ErrorCode.NOT_LEADER_OR_FOLLOWER
}

function unknownPartition(topic: Topic | undefined, version: number): number {
  return topic === undefined && version >= 13 ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
}

/** Clients before version 6 take KAFKA_STORAGE_ERROR for a fatal error; the other makes them look again (KIP-112). */
function readErrorCode(error: unknown, version: number): number {
  const code = error instanceof KafkaError ? error.code : 'KAFKA_STORAGE_ERROR'
  if (code === 'OFFSET_OUT_OF_RANGE') return ErrorCode.OFFSET_OUT_OF_RANGE
  return version <= 5 ? ErrorCode.NOT_LEADER_OR_FOLLOWER : ErrorCode.KAFKA_STORAGE_ERROR
}

function goodData({ log }: Partition, target: FetchTarget, readCommitted: boolean): PartitionData {
  return {
    partitionIndex: target.partition,
    errorCode: ErrorCode.NONE,
    highWatermark: BigInt(log.highWatermark),
    lastStableOffset: BigInt(log.lastStableOffset),
    logStartOffset: BigInt(log.logStartOffset),
    divergingEpoch: NO_EPOCH_END,
    currentLeader: NO_LEADER,
    snapshotId: NO_SNAPSHOT,
    abortedTransactions: readCommitted ? NO_ABORTED : null,
    preferredReadReplica: -1,
    records: NO_RECORDS,
  }
}

/** What is said of a partition that gives nothing but an error. */
export function errorData(target: Pick<FetchTarget, 'partition'>, errorCode: number): PartitionData {
  return {
    partitionIndex: target.partition,
    errorCode,
    highWatermark: -1n,
    lastStableOffset: -1n,
    logStartOffset: -1n,
    divergingEpoch: NO_EPOCH_END,
    currentLeader: NO_LEADER,
    snapshotId: NO_SNAPSHOT,
    abortedTransactions: null,
    preferredReadReplica: -1,
    records: NO_RECORDS,
  }
}

/** Tells the leader and its epoch with the refusal, so that the client need not ask for metadata (KIP-951). */
function epochErrorData(partition: Partition, target: FetchTarget, errorCode: number, limits: FetchLimits): PartitionData {
  const data = errorData(target, errorCode)
  const tellsLeader = limits.version >= LEADERS_VERSION && errorCode !== ErrorCode.UNKNOWN_LEADER_EPOCH
  if (tellsLeader) data.currentLeader = { leaderId: limits.nodeId, leaderEpoch: partition.leaderEpoch }
  return data
}
