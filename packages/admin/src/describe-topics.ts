import { KafkaError, ZERO_UUID } from '@millrace/protocol'
import {
  describeTopicPartitionsApi,
  type DescribeTopicPartitionsRequest,
  type ResponseCursor,
} from '@millrace/protocol/apis/describe-topic-partitions'
import { metadataApi } from '@millrace/protocol/apis/metadata'
import type { ClusterClient } from '@millrace/client/internal'
import { checkNames, checkOptions, collectError, finish, ITEM_FLAGS, waitOf, waitsOf, type ItemCallOptions } from './context.ts'
import { ResultCollector, type ItemResults } from './item-results.ts'
import { DESCRIBE_PARTITIONS_PER_PAGE, MAX_DESCRIBE_PAGES } from './limits.ts'

export interface TopicDescription {
  readonly name: string
  readonly topicId: string
  readonly isInternal: boolean
  /** By partition number. */
  readonly partitions: readonly TopicPartitionInfo[]
}

export interface TopicPartitionInfo {
  readonly partition: number
  /** The leader's node id; null if there is none now. */
  readonly leader: number | null
  /** -1 if the broker is too old to say. */
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly offlineReplicas: readonly number[]
  /** Replicas that may lead although they are not in the ISR (KIP-966); null if the broker does not say. */
  readonly eligibleLeaderReplicas: readonly number[] | null
  readonly lastKnownElr: readonly number[] | null
}

interface WirePartition {
  readonly partitionIndex: number
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly replicaNodes: readonly number[]
  readonly isrNodes: readonly number[]
  readonly offlineReplicas: readonly number[]
  readonly eligibleLeaderReplicas?: readonly number[] | null
  readonly lastKnownElr?: readonly number[] | null
}

interface WireTopic {
  readonly errorCode: number
  readonly name: string | null
  readonly topicId: string
  readonly isInternal: boolean
  readonly partitions: readonly WirePartition[]
}

/** See `Admin.describeTopics`. */
export async function describeTopics(
  client: ClusterClient,
  names: readonly string[],
  options: ItemCallOptions,
): Promise<ItemResults<TopicDescription>> {
  checkOptions(options, ITEM_FLAGS)
  checkNames('topic', names)
  const topics = names.length === 0 ? [] : await pagedTopics(client, names, options)
  const collector = new ResultCollector<TopicDescription>(names)
  for (const topic of topics) {
    const name = topic.name ?? topic.topicId
    if (!collectError(collector, name, `topic ${name}`, topic)) collector.succeed(name, describe(name, topic))
  }
  return finish(collector, options)
}

/** DescribeTopicPartitions where the broker has it (KIP-966), else Metadata. */
async function pagedTopics(
  client: ClusterClient,
  names: readonly string[],
  options: ItemCallOptions,
): Promise<readonly WireTopic[]> {
  try {
    return await byDescribeTopicPartitions(client, names, options)
  } catch (error) {
    if (error instanceof KafkaError && error.code === 'UNSUPPORTED_VERSION') return byMetadata(client, names, options)
    throw error
  }
}

async function byDescribeTopicPartitions(
  client: ClusterClient,
  names: readonly string[],
  options: ItemCallOptions,
): Promise<readonly WireTopic[]> {
  // The cursor is a place in the order of names, so the broker must be given them in that order.
  const topics = [...names].sort().map((name) => ({ name }))
  const found = new Map<string, WireTopic & { partitions: WirePartition[] }>()
  const nextWait = waitsOf(client, options)
  let cursor: ResponseCursor | null = null
  for (let page = 0; page < MAX_DESCRIBE_PAGES; page++) {
    const request: DescribeTopicPartitionsRequest = {
      topics: topicsFrom(topics, cursor),
      responsePartitionLimit: DESCRIBE_PARTITIONS_PER_PAGE,
      cursor,
    }
    const response = await client.send(describeTopicPartitionsApi, request, 'any', nextWait())
    for (const topic of response.topics) {
      const name = topic.name ?? ''
      const known = found.get(name)
      if (known === undefined) found.set(name, { ...topic, partitions: [...topic.partitions] })
      else known.partitions.push(...topic.partitions)
    }
    cursor = response.nextCursor
    if (cursor === null) return [...found.values()]
  }
  throw new KafkaError('TOO_MANY_PAGES', `describing ${names.length} topics did not end after ${MAX_DESCRIBE_PAGES} pages`)
}

/** Topics before the cursor are complete, and the broker wants them left out. */
function topicsFrom(topics: { name: string }[], cursor: ResponseCursor | null): { name: string }[] {
  return cursor === null ? topics : topics.filter(({ name }) => name >= cursor.topicName)
}

async function byMetadata(
  client: ClusterClient,
  names: readonly string[],
  options: ItemCallOptions,
): Promise<readonly WireTopic[]> {
  const request = {
    topics: names.map((name) => ({ name, topicId: ZERO_UUID })),
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  }
  const response = await client.send(metadataApi, request, 'any', waitOf(options))
  return response.topics
}

function describe(name: string, topic: WireTopic): TopicDescription {
  const partitions = topic.partitions.map(partitionInfo).sort((a, b) => a.partition - b.partition)
  return { name, topicId: topic.topicId, isInternal: topic.isInternal, partitions }
}

function partitionInfo(wire: WirePartition): TopicPartitionInfo {
  return {
    partition: wire.partitionIndex,
    leader: wire.leaderId < 0 ? null : wire.leaderId,
    leaderEpoch: wire.leaderEpoch,
    replicas: wire.replicaNodes,
    isr: wire.isrNodes,
    offlineReplicas: wire.offlineReplicas,
    eligibleLeaderReplicas: wire.eligibleLeaderReplicas ?? null,
    lastKnownElr: wire.lastKnownElr ?? null,
  }
}
