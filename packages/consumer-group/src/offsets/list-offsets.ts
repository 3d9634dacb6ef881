import { ErrorCode, type KafkaError } from '@millrace/protocol'
import { errorAbout, type ClusterClient } from '@millrace/client/internal'
import {
  listOffsetsApi,
  type ListOffsetsRequest,
  type ListOffsetsResponse,
  type ListOffsetsTopic,
} from '@millrace/protocol/apis/list-offsets'
import type { TopicPartition } from '../topic-partition.ts'

/** Kafka's marks for the ends of a log, in place of a timestamp. */
const END_OF_LOG = { earliest: -2n, latest: -1n }

export interface ListedOffset extends TopicPartition {
  readonly offset: number
  readonly leaderEpoch: number
}

export interface ListOffsetsResult {
  readonly found: readonly ListedOffset[]
  /** What the partitions that are not in `found` failed with; all retriable. */
  readonly failure: KafkaError | null
}

/**
 * Asks each partition's leader for the first or the last offset, once.
 * @throws {KafkaError} that is not retriable
 */
export async function listOffsets(
  cluster: ClusterClient,
  partitions: readonly TopicPartition[],
  end: 'earliest' | 'latest',
  isolationLevel: 'read_uncommitted' | 'read_committed',
): Promise<ListOffsetsResult> {
  const byNode = new Map<number, TopicPartition[]>()
  let failure: KafkaError | null = null
  for (const one of partitions) {
    const node = cluster.leaderFor(one.topic, one.partition)?.leader
    if (node === undefined) failure = errorAbout(ErrorCode.LEADER_NOT_AVAILABLE, `${one.topic}-${one.partition}`)
    else if (byNode.has(node)) byNode.get(node)!.push(one)
    else byNode.set(node, [one])
  }
  const results = await Promise.all(
    [...byNode].map(([node, group]) => askNode(cluster, node, group, END_OF_LOG[end], isolationLevel)),
  )
  for (const result of results) failure ??= result.failure
  return { found: results.flatMap((result) => result.found), failure }
}

async function askNode(
  cluster: ClusterClient,
  node: number,
  partitions: readonly TopicPartition[],
  timestamp: bigint,
  isolationLevel: 'read_uncommitted' | 'read_committed',
): Promise<ListOffsetsResult> {
  const request = (version: number): ListOffsetsRequest => requestOf(cluster, partitions, timestamp, isolationLevel, version)
  let response: ListOffsetsResponse
  try {
    response = await cluster.request(node, listOffsetsApi, request)
  } catch (error) {
    return { found: [], failure: retriable(error as KafkaError) }
  }
  const found: ListedOffset[] = []
  let failure: KafkaError | null = null
  for (const { name, partitions: answers } of response.topics) {
    for (const { partitionIndex, errorCode, offset, leaderEpoch } of answers) {
      if (errorCode === ErrorCode.NONE)
        found.push({ topic: name, partition: partitionIndex, offset: Number(offset), leaderEpoch })
      else failure = retriable(errorAbout(errorCode, `offsets of ${name}-${partitionIndex}`))
    }
  }
  return { found, failure }
}

function retriable(error: KafkaError): KafkaError {
  if (!error.retriable || error.fatal) throw error
  return error
}

function requestOf(
  cluster: ClusterClient,
  partitions: readonly TopicPartition[],
  timestamp: bigint,
  isolationLevel: 'read_uncommitted' | 'read_committed',
  version: number,
): ListOffsetsRequest {
  const topics = new Map<string, ListOffsetsTopic>()
  for (const { topic, partition } of partitions) {
    let entry = topics.get(topic)
    if (entry === undefined) topics.set(topic, (entry = { name: topic, partitions: [] }))
    const currentLeaderEpoch = cluster.leaderFor(topic, partition)?.leaderEpoch ?? -1
    entry.partitions.push({ partitionIndex: partition, currentLeaderEpoch, timestamp })
  }
  const isCommitted = isolationLevel === 'read_committed' && version >= 2
  return {
    replicaId: -1,
    isolationLevel: isCommitted ? 1 : 0,
    topics: [...topics.values()],
    timeoutMs: cluster.config.requestTimeoutMs,
  }
}
