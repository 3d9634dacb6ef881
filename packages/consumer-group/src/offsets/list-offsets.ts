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
export const EARLIEST_TIMESTAMP = -2
export const LATEST_TIMESTAMP = -1

export interface OffsetQuestion extends TopicPartition {
  /** Epoch milliseconds: the first record that is not older is looked for. Or one of the marks. */
  readonly timestamp: number
}

export interface ListedOffset extends TopicPartition {
  /** -1: there is no record that new. */
  readonly offset: number
  /** Of the record; -1 for an end of the log. */
  readonly timestamp: number
  readonly leaderEpoch: number
}

export interface UnlistedOffset extends TopicPartition {
  readonly error: KafkaError
}

export interface ListOffsetsResult {
  readonly found: readonly ListedOffset[]
  /** Partitions without an answer. What is retriable may be asked again, once the metadata is fresh. */
  readonly failed: readonly UnlistedOffset[]
}

type IsolationLevel = 'read_uncommitted' | 'read_committed'

/** Asks each partition's leader, once. */
export async function listOffsets(
  cluster: ClusterClient,
  questions: readonly OffsetQuestion[],
  isolationLevel: IsolationLevel,
): Promise<ListOffsetsResult> {
  const byNode = new Map<number, OffsetQuestion[]>()
  const failed: UnlistedOffset[] = []
  for (const one of questions) {
    const node = cluster.leaderFor(one.topic, one.partition)?.leader
    if (node === undefined) failed.push(unlisted(one, cluster.topicError(one.topic) || ErrorCode.LEADER_NOT_AVAILABLE))
    else if (byNode.has(node)) byNode.get(node)!.push(one)
    else byNode.set(node, [one])
  }
  const results = await Promise.all([...byNode].map(([node, group]) => askNode(cluster, node, group, isolationLevel)))
  return {
    found: results.flatMap((result) => result.found),
    failed: [...failed, ...results.flatMap((result) => result.failed)],
  }
}

async function askNode(
  cluster: ClusterClient,
  node: number,
  questions: readonly OffsetQuestion[],
  isolationLevel: IsolationLevel,
): Promise<ListOffsetsResult> {
  const request = (version: number): ListOffsetsRequest => requestOf(cluster, questions, isolationLevel, version)
  let response: ListOffsetsResponse
  try {
    response = await cluster.request(node, listOffsetsApi, request)
  } catch (error) {
    return { found: [], failed: questions.map(({ topic, partition }) => ({ topic, partition, error: error as KafkaError })) }
  }
  const found: ListedOffset[] = []
  const failed: UnlistedOffset[] = []
  for (const { name: topic, partitions } of response.topics) {
    for (const { partitionIndex: partition, errorCode, offset, timestamp, leaderEpoch } of partitions) {
      if (errorCode !== ErrorCode.NONE) failed.push(unlisted({ topic, partition }, errorCode))
      else found.push({ topic, partition, offset: Number(offset), timestamp: Number(timestamp), leaderEpoch })
    }
  }
  return { found, failed }
}

function unlisted({ topic, partition }: TopicPartition, errorCode: number): UnlistedOffset {
  return { topic, partition, error: errorAbout(errorCode, `offsets of ${topic}-${partition}`) }
}

function requestOf(
  cluster: ClusterClient,
  questions: readonly OffsetQuestion[],
  isolationLevel: IsolationLevel,
  version: number,
): ListOffsetsRequest {
  const topics = new Map<string, ListOffsetsTopic>()
  for (const { topic, partition, timestamp } of questions) {
    let entry = topics.get(topic)
    if (entry === undefined) topics.set(topic, (entry = { name: topic, partitions: [] }))
    const currentLeaderEpoch = cluster.leaderFor(topic, partition)?.leaderEpoch ?? -1
    entry.partitions.push({ partitionIndex: partition, currentLeaderEpoch, timestamp: BigInt(timestamp) })
  }
  const isCommitted = isolationLevel === 'read_committed' && version >= 2
  return {
    replicaId: -1,
    isolationLevel: isCommitted ? 1 : 0,
    topics: [...topics.values()],
    timeoutMs: cluster.config.requestTimeoutMs,
  }
}
