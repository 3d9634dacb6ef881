import { ErrorCode, type KafkaError } from '@millrace/protocol'
import { errorAbout, type ClusterClient } from '@millrace/client/internal'
import {
  offsetForLeaderEpochApi,
  type OffsetForLeaderEpochRequest,
  type OffsetForLeaderEpochResponse,
  type OffsetForLeaderTopic,
} from '@millrace/protocol/apis/offset-for-leader-epoch'
import type { TopicPartition } from '../topic-partition.ts'

export interface EpochQuestion extends TopicPartition {
  /** The epoch of the last record that was read. */
  readonly leaderEpoch: number
  /** The leader that is asked, as far as we know it: it refuses when it knows better. */
  readonly currentLeaderEpoch: number
}

/** Where the records of the newest epoch that is not newer than the one asked about end. -1 for both: the log has no such epoch. */
export interface EpochEnd extends TopicPartition {
  readonly leaderEpoch: number
  readonly endOffset: number
}

export interface EpochEndsResult {
  readonly found: readonly EpochEnd[]
  readonly failed: ReadonlyArray<TopicPartition & { readonly error: KafkaError }>
}

const CONSUMER = -1
const FIRST_VERSION_WITH_REPLICA_ID = 3
const NO_REPLICA_ID = -2

/** Asks each partition's leader, once (KIP-320; Java: OffsetsForLeaderEpochClient). */
export async function epochEnds(cluster: ClusterClient, questions: readonly EpochQuestion[]): Promise<EpochEndsResult> {
  const byNode = new Map<number, EpochQuestion[]>()
  const failed: Array<TopicPartition & { error: KafkaError }> = []
  for (const one of questions) {
    const node = cluster.leaderFor(one.topic, one.partition)?.leader
    if (node === undefined) failed.push(unanswered(one, cluster.topicError(one.topic) || ErrorCode.LEADER_NOT_AVAILABLE))
    else if (byNode.has(node)) byNode.get(node)!.push(one)
    else byNode.set(node, [one])
  }
  const results = await Promise.all([...byNode].map(([node, group]) => askNode(cluster, node, group)))
  return {
    found: results.flatMap((result) => result.found),
    failed: [...failed, ...results.flatMap((result) => result.failed)],
  }
}

async function askNode(cluster: ClusterClient, node: number, questions: readonly EpochQuestion[]): Promise<EpochEndsResult> {
  let response: OffsetForLeaderEpochResponse
  try {
    response = await cluster.request(node, offsetForLeaderEpochApi, (version) => requestOf(questions, version))
  } catch (error) {
    return { found: [], failed: questions.map(({ topic, partition }) => ({ topic, partition, error: error as KafkaError })) }
  }
  const found: EpochEnd[] = []
  const failed: Array<TopicPartition & { error: KafkaError }> = []
  for (const { topic, partitions } of response.topics) {
    for (const { partition, errorCode, leaderEpoch, endOffset } of partitions) {
      if (errorCode !== ErrorCode.NONE) failed.push(unanswered({ topic, partition }, errorCode))
      else found.push({ topic, partition, leaderEpoch, endOffset: Number(endOffset) })
    }
  }
  return { found, failed }
}

function unanswered({ topic, partition }: TopicPartition, errorCode: number): TopicPartition & { error: KafkaError } {
  return { topic, partition, error: errorAbout(errorCode, `end of the leader epoch of ${topic}-${partition}`) }
}

function requestOf(questions: readonly EpochQuestion[], version: number): OffsetForLeaderEpochRequest {
  const topics = new Map<string, OffsetForLeaderTopic>()
  for (const { topic, partition, leaderEpoch, currentLeaderEpoch } of questions) {
    let entry = topics.get(topic)
    if (entry === undefined) topics.set(topic, (entry = { topic, partitions: [] }))
    entry.partitions.push({ partition, leaderEpoch, currentLeaderEpoch })
  }
  return { replicaId: version >= FIRST_VERSION_WITH_REPLICA_ID ? CONSUMER : NO_REPLICA_ID, topics: [...topics.values()] }
}
