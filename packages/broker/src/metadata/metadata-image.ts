import assert from 'node:assert'
import { GROUP_RESOURCE, TOPIC_RESOURCE, type ConfigChange, type MetadataRecord } from './metadata-record.ts'

type Configs = Map<string, Map<string, string>>

const NO_CONFIGS: ReadonlyMap<string, string> = new Map()

export interface PartitionImage {
  readonly leader: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  readonly replicas: readonly number[]
}

export interface TopicImage {
  readonly name: string
  readonly id: string
  /** By partition index. */
  readonly partitions: readonly PartitionImage[]
}

/**
 * What the metadata log says, and nothing else: applying the same records to an empty image gives the same image. It
 * changes by `apply` only.
 */
export class MetadataImage {
  readonly #byName = new Map<string, TopicImage & { partitions: PartitionImage[] }>()
  readonly #byId = new Map<string, TopicImage & { partitions: PartitionImage[] }>()
  readonly #topicConfigs: Configs = new Map()
  readonly #groupConfigs: Configs = new Map()
  readonly #features = new Map<string, number>()
  #nextProducerId = 0

  get features(): ReadonlyMap<string, number> {
    return this.#features
  }

  /** The first producer id that no `ProducerIdsRecord` gave away. */
  get nextProducerId(): number {
    return this.#nextProducerId
  }

  topicByName(name: string): TopicImage | undefined {
    return this.#byName.get(name)
  }

  topicById(id: string): TopicImage | undefined {
    return this.#byId.get(id)
  }

  topics(): Iterable<TopicImage> {
    return this.#byName.values()
  }

  /** The topic's own configuration, without defaults. */
  topicConfigs(name: string): ReadonlyMap<string, string> {
    return this.#topicConfigs.get(name) ?? NO_CONFIGS
  }

  /** The group's own configuration, without defaults. A group need not be there to have one. */
  groupConfigs(groupId: string): ReadonlyMap<string, string> {
    return this.#groupConfigs.get(groupId) ?? NO_CONFIGS
  }

  /** Groups that have a configuration of their own. */
  configuredGroups(): Iterable<string> {
    return this.#groupConfigs.keys()
  }

  apply(record: MetadataRecord): void {
    switch (record.type) {
      case 'feature-level':
        this.#features.set(record.name, record.level)
        return
      case 'topic':
        return this.#addTopic(record.name, record.topicId)
      case 'partition': {
        const { leader, leaderEpoch, partitionEpoch, replicas } = record
        this.#topic(record.topicId).partitions[record.partition] = { leader, leaderEpoch, partitionEpoch, replicas }
        return
      }
      case 'leader-election':
        return this.#electLeader(record.topicId, record.partition, record.leader)
      case 'remove-topic':
        return this.#removeTopic(record.topicId)
      case 'config':
        return setConfig(this.#configsOf(record.resourceType), record)
      case 'producer-ids':
        this.#nextProducerId = record.nextProducerId
        return
    }
  }

  #addTopic(name: string, id: string): void {
    assert(!this.#byName.has(name), `topic ${name} is in the metadata already`)
    const topic = { name, id, partitions: [] }
    this.#byName.set(name, topic)
    this.#byId.set(id, topic)
  }

  #topic(id: string): { partitions: PartitionImage[] } {
    const topic = this.#byId.get(id)
    assert(topic !== undefined, `metadata for topic id ${id}, which is not there`)
    return topic
  }

  #electLeader(topicId: string, partition: number, leader: number): void {
    const { partitions } = this.#topic(topicId)
    const before = partitions[partition]
    assert(before !== undefined, `an election for partition ${partition} of topic id ${topicId}, which is not there`)
    const { leaderEpoch, partitionEpoch, replicas } = before
    partitions[partition] = { leader, leaderEpoch: leaderEpoch + 1, partitionEpoch: partitionEpoch + 1, replicas }
  }

  #removeTopic(id: string): void {
    const topic = this.#byId.get(id)
    assert(topic !== undefined, `removal of topic id ${id}, which is not there`)
    this.#byId.delete(id)
    this.#byName.delete(topic.name)
    this.#topicConfigs.delete(topic.name)
  }

  #configsOf(resourceType: number): Configs {
    if (resourceType === TOPIC_RESOURCE) return this.#topicConfigs
    assert(resourceType === GROUP_RESOURCE, `configuration of resource type ${resourceType}`)
    return this.#groupConfigs
  }
}

function setConfig(all: Configs, { resourceName, name, value }: ConfigChange): void {
  const configs = all.get(resourceName) ?? new Map<string, string>()
  if (value === null) configs.delete(name)
  else configs.set(name, value)
  if (configs.size === 0) all.delete(resourceName)
  else all.set(resourceName, configs)
}
