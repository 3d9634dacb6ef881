/**
 * OffsetFetch v1-10: one group up to v7, several from v8; topics by name, from v10 by id. No topic list means all topics. Offsets
 * are always stable, for there are no transactions that could hold some back. A partition without a commit answers -1.
 */
import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import {
  offsetFetchApi,
  type OffsetFetchRequest,
  type OffsetFetchRequestGroup,
  type OffsetFetchRequestTopics,
  type OffsetFetchResponse,
  type OffsetFetchResponsePartitions,
  type OffsetFetchResponseTopics,
} from '@millrace/protocol/apis/offset-fetch'
import type { CommittedOffset } from '../coordinator/offset-records.ts'
import type { Handler, RequestContext } from '../core/handler.ts'

const BATCHED_SINCE = 8
const TOPIC_IDS_SINCE = 10

export const offsetFetchHandler: Handler<OffsetFetchRequest, OffsetFetchResponse> = {
  api: offsetFetchApi,
  minVersion: 1,
  maxVersion: 10,
  handle(request, context) {
    const response: OffsetFetchResponse = { throttleTimeMs: 0, topics: [], errorCode: ErrorCode.NONE, groups: [] }
    if (context.version >= BATCHED_SINCE) {
      response.groups = request.groups.map((group) => {
        return { groupId: group.groupId, topics: fetchGroup(group, context), errorCode: ErrorCode.NONE }
      })
      return response
    }
    const topics = request.topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null
    response.topics = fetchGroup({ groupId: request.groupId, memberId: null, memberEpoch: -1, topics }, context)
    return response
  },
}

function fetchGroup({ groupId, topics }: OffsetFetchRequestGroup, context: RequestContext): OffsetFetchResponseTopics[] {
  return topics === null ? fetchAll(groupId, context) : topics.map((topic) => fetchTopic(groupId, topic, context))
}

function fetchAll(groupId: string, { broker, version }: RequestContext): OffsetFetchResponseTopics[] {
  const byId = version >= TOPIC_IDS_SINCE
  const replies: OffsetFetchResponseTopics[] = []
  for (const [name, partitions] of broker.groups.offsets.of(groupId)) {
    const topicId = broker.topics.byName(name)?.id
    // What has no id cannot be said by id.
    if (byId && topicId === undefined) continue
    const commits = [...partitions].map(([partition, commit]) => partitionReply(partition, commit))
    replies.push({ name: byId ? '' : name, topicId: byId ? topicId! : ZERO_UUID, partitions: commits })
  }
  return replies
}

function fetchTopic(
  groupId: string,
  topic: OffsetFetchRequestTopics,
  { broker, version }: RequestContext,
): OffsetFetchResponseTopics {
  const byId = version >= TOPIC_IDS_SINCE
  const name = byId ? broker.topics.byId(topic.topicId)?.name : topic.name
  const partitions = topic.partitionIndexes.map((index) => {
    if (name === undefined) return { ...partitionReply(index, undefined), errorCode: ErrorCode.UNKNOWN_TOPIC_ID }
    const commit = broker.groups.offsets.get(groupId, name, index)
    return partitionReply(index, commit !== undefined && isForTopic(commit, topic.topicId, byId) ? commit : undefined)
  })
  return { name: topic.name, topicId: topic.topicId, partitions }
}

/** A commit for an earlier topic of the same name does not count. Old records do not say which topic they were for. */
function isForTopic(commit: CommittedOffset, topicId: string, byId: boolean): boolean {
  return !byId || commit.topicId === ZERO_UUID || commit.topicId === topicId
}

function partitionReply(partitionIndex: number, commit: CommittedOffset | undefined): OffsetFetchResponsePartitions {
  return {
    partitionIndex,
    committedOffset: BigInt(commit?.offset ?? -1),
    committedLeaderEpoch: commit?.leaderEpoch ?? -1,
    metadata: commit?.metadata ?? '',
    errorCode: ErrorCode.NONE,
  }
}
