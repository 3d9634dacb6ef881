import assert from 'node:assert'
import type { PartitionLog } from '../log/partition-log.ts'
import type { TopicImage } from '../metadata/metadata-image.ts'
import { isInternalTopic } from '../metadata/topic-name.ts'
import { StorageError } from '../storage/storage.ts'
import type { TopicConfig } from './topic-config.ts'
import type { LogStore, Partition, Topic, TopicRegistry } from './topic-registry.ts'

class ServedPartition implements Partition {
  readonly topic: Topic
  readonly index: number
  leaderEpoch: number
  readonly log: PartitionLog

  constructor(topic: Topic, index: number, leaderEpoch: number, log: PartitionLog) {
    this.topic = topic
    this.index = index
    this.leaderEpoch = leaderEpoch
    this.log = log
  }
}

class ServedTopic implements Topic {
  readonly name: string
  readonly id: string
  readonly internal: boolean
  readonly partitions: ServedPartition[] = []
  config: TopicConfig
  deleted = false

  constructor(name: string, id: string, config: TopicConfig) {
    this.name = name
    this.id = id
    this.internal = isInternalTopic(name)
    this.config = config
  }
}

/** The topics with their open logs. The controller tells it of each change; handlers read it as a TopicRegistry. */
export class TopicStore implements TopicRegistry {
  readonly #logs: LogStore
  readonly #byName = new Map<string, ServedTopic>()
  readonly #byId = new Map<string, ServedTopic>()
  readonly #deletionListeners = new Set<(topic: Topic) => void>()
  readonly #growthListeners = new Set<(topic: Topic, isNew: boolean) => void>()

  constructor(logs: LogStore) {
    this.#logs = logs
  }

  byName(name: string): Topic | undefined {
    return this.#byName.get(name)
  }

  byId(id: string): Topic | undefined {
    return this.#byId.get(id)
  }

  all(): Iterable<Topic> {
    return this.#byName.values()
  }

  partition(name: string, index: number): Partition | undefined {
    return this.#byName.get(name)?.partitions[index]
  }

  onDeleted(listener: (topic: Topic) => void): () => void {
    this.#deletionListeners.add(listener)
    return () => void this.#deletionListeners.delete(listener)
  }

  /** Calls `listener` for each topic that is created, or gets more partitions, from now on. */
  onGrowth(listener: (topic: Topic, isNew: boolean) => void): void {
    this.#growthListeners.add(listener)
  }

  /** Opens logs for partitions that are about to exist. When one fails, those opened before it are removed again. */
  openLogs(name: string, id: string, from: number, to: number, config: TopicConfig): PartitionLog[] {
    const opened: PartitionLog[] = []
    try {
      for (let index = from; index < to; index++) opened.push(this.#logs.open(name, id, index, config))
    } catch (error) {
      this.discard(opened)
      throw error
    }
    return opened
  }

  /**
   * Removes the logs of partitions that are not to exist. None of them is open afterwards, whatever the disk does.
   * @returns what kept files from being removed, which the next log of that partition and the next start move aside; null: all are gone
   */
  discard(logs: readonly PartitionLog[]): StorageError | null {
    let failure: StorageError | null = null
    for (const log of logs) {
      try {
        this.#logs.delete(log)
      } catch (error) {
        if (!(error instanceof StorageError)) throw error
        failure ??= error
      }
    }
    return failure
  }

  /** Serves a topic whose partitions are in the image, from logs in the same order. */
  publish(image: TopicImage, config: TopicConfig, logs: readonly PartitionLog[]): void {
    const topic = new ServedTopic(image.name, image.id, config)
    this.#byName.set(image.name, topic)
    this.#byId.set(image.id, topic)
    this.#addPartitions(topic, image, logs)
    for (const listener of this.#growthListeners) listener(topic, true)
  }

  /** Serves the partitions that an existing topic got. */
  extend(image: TopicImage, logs: readonly PartitionLog[]): void {
    const topic = this.#served(image.id)
    this.#addPartitions(topic, image, logs)
    for (const listener of this.#growthListeners) listener(topic, false)
  }

  reconfigure(id: string, config: TopicConfig): void {
    const topic = this.#served(id)
    topic.config = config
    for (const { log } of topic.partitions) this.#logs.reconfigure(log, config)
  }

  /** Serves these partitions in the leader epochs that the image has now. */
  elect(image: TopicImage, partitions: readonly number[]): void {
    const topic = this.#served(image.id)
    for (const index of partitions) {
      const { leaderEpoch } = image.partitions[index]!
      const partition = topic.partitions[index]!
      partition.leaderEpoch = leaderEpoch
      partition.log.becomeLeader(leaderEpoch)
    }
  }

  /** @returns as `discard` */
  delete(id: string): StorageError | null {
    const topic = this.#served(id)
    this.#byId.delete(id)
    this.#byName.delete(topic.name)
    topic.deleted = true
    const failure = this.discard(topic.partitions.map(({ log }) => log))
    for (const listener of this.#deletionListeners) listener(topic)
    return failure
  }

  #served(id: string): ServedTopic {
    const topic = this.#byId.get(id)
    assert(topic !== undefined, `topic id ${id} is not served`)
    return topic
  }

  #addPartitions(topic: ServedTopic, image: TopicImage, logs: readonly PartitionLog[]): void {
    const from = topic.partitions.length
    assert(
      image.partitions.length === from + logs.length,
      `${topic.name}: ${logs.length} logs for ${image.partitions.length - from} partitions`,
    )
    for (const [i, log] of logs.entries()) {
      const { leaderEpoch } = image.partitions[from + i]!
      log.becomeLeader(leaderEpoch)
      topic.partitions.push(new ServedPartition(topic, from + i, leaderEpoch, log))
    }
  }
}
