/**
 * OffsetCommit v2-10: topics by name, from v10 by id. Commits of a request are stored together; who may commit what is said in
 * coordinator/offset-checks.ts.
 */
import { ErrorCode } from '@millrace/protocol'
import {
  offsetCommitApi,
  type OffsetCommitRequest,
  type OffsetCommitRequestPartition,
  type OffsetCommitRequestTopic,
  type OffsetCommitResponse,
  type OffsetCommitResponseTopic,
} from '@millrace/protocol/apis/offset-commit'
import type { OffsetToCommit } from '../coordinator/group-coordinator.ts'
import { checkCommit } from '../coordinator/offset-checks.ts'
import type { CommittedOffset } from '../coordinator/offset-records.ts'
import type { Handler, RequestContext } from '../core/handler.ts'
import { namedPartitionErrors } from '../faults/error-shape.ts'
import type { Topic } from '../core/topic-registry.ts'

const TOPIC_IDS_SINCE = 10

/** What becomes of one partition of the request: an error, or a commit that is to be stored. */
type Verdict = number | OffsetToCommit

export const offsetCommitHandler: Handler<OffsetCommitRequest, OffsetCommitResponse> = {
  api: offsetCommitApi,
  minVersion: 2,
  maxVersion: 10,
  errors: namedPartitionErrors({
    groupOf: ({ groupId }) => groupId,
    indexOf: ({ partitionIndex }: OffsetCommitRequestPartition) => partitionIndex,
    topicAnswer: ({ name, topicId }: OffsetCommitRequestTopic): OffsetCommitResponseTopic => ({ name, topicId, partitions: [] }),
    failed: ({ partitionIndex }, errorCode) => ({ partitionIndex, errorCode }),
  }),
  handle(request, context) {
    const verdicts = request.topics.map((topic) => judgeTopic(request, topic, context))
    const commits = verdicts.flat().filter((verdict) => typeof verdict !== 'number')
    const error = commits.length === 0 ? ErrorCode.NONE : commit(request, commits, context)
    return {
      throttleTimeMs: 0,
      topics: request.topics.map(({ name, topicId, partitions }, t) => ({
        name,
        topicId,
        partitions: partitions.map(({ partitionIndex }, p) => {
          const verdict = verdicts[t]![p]!
          return { partitionIndex, errorCode: typeof verdict === 'number' ? verdict : error }
        }),
      })),
    }
  },
}

function judgeTopic(request: OffsetCommitRequest, topic: OffsetCommitRequestTopic, context: RequestContext): Verdict[] {
  const { topics } = context.broker
  const byId = context.version >= TOPIC_IDS_SINCE
  const found = byId ? topics.byId(topic.topicId) : topics.byName(topic.name)
  const unknown = byId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  if (found === undefined) return topic.partitions.map(() => unknown)
  return topic.partitions.map((partition) => judgePartition(request, found, partition, context))
}

function judgePartition(
  request: OffsetCommitRequest,
  topic: Topic,
  partition: OffsetCommitRequestPartition,
  { broker, now }: RequestContext,
): Verdict {
  const { partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata } = partition
  if (partitionIndex < 0 || partitionIndex >= topic.partitions.length) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  const metadata = committedMetadata ?? ''
  if (Buffer.byteLength(metadata) > broker.config.offsetMetadataMaxBytes) return ErrorCode.OFFSET_METADATA_TOO_LARGE
  if (committedOffset > BigInt(Number.MAX_SAFE_INTEGER) || committedOffset < -1n) return ErrorCode.OFFSET_OUT_OF_RANGE
  const commit: CommittedOffset = {
    offset: Number(committedOffset),
    leaderEpoch: committedLeaderEpoch,
    metadata,
    committedAt: now,
    expiresAt: request.retentionTimeMs === -1n ? -1 : Math.min(now + Number(request.retentionTimeMs), Number.MAX_SAFE_INTEGER),
    topicId: topic.id,
  }
  return { topic: topic.name, partition: partitionIndex, commit }
}

function commit(
  request: OffsetCommitRequest,
  commits: readonly OffsetToCommit[],
  { broker, now, version }: RequestContext,
): number {
  const { groups } = broker
  const group = groups.group(request.groupId)
  const error = checkCommit(group, request, commits, version)
  if (error !== ErrorCode.NONE) return error
  if (group?.type === 'classic' && (group.state === 'Stable' || group.state === 'PreparingRebalance')) {
    groups.extendSession(group, request.memberId, now)
  }
  return groups.commit(request.groupId, commits, now)
}
