import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import { offsetCommitApi } from '@millrace/protocol/apis/offset-commit'
import { offsetDeleteApi } from '@millrace/protocol/apis/offset-delete'
import { offsetFetchApi, type OffsetFetchRequest, type OffsetFetchResponse } from '@millrace/protocol/apis/offset-fetch'
import { errorAbout, type ClusterClient } from '@millrace/client/internal'
import {
  byTopic,
  checkName,
  checkItems,
  checkOptions,
  collectError,
  finish,
  invalidArgument,
  toNumber,
  ITEM_FLAGS,
  partitionKeys,
  topicPartitionKey,
  waitOf,
  type ItemCallOptions,
  type TopicPartition,
} from './context.ts'
import { ResultCollector, type ItemResults } from './item-results.ts'

/** From version 10 on, topics go by id only; until that is needed, names are simpler and every broker takes them. */
const LAST_VERSION_WITH_NAMES = 9
const FIRST_BATCHED_VERSION = 8

export interface FetchGroupOffsetsOptions extends ItemCallOptions {
  /** Only these partitions. Default: every one the group has an offset for. */
  readonly partitions?: readonly TopicPartition[]
  /** A partition with an offset in a transaction that is not decided yet fails with UNSTABLE_OFFSET_COMMIT, rather than give the offset before. Default false. */
  readonly requireStable?: boolean
}

export interface GroupOffset extends TopicPartition {
  /** The next offset that the group reads; null if it never committed one. */
  readonly offset: number | null
  /** -1 if unknown. */
  readonly leaderEpoch: number
  readonly metadata: string
}

export interface NewGroupOffset extends TopicPartition {
  readonly offset: number
  /** Default -1: unknown. */
  readonly leaderEpoch?: number
  /** Default empty. */
  readonly metadata?: string
}

/** See `Admin.fetchGroupOffsets`. */
export async function fetchGroupOffsets(
  client: ClusterClient,
  groupId: string,
  options: FetchGroupOffsetsOptions,
): Promise<ItemResults<GroupOffset>> {
  checkOptions(options, [...ITEM_FLAGS, 'requireStable'], ['partitions'])
  checkName('groupId', groupId)
  const keys = options.partitions === undefined ? [] : partitionKeys(options.partitions)
  const response = await client.send(
    offsetFetchApi,
    (version) => offsetFetchRequest(groupId, version, options),
    { group: groupId },
    {
      ...waitOf(options),
      maxVersion: LAST_VERSION_WITH_NAMES,
      errorOf: (answer) => offsetsIn(answer, groupId).errorCode,
    },
  )
  const { errorCode, topics } = offsetsIn(response, groupId)
  if (errorCode !== ErrorCode.NONE) throw errorAbout(errorCode, `group ${groupId}`)
  const collector = new ResultCollector<GroupOffset>(keys)
  for (const { name: topic, partitions } of topics) {
    for (const { partitionIndex: partition, committedOffset, committedLeaderEpoch, metadata, errorCode: code } of partitions) {
      const key = topicPartitionKey(topic, partition)
      if (collectError(collector, key, `${key} of group ${groupId}`, { errorCode: code })) continue
      const offset = committedOffset < 0n ? null : toNumber(committedOffset, key)
      collector.succeed(key, { topic, partition, offset, leaderEpoch: committedLeaderEpoch, metadata: metadata ?? '' })
    }
  }
  return finish(collector, options)
}

/** See `Admin.alterGroupOffsets`. */
export async function alterGroupOffsets(
  client: ClusterClient,
  groupId: string,
  offsets: readonly NewGroupOffset[],
  options: ItemCallOptions,
): Promise<ItemResults<void>> {
  checkOptions(options, ITEM_FLAGS)
  checkName('groupId', groupId)
  checkItems('offsets', offsets)
  for (const { topic, partition, offset } of offsets) {
    const key = topicPartitionKey(topic, partition)
    if (!Number.isSafeInteger(offset) || offset < 0) throw invalidArgument(`offset of ${key}`, offset, 'an integer from 0')
  }
  const collector = new ResultCollector<void>(partitionKeys(offsets))
  const request = {
    groupId,
    // No member: allowed while the group is empty.
    generationIdOrMemberEpoch: -1,
    memberId: '',
    groupInstanceId: null,
    retentionTimeMs: -1n,
    topics: byTopic(offsets).map(({ name, partitions }) => ({
      name,
      topicId: ZERO_UUID,
      partitions: partitions.map(({ partition, offset, leaderEpoch, metadata }) => ({
        partitionIndex: partition,
        committedOffset: BigInt(offset),
        committedLeaderEpoch: leaderEpoch ?? -1,
        committedMetadata: metadata ?? '',
      })),
    })),
  }
  const response = await client.send(
    offsetCommitApi,
    request,
    { group: groupId },
    {
      ...waitOf(options),
      maxVersion: LAST_VERSION_WITH_NAMES,
      errorOf: ({ topics }) => firstError(topics),
    },
  )
  collectPartitions(collector, groupId, response.topics)
  return finish(collector, options)
}

/** See `Admin.deleteGroupOffsets`. */
export async function deleteGroupOffsets(
  client: ClusterClient,
  groupId: string,
  partitions: readonly TopicPartition[],
  options: ItemCallOptions,
): Promise<ItemResults<void>> {
  checkOptions(options, ITEM_FLAGS)
  checkName('groupId', groupId)
  const collector = new ResultCollector<void>(partitionKeys(partitions))
  const topics = byTopic(partitions).map(({ name, partitions: group }) => ({
    name,
    partitions: group.map(({ partition }) => ({ partitionIndex: partition })),
  }))
  const response = await client.send(offsetDeleteApi, { groupId, topics }, { group: groupId }, waitOf(options))
  if (response.errorCode !== ErrorCode.NONE) throw errorAbout(response.errorCode, `group ${groupId}`)
  collectPartitions(collector, groupId, response.topics)
  return finish(collector, options)
}

function offsetFetchRequest(groupId: string, version: number, options: FetchGroupOffsetsOptions): OffsetFetchRequest {
  const wanted = options.partitions
  const topics =
    wanted === undefined
      ? null
      : byTopic(wanted).map(({ name, partitions }) => ({ name, partitionIndexes: partitions.map(({ partition }) => partition) }))
  const requireStable = options.requireStable ?? false
  if (version < FIRST_BATCHED_VERSION) return { groupId, topics, groups: [], requireStable }
  const withIds = topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null
  return { groupId: '', topics: [], groups: [{ groupId, memberId: null, memberEpoch: -1, topics: withIds }], requireStable }
}

/** The group's part of an answer in either form: one group at the top, or a list of groups (KIP-709). */
function offsetsIn(response: OffsetFetchResponse, groupId: string): Pick<OffsetFetchResponse, 'errorCode' | 'topics'> {
  return response.groups.find((group) => group.groupId === groupId) ?? response
}

function collectPartitions(
  collector: ResultCollector<void>,
  groupId: string,
  topics: readonly { name: string; partitions: readonly { partitionIndex: number; errorCode: number }[] }[],
): void {
  for (const { name, partitions } of topics) {
    for (const result of partitions) {
      const key = topicPartitionKey(name, result.partitionIndex)
      if (!collectError(collector, key, `${key} of group ${groupId}`, result)) collector.succeed(key, undefined)
    }
  }
}

/** An error about the group as a whole stands beside each of its partitions. */
function firstError(topics: readonly { partitions: readonly { errorCode: number }[] }[]): number {
  for (const { partitions } of topics) for (const { errorCode } of partitions) if (errorCode !== ErrorCode.NONE) return errorCode
  return ErrorCode.NONE
}
