import { ErrorCode } from '@millrace/protocol'
import {
  listOffsetsApi,
  type ListOffsetsPartition,
  type ListOffsetsPartitionResponse,
  type ListOffsetsRequest,
  type ListOffsetsResponse,
  type ListOffsetsTopic,
  type ListOffsetsTopicResponse,
} from '@millrace/protocol/apis/list-offsets'
import type { Handler, RequestContext } from '../core/handler.ts'
import { namedPartitionErrors } from '../faults/error-shape.ts'
import type { Partition } from '../core/topic-registry.ts'
import type { TimestampedOffset } from '../log/timestamp-search.ts'
import { checkLeaderEpoch } from '../fetch/leader-epoch-check.ts'

const LATEST = -1n
const EARLIEST = -2n
const MAX_TIMESTAMP = -3n
const EARLIEST_LOCAL = -4n
const LATEST_TIERED = -5n
const EARLIEST_PENDING_UPLOAD = -6n

/** Timestamps with a meaning of their own, and since which version they have it (ListOffsetsRequest.java). */
const SPECIAL_SINCE: ReadonlyMap<bigint, number> = new Map([
  [LATEST, 1],
  [EARLIEST, 1],
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
])

const READ_COMMITTED = 1
const UNKNOWN = -1

/** ListOffsets: by timestamp and for all special timestamps. There is no tiered storage: its timestamps answer "none", as in Kafka without it. */
export const listOffsetsHandler: Handler<ListOffsetsRequest, ListOffsetsResponse> = {
  api: listOffsetsApi,
  minVersion: 1,
  maxVersion: 11,
  errors: namedPartitionErrors({
    indexOf: ({ partitionIndex }: ListOffsetsPartition) => partitionIndex,
    topicAnswer: ({ name }: ListOffsetsTopic): ListOffsetsTopicResponse => ({ name, partitions: [] }),
    failed: ({ partitionIndex }, errorCode) => answer(partitionIndex, errorCode, null, 0),
  }),
  handle(request, context) {
    return {
      throttleTimeMs: 0,
      topics: request.topics.map(({ name, partitions }) => {
        const repeated = repeatedIndexes(partitions)
        const isCommitted = request.isolationLevel === READ_COMMITTED
        return { name, partitions: partitions.map((asked) => listOffset(name, asked, repeated, isCommitted, context)) }
      }),
    }
  },
}

function listOffset(
  topic: string,
  asked: ListOffsetsPartition,
  repeated: ReadonlySet<number>,
  readCommitted: boolean,
  { broker, version }: RequestContext,
): ListOffsetsPartitionResponse {
  const { partitionIndex, timestamp } = asked
  if (repeated.has(partitionIndex)) return answer(partitionIndex, ErrorCode.INVALID_REQUEST, null, version)
  if (timestamp < 0n && version < (SPECIAL_SINCE.get(timestamp) ?? Infinity)) {
    return answer(partitionIndex, ErrorCode.UNSUPPORTED_VERSION, null, version)
  }
  const partition = broker.topics.partition(topic, partitionIndex)
  if (partition === undefined) return answer(partitionIndex, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, null, version)
  const epochError = checkLeaderEpoch(partition, asked.currentLeaderEpoch)
  if (epochError !== ErrorCode.NONE) return answer(partitionIndex, epochError, null, version)
  try {
    return answer(partitionIndex, ErrorCode.NONE, find(partition, timestamp, readCommitted), version)
  } catch {
    // The log could not be read; the event of that is told by whoever owns the disk.
    return answer(partitionIndex, ErrorCode.KAFKA_STORAGE_ERROR, null, version)
  }
}

function repeatedIndexes(partitions: readonly ListOffsetsPartition[]): Set<number> {
  const seen = new Set<number>()
  const repeated = new Set<number>()
  for (const { partitionIndex } of partitions) (seen.has(partitionIndex) ? repeated : seen).add(partitionIndex)
  return repeated
}

function find({ log, leaderEpoch }: Partition, timestamp: bigint, readCommitted: boolean): TimestampedOffset | null {
  switch (timestamp) {
    case LATEST: {
      return { offset: readCommitted ? log.lastStableOffset : log.highWatermark, timestamp: UNKNOWN, leaderEpoch }
    }
    case EARLIEST:
    case EARLIEST_LOCAL: {
      // A log without records has the leader's epoch from its election on.
      const epoch = log.epochOf(log.logStartOffset)
      return { offset: log.logStartOffset, timestamp: UNKNOWN, leaderEpoch: epoch < 0 ? leaderEpoch : epoch }
    }
    case MAX_TIMESTAMP: {
      return log.maxTimestampOffset()
    }
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD: {
      return null
    }
    default: {
      return log.offsetForTimestamp(Number(timestamp))
    }
  }
}

function answer(
  partitionIndex: number,
  errorCode: number,
  found: TimestampedOffset | null,
  version: number,
): ListOffsetsPartitionResponse {
  return {
    partitionIndex,
    errorCode,
    timestamp: BigInt(found?.timestamp ?? UNKNOWN),
    offset: BigInt(found?.offset ?? UNKNOWN),
    leaderEpoch: version >= 4 ? (found?.leaderEpoch ?? UNKNOWN) : UNKNOWN,
  }
}
