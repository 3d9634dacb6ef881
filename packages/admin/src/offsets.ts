import { KafkaError } from '@millrace/protocol'
import { deleteRecordsApi } from '@millrace/protocol/apis/delete-records'
import { listOffsetsApi, type ListOffsetsRequest } from '@millrace/protocol/apis/list-offsets'
import { oneOfOption, type ClusterClient } from '@millrace/client/internal'
import {
  byTopic,
  brokerTimeoutMs,
  checkItems,
  checkOptions,
  finish,
  invalidArgument,
  toNumber,
  ITEM_FLAGS,
  partitionKeys,
  topicPartitionKey,
  type ItemCallOptions,
  type TopicPartition,
} from './context.ts'
import { ResultCollector, type ItemResults } from './item-results.ts'
import { perLeader, type LeaderCall } from './per-leader.ts'

/** The timestamps that mean a place in the log, and the first version of ListOffsets that knows them. */
const SPECS = {
  latest: { timestamp: -1n, version: 1 },
  earliest: { timestamp: -2n, version: 1 },
  maxTimestamp: { timestamp: -3n, version: 7 },
  earliestLocal: { timestamp: -4n, version: 8 },
  latestTiered: { timestamp: -5n, version: 9 },
} as const

/**
 * A place in a partition: `'earliest'` and `'latest'` (one past the last record), `'maxTimestamp'` (the record with the
 * highest timestamp, KIP-734), `'earliestLocal'` and `'latestTiered'` (tiered storage), or the first record at or after a timestamp in epoch milliseconds.
 */
export type OffsetSpec = keyof typeof SPECS | { readonly timestamp: number }

export interface ListOffsetsSpec extends TopicPartition {
  readonly spec: OffsetSpec
}

export interface ListOffsetsOptions extends ItemCallOptions {
  /** With `'read_committed'`, `'latest'` is the last stable offset. Default `'read_uncommitted'`. */
  readonly isolationLevel?: 'read_uncommitted' | 'read_committed'
}

export interface ListedOffset extends TopicPartition {
  /** -1 if there is no such record: a timestamp after the last one, or an empty partition with `'maxTimestamp'`. */
  readonly offset: number
  /** The record's timestamp in epoch milliseconds where a timestamp was asked for; else -1. */
  readonly timestamp: number
  /** The leader epoch of the record; -1 if unknown. */
  readonly leaderEpoch: number
}

export interface RecordsToDelete extends TopicPartition {
  /** Records before this offset go; `'all'`: every record there is now. */
  readonly beforeOffset: number | 'all'
}

export interface DeletedRecords extends TopicPartition {
  /** The first offset that the partition has now. */
  readonly lowWatermark: number
}

/** See `Admin.listOffsets`. */
export async function listOffsets(
  client: ClusterClient,
  partitions: readonly ListOffsetsSpec[],
  options: ListOffsetsOptions,
): Promise<ItemResults<ListedOffset>> {
  checkOptions(options, ITEM_FLAGS, ['isolationLevel'])
  oneOfOption(options, 'isolationLevel', ['read_uncommitted', 'read_committed'], 'read_uncommitted')
  checkItems('partitions', partitions)
  partitions.forEach(checkSpec)
  const keys = partitionKeys(partitions)
  const collector = new ResultCollector<ListedOffset>(keys)
  await perLeader(client, partitions, options, collector, async (node, items, attempt) => {
    const body = (version: number): ListOffsetsRequest =>
      listOffsetsRequest(items, version, options, brokerTimeoutMs(client, options))
    const response = await client.send(listOffsetsApi, body, { node }, { ...attempt, retry: false })
    return response.topics.flatMap(({ name: topic, partitions: answers }) =>
      answers.map(({ partitionIndex: partition, errorCode, offset, timestamp, leaderEpoch }) => {
        const key = topicPartitionKey(topic, partition)
        const value = { topic, partition, offset: toNumber(offset, key), timestamp: toNumber(timestamp, key), leaderEpoch }
        return { topic, partition, errorCode, value }
      }),
    )
  })
  return finish(collector, options)
}

/** See `Admin.deleteRecords`. */
export async function deleteRecords(
  client: ClusterClient,
  partitions: readonly RecordsToDelete[],
  options: ItemCallOptions,
): Promise<ItemResults<DeletedRecords>> {
  checkOptions(options, ITEM_FLAGS)
  checkItems('partitions', partitions)
  for (const { topic, partition, beforeOffset } of partitions) {
    const isOffset = Number.isSafeInteger(beforeOffset) && (beforeOffset as number) >= 0
    const key = topicPartitionKey(topic, partition)
    if (!isOffset && beforeOffset !== 'all')
      throw invalidArgument(`beforeOffset of ${key}`, beforeOffset, "an integer from 0 or 'all'")
  }
  const collector = new ResultCollector<DeletedRecords>(partitionKeys(partitions))
  await perLeader(client, partitions, options, collector, async (node, items, attempt) => {
    const topics = byTopic(items).map(({ name, partitions: group }) => ({
      name,
      partitions: group.map(({ partition, beforeOffset }) => ({
        partitionIndex: partition,
        offset: beforeOffset === 'all' ? -1n : BigInt(beforeOffset),
      })),
    }))
    const request = { topics, timeoutMs: brokerTimeoutMs(client, options) }
    const response = await client.send(deleteRecordsApi, request, { node }, { ...attempt, retry: false })
    return response.topics.flatMap(({ name: topic, partitions: answers }) =>
      answers.map(({ partitionIndex: partition, errorCode, lowWatermark }) => {
        const value = { topic, partition, lowWatermark: toNumber(lowWatermark, topicPartitionKey(topic, partition)) }
        return { topic, partition, errorCode, value }
      }),
    )
  })
  return finish(collector, options)
}

function listOffsetsRequest(
  items: readonly (ListOffsetsSpec & LeaderCall)[],
  version: number,
  options: ListOffsetsOptions,
  timeoutMs: number,
): ListOffsetsRequest {
  const isolationLevel = options.isolationLevel === 'read_committed' ? 1 : 0
  const topics = byTopic(items).map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partition, spec, leaderEpoch }) => ({
      partitionIndex: partition,
      currentLeaderEpoch: leaderEpoch,
      timestamp: timestampOf(spec, version),
    })),
  }))
  return { replicaId: -1, isolationLevel, topics, timeoutMs }
}

function timestampOf(spec: OffsetSpec, version: number): bigint {
  if (typeof spec !== 'string') return BigInt(spec.timestamp)
  const { timestamp, version: first } = SPECS[spec]
  if (version >= first) return timestamp
  throw new KafkaError(
    'UNSUPPORTED_VERSION',
    `the broker's ListOffsets v${version} does not know '${spec}', which needs v${first}`,
  )
}

function checkSpec({ topic, partition, spec }: ListOffsetsSpec): void {
  const isName = typeof spec === 'string' && Object.hasOwn(SPECS, spec)
  const isTimestamp = typeof spec === 'object' && spec !== null && Number.isSafeInteger(spec.timestamp) && spec.timestamp >= 0
  if (isName || isTimestamp) return
  const names = Object.keys(SPECS).map((name) => `'${name}'`)
  throw invalidArgument(
    `spec of ${topicPartitionKey(topic, partition)}`,
    spec,
    `${names.join(', ')} or { timestamp: epoch milliseconds }`,
  )
}
