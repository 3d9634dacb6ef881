/**
 * OffsetFetch v1-10: one group up to v7, several from v8, in the member's epoch from v9; topics by name, from v10 by id. No topic list means all topics. Offsets
 * are always stable, for there are no transactions that could hold some back. A partition without a commit answers -1.
 */
import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import {
  offsetFetchApi,
  type OffsetFetchRequest,
  type OffsetFetchRequestGroup,
  type OffsetFetchRequestTopics,
  type OffsetFetchResponse,
  type OffsetFetchResponseGroup,
  type OffsetFetchResponsePartitions,
  type OffsetFetchResponseTopics,
} from '@millrace/protocol/apis/offset-fetch'
import { checkFetch } from '../coordinator/offset-checks.ts'
import type { CommittedOffset } from '../coordinator/offset-records.ts'
import type { Handler, RequestContext } from '../core/handler.ts'
import { overwrittenErrors, topicNameOf, type Chosen, type Target } from '../faults/error-shape.ts'

const BATCHED_SINCE = 8
const TOPIC_IDS_SINCE = 10

/** Requests and replies of every version in the shape of the newest. */
function groupsOf(request: OffsetFetchRequest, version: number): OffsetFetchRequestGroup[] {
  if (version >= BATCHED_SINCE) return request.groups
  const topics = request.topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null
  return [{ groupId: request.groupId, memberId: null, memberEpoch: -1, topics }]
}

const offsetFetchErrors = overwrittenErrors<OffsetFetchRequest, OffsetFetchResponse>({
  selectors: ['topic', 'partition', 'group'],
  targets: (request, context) => groupsOf(request, context.version).flatMap((group) => targetsOf(group, context)),
  overwrite(response, chosen, errorCode, request, context) {
    const { version } = context
    if (version >= BATCHED_SINCE) {
      const groups = response.groups.map((group) => withError(group, chosen, errorCode, context))
      return { ...response, groups }
    }
    const { groupId } = request
    const served = response.topics.map((topic) => ({ ...topic, topicId: ZERO_UUID }))
    const one = withError({ groupId, topics: served, errorCode: ErrorCode.NONE }, chosen, errorCode, context)
    // v1 has no place for the group's error but its partitions.
    const topics = one.errorCode === ErrorCode.NONE || version > 1 ? one.topics : failAll(served, one.errorCode)
    return { ...response, topics, errorCode: one.errorCode }
  },
})

export const offsetFetchHandler: Handler<OffsetFetchRequest, OffsetFetchResponse> = {
  api: offsetFetchApi,
  minVersion: 1,
  maxVersion: 10,
  errors: offsetFetchErrors,
  handle(request, context) {
    const response: OffsetFetchResponse = { throttleTimeMs: 0, topics: [], errorCode: ErrorCode.NONE, groups: [] }
    if (context.version >= BATCHED_SINCE) {
      response.groups = request.groups.map((group) => {
        const { groupId, memberId, memberEpoch } = group
        const errorCode = checkFetch(context.broker.groups.group(groupId), memberId, memberEpoch)
        return { groupId, topics: errorCode === ErrorCode.NONE ? fetchGroup(group, context) : [], errorCode }
      })
      return response
    }
    response.topics = fetchGroup(groupsOf(request, context.version)[0]!, context)
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

function targetsOf({ groupId: group, topics }: OffsetFetchRequestGroup, context: RequestContext): Target[] {
  const whole = { topic: null, partition: null, group }
  const asked =
    topics === null
      ? [...context.broker.groups.offsets.of(group)].map(([name, commits]) => ({ name, partitionIndexes: [...commits.keys()] }))
      : topics
  const partitions = asked.flatMap((topic) => {
    const name = topicNameOf(topic, context)
    return topic.partitionIndexes.map((partition) => ({ topic: name, partition, group }))
  })
  return [whole, ...partitions]
}

/** A group that is chosen as a whole has the error alone, and otherwise its chosen partitions have it. */
function withError(
  group: OffsetFetchResponseGroup,
  chosen: Chosen,
  errorCode: number,
  context: RequestContext,
): OffsetFetchResponseGroup {
  const { groupId } = group
  if (chosen({ topic: null, partition: null, group: groupId })) return { groupId, topics: [], errorCode }
  const topics = group.topics.map((topic) => {
    const name = topicNameOf(topic, context)
    const partitions = topic.partitions.map((one) => {
      const isChosen = chosen({ topic: name, partition: one.partitionIndex, group: groupId })
      return isChosen ? { ...partitionReply(one.partitionIndex, undefined), errorCode } : one
    })
    return { ...topic, partitions }
  })
  return { ...group, topics }
}

function failAll(topics: readonly OffsetFetchResponseTopics[], errorCode: number): OffsetFetchResponseTopics[] {
  return topics.map((topic) => ({ ...topic, partitions: topic.partitions.map((one) => ({ ...one, errorCode })) }))
}
