import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import type { OffsetCommitRequest, OffsetCommitResponse } from '@millrace/protocol/apis/offset-commit'
import type { OffsetFetchRequest, OffsetFetchResponse } from '@millrace/protocol/apis/offset-fetch'
import type { MemberIdentity } from '../membership/membership.ts'
import { groupByTopic, keyOf, type TopicPartition } from '../topic-partition.ts'

/** Names and ids of topics, for the versions that know only one of them. */
export interface TopicNames {
  idOf(name: string): string
  nameOf(id: string): string | undefined
}

export interface OffsetToCommit extends TopicPartition {
  /** ZERO_UUID: that of the topic that has the name now. */
  readonly topicId: string
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
}

export interface GroupIdentity extends MemberIdentity {
  readonly groupId: string
  readonly groupInstanceId: string | null
}

const LAST_COMMIT_VERSION_BY_NAME = 9
const FIRST_BATCHED_FETCH_VERSION = 8
const LAST_FETCH_VERSION_BY_NAME = 9
const FIRST_STABLE_VERSION = 7

/** Topics are named by id from v10 on, which `maxCommitVersion` allows only when all ids are known. */
export function offsetCommitRequest(
  identity: GroupIdentity,
  offsets: readonly OffsetToCommit[],
  names: TopicNames,
): OffsetCommitRequest {
  const topics = new Map<string, OffsetCommitRequest['topics'][number]>()
  for (const one of offsets) {
    const { topic, partition, offset, leaderEpoch, metadata } = one
    const topicId = idOf(one, names)
    let entry = topics.get(topicId + topic)
    if (entry === undefined) topics.set(topicId + topic, (entry = { name: topic, topicId, partitions: [] }))
    entry.partitions.push({
      partitionIndex: partition,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: leaderEpoch,
      committedMetadata: metadata,
    })
  }
  return {
    groupId: identity.groupId,
    generationIdOrMemberEpoch: identity.generationId,
    memberId: identity.memberId,
    groupInstanceId: identity.groupInstanceId,
    retentionTimeMs: -1n,
    topics: [...topics.values()],
  }
}

/** Undefined when every version will do. */
export function maxCommitVersion(offsets: readonly OffsetToCommit[], names: TopicNames): number | undefined {
  return offsets.every((one) => idOf(one, names) !== ZERO_UUID) ? undefined : LAST_COMMIT_VERSION_BY_NAME
}

function idOf({ topic, topicId }: OffsetToCommit, names: TopicNames): string {
  return topicId === ZERO_UUID ? names.idOf(topic) : topicId
}

/** The first error among the partitions; NONE if all were committed. */
export function commitErrorOf(response: OffsetCommitResponse): number {
  for (const { partitions } of response.topics) {
    for (const { errorCode } of partitions) if (errorCode !== ErrorCode.NONE) return errorCode
  }
  return ErrorCode.NONE
}

/** Of each offset, in their order; null where the answer says nothing of it. */
export function commitCodesOf(
  response: OffsetCommitResponse,
  offsets: readonly OffsetToCommit[],
  names: TopicNames,
): (number | null)[] {
  const codes = new Map<string, number>()
  // Answers name topics as their requests did: by one of the two.
  for (const { name, topicId, partitions } of response.topics)
    for (const { partitionIndex, errorCode } of partitions)
      codes.set(keyOf({ topic: name || topicId, partition: partitionIndex }), errorCode)
  return offsets.map((one) => {
    return codes.get(keyOf(one)) ?? codes.get(keyOf({ topic: idOf(one, names), partition: one.partition })) ?? null
  })
}

/** Undefined when every version will do. */
export function maxOffsetFetchVersion(partitions: readonly TopicPartition[], names: TopicNames): number | undefined {
  return partitions.every(({ topic }) => names.idOf(topic) !== ZERO_UUID) ? undefined : LAST_FETCH_VERSION_BY_NAME
}

export function offsetFetchRequest(
  groupId: string,
  partitions: readonly TopicPartition[],
  names: TopicNames,
  version: number,
): OffsetFetchRequest {
  const byTopic = [...groupByTopic(partitions)]
  if (version < FIRST_BATCHED_FETCH_VERSION) {
    const topics = byTopic.map(([name, partitionIndexes]) => ({ name, partitionIndexes }))
    return { groupId, topics, groups: [], requireStable: version >= FIRST_STABLE_VERSION }
  }
  const topics = byTopic.map(([name, partitionIndexes]) => ({ name, topicId: names.idOf(name), partitionIndexes }))
  // A member of a classic group states no epoch (KIP-848).
  return { groupId: '', topics: [], groups: [{ groupId, memberId: null, memberEpoch: -1, topics }], requireStable: true }
}

export interface FetchedOffset extends TopicPartition {
  /** -1: none was committed. */
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
  readonly errorCode: number
}

/** The error of the answer as a whole. */
export function offsetFetchErrorOf(response: OffsetFetchResponse): number {
  return response.groups[0]?.errorCode ?? response.errorCode
}

export function fetchedOffsets(response: OffsetFetchResponse, names: TopicNames): FetchedOffset[] {
  const group = response.groups[0]
  const topics = group === undefined ? response.topics.map((topic) => ({ ...topic, topicId: ZERO_UUID })) : group.topics
  return topics.flatMap(({ name, topicId, partitions }) =>
    partitions.map(({ partitionIndex, committedOffset, committedLeaderEpoch, metadata, errorCode }) => ({
      topic: name === '' ? (names.nameOf(topicId) ?? '') : name,
      partition: partitionIndex,
      offset: Number(committedOffset),
      leaderEpoch: committedLeaderEpoch,
      metadata: metadata ?? '',
      errorCode,
    })),
  )
}
