import type { MetadataResponse, MetadataResponsePartition, MetadataResponseTopic } from '@millrace/protocol/apis/metadata'
import { ErrorCode, ProtocolError, ZERO_UUID } from '@millrace/protocol'

export interface Node {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

export interface PartitionMetadata {
  readonly partition: number
  /** The leader's node id; -1 if there is none now. */
  readonly leader: number
  /** Grows with each change of leader; -1 if the broker is too old to say. */
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly offlineReplicas: readonly number[]
}

export interface TopicMetadata {
  readonly name: string
  /** 22 characters of base64url; ZERO_UUID if the broker is too old to say. */
  readonly id: string
  readonly isInternal: boolean
  /** By partition number, without a gap. */
  readonly partitions: readonly PartitionMetadata[]
}

const NO_PARTITIONS: readonly PartitionMetadata[] = []

/**
 * What is known of the cluster: brokers, topics by name and by id, and partition leaders with their epochs. Answers can
 * overtake each other and brokers can lag, so a leader is never replaced by one of an older epoch (Kafka's Metadata.java) unless
 * the topic was made anew, which its id shows.
 */
export class MetadataCache {
  #nodes = new Map<number, Node>()
  #topics = new Map<string, TopicMetadata>()
  #names = new Map<string, string>()
  #errors = new Map<string, number>()
  #clusterId: string | null = null
  #controllerId = -1

  get nodes(): ReadonlyMap<number, Node> {
    return this.#nodes
  }

  get clusterId(): string | null {
    return this.#clusterId
  }

  /** The broker that takes requests for the controller; -1 if unknown. */
  get controllerId(): number {
    return this.#controllerId
  }

  topic(name: string): TopicMetadata | undefined {
    return this.#topics.get(name)
  }

  topicNameOf(id: string): string | undefined {
    return this.#names.get(id)
  }

  partitionsOf(topic: string): readonly PartitionMetadata[] {
    return this.#topics.get(topic)?.partitions ?? NO_PARTITIONS
  }

  partition(topic: string, partition: number): PartitionMetadata | undefined {
    return this.#topics.get(topic)?.partitions[partition]
  }

  /** The error code of the topic in the last answer that named it; 0 if there was none. */
  errorOf(topic: string): number {
    return this.#errors.get(topic) ?? 0
  }

  /**
   * Takes in an answer. One without brokers (a broker that just started gives it) changes nothing.
   * @returns whether it was taken
   * @throws ProtocolError if the partitions of a topic are not numbered from 0 on; nothing is changed then
   */
  update(response: MetadataResponse): boolean {
    if (response.brokers.length === 0) return false
    for (const topic of response.topics) checkPartitions(topic)
    this.#nodes = new Map(response.brokers.map(({ nodeId, host, port, rack }) => [nodeId, { id: nodeId, host, port, rack }]))
    this.#clusterId = response.clusterId
    this.#controllerId = response.controllerId
    for (const topic of response.topics) this.#updateTopic(topic)
    return true
  }

  /** A broker told us of another one outside of Metadata (FindCoordinator, KIP-951). */
  learnNode(node: Node): void {
    const known = this.#nodes.get(node.id)
    if (known !== undefined && known.host === node.host && known.port === node.port) return
    this.#nodes.set(node.id, node)
  }

  /**
   * A broker that refused a request named the new leader (KIP-951).
   * @returns whether that was news
   */
  applyLeaderHint(topic: string, partition: number, leader: number, leaderEpoch: number): boolean {
    const known = this.#topics.get(topic)
    const old = known?.partitions[partition]
    if (known === undefined || old === undefined || leader < 0 || leaderEpoch <= old.leaderEpoch) return false
    const partitions = known.partitions.slice()
    partitions[partition] = { ...old, leader, leaderEpoch }
    this.#topics.set(topic, { ...known, partitions })
    return true
  }

  /** Forgets a topic that nobody asks for any more. */
  forgetTopic(name: string): void {
    const topic = this.#topics.get(name)
    this.#errors.delete(name)
    if (topic === undefined) return
    this.#topics.delete(name)
    if (this.#names.get(topic.id) === name) this.#names.delete(topic.id)
  }

  /** Starts anew from bootstrap: the brokers are forgotten, what is known of topics stays until it is replaced. */
  forgetNodes(): void {
    this.#nodes = new Map()
    this.#controllerId = -1
  }

  #updateTopic(answer: MetadataResponseTopic): void {
    const name = answer.name ?? this.#names.get(answer.topicId)
    if (name === undefined) return
    if (answer.errorCode !== ErrorCode.NONE) {
      // Only these say that the topic is not there; with any other error what we knew of it may still hold.
      if (answer.errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION || answer.errorCode === ErrorCode.UNKNOWN_TOPIC_ID)
        this.forgetTopic(name)
      this.#errors.set(name, answer.errorCode)
      return
    }
    this.#errors.delete(name)
    const known = this.#topics.get(name)
    const isSame = known !== undefined && known.id === answer.topicId
    if (known !== undefined && !isSame) this.#names.delete(known.id)
    const partitions: PartitionMetadata[] = []
    for (const partition of answer.partitions) {
      partitions[partition.partitionIndex] = newer(isSame ? known.partitions[partition.partitionIndex] : undefined, partition)
    }
    this.#topics.set(name, { name, id: answer.topicId, isInternal: answer.isInternal, partitions })
    if (answer.topicId !== ZERO_UUID) this.#names.set(answer.topicId, name)
  }
}

/** A broker names all partitions of a topic. A wrong number must not become the length of a list that everybody walks through. */
function checkPartitions({ name, topicId, partitions }: MetadataResponseTopic): void {
  const seen = new Set<number>()
  for (const { partitionIndex } of partitions) {
    const isNext = partitionIndex >= 0 && partitionIndex < partitions.length && !seen.has(partitionIndex)
    if (!isNext) {
      const what = `partition ${partitionIndex} of topic ${name ?? topicId} among its ${partitions.length}`
      throw new ProtocolError('CORRUPT_FRAME', `metadata has ${what}`)
    }
    seen.add(partitionIndex)
  }
}

function newer(known: PartitionMetadata | undefined, answer: MetadataResponsePartition): PartitionMetadata {
  if (known !== undefined && answer.leaderEpoch >= 0 && answer.leaderEpoch < known.leaderEpoch) return known
  return {
    partition: answer.partitionIndex,
    leader: answer.leaderId,
    leaderEpoch: answer.leaderEpoch,
    replicas: answer.replicaNodes,
    isr: answer.isrNodes,
    offlineReplicas: answer.offlineReplicas,
  }
}
