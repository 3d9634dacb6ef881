import { ErrorCode } from '@millrace/protocol'
import { messageOf } from '@millrace/protocol/internal'
import type { BrokerConfig } from '../config/broker-config.ts'
import { checkGroupConfig } from '../config/group-config.ts'
import { checkTopicConfig, resolveTopicConfig } from '../config/topic-config.ts'
import type { BrokerEvents } from '../core/broker-events.ts'
import { isRefusal, refusal, type Refusal } from '../core/outcome.ts'
import type { TopicStore } from '../core/topic-store.ts'
import { PARTITIONS_PER_REQUEST_MAX } from '../limits.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { Journal } from './journal.ts'
import type { MetadataImage, TopicImage } from './metadata-image.ts'
import { decodeMetadataRecord, encodeMetadataRecord } from './metadata-record-codec.ts'
import { GROUP_RESOURCE, TOPIC_RESOURCE, type MetadataRecord, type PartitionChange } from './metadata-record.ts'
import { isInternalTopic } from './topic-name.ts'
import { checkAssignments, checkCount, checkNewTopic, type NewTopic, type ReplicaAssignment } from './topic-rules.ts'
import { randomUuid } from './uuid.ts'

/** `metadata.version` of Kafka 4.0 (IBP_4_0_IV3): the level that says what record versions the metadata log holds. */
export const METADATA_VERSION_LEVEL = 25

/** `group.version` 1: consumer groups of KIP-848. Java's consumer asks for it before it uses their protocol. */
export const GROUP_VERSION = 'group.version'
const GROUP_VERSION_LEVEL = 1

export interface ControllerDependencies {
  readonly nodeId: number
  readonly config: BrokerConfig
  readonly image: MetadataImage
  readonly journal: Journal
  readonly topics: TopicStore
  readonly events: BrokerEvents
  readonly random: () => number
}

export interface CreatedTopic {
  readonly name: string
  readonly id: string
  readonly numPartitions: number
  readonly configs: ReadonlyMap<string, string>
}

/**
 * The one writer of the metadata log. Each change is checked against the image, written as one batch, applied to the image
 * and only then served: what a client was told survives a restart, and what a restart shows was asked for by a client.
 */
export class Controller {
  readonly #deps: ControllerDependencies
  readonly #image: MetadataImage
  readonly #topics: TopicStore
  #isNew = true

  constructor(dependencies: ControllerDependencies) {
    this.#deps = dependencies
    this.#image = dependencies.image
    this.#topics = dependencies.topics
  }

  /** Replays the metadata log; writes nothing. Throws ProtocolError and AssertionError for one that is not ours to read. */
  load(): void {
    this.#deps.journal.replay(({ value }) => {
      this.#isNew = false
      if (value !== null) this.#image.apply(decodeMetadataRecord(value))
    })
  }

  /**
   * Opens the logs of all topics that were loaded. Writes the first record into a log that is empty.
   * @param unclean the last run did not end well: records may be lost, so every partition gets a new leader epoch, by which
   *   consumers that had read the lost ones find out (KIP-320)
   */
  start(now: number, unclean: boolean): void {
    if (this.#isNew) this.#commit([{ type: 'feature-level', name: 'metadata.version', level: METADATA_VERSION_LEVEL }], now)
    if (!this.#image.features.has(GROUP_VERSION)) {
      this.#commit([{ type: 'feature-level', name: GROUP_VERSION, level: GROUP_VERSION_LEVEL }], now)
    }
    if (unclean) this.#commit(this.#electAll(), now)
    for (const topic of this.#image.topics()) {
      const config = this.#resolved(this.#image.topicConfigs(topic.name))
      this.#topics.publish(topic, config, this.#topics.openLogs(topic.name, topic.id, 0, topic.partitions.length, config))
    }
  }

  /** @param validateOnly only answers what would happen */
  createTopic(topic: NewTopic, validateOnly: boolean, now: number): CreatedTopic | Refusal {
    const count = checkNewTopic(this.#image, topic, this.#deps.nodeId, this.#deps.config.numPartitions)
    if (typeof count !== 'number') return count
    const configs = new Map([...topic.configs].map(([name, value]) => [name, (value ?? '').trim()]))
    const created = { name: topic.name, id: randomUuid(this.#deps.random), numPartitions: count, configs }
    if (validateOnly) return created
    return this.#storeTopic(created, now) ?? created
  }

  deleteTopic(topic: TopicImage, now: number): Refusal | null {
    const internal = refuseInternal(topic.name, 'deleted')
    if (internal !== null) return internal
    const failed = this.#tryCommit([{ type: 'remove-topic', topicId: topic.id }], now)
    if (failed === null) this.#removed(topic.name, this.#topics.delete(topic.id))
    return failed
  }

  createPartitions(
    name: string,
    count: number,
    assignments: readonly ReplicaAssignment[] | null,
    validateOnly: boolean,
    now: number,
  ): Refusal | null {
    const topic = this.#image.topicByName(name)
    if (topic === undefined) return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `This server does not host topic '${name}'.`)
    const wrong = this.#checkIncrease(topic, count, assignments)
    if (wrong !== null || validateOnly) return wrong
    const from = topic.partitions.length
    const config = this.#resolved(this.#image.topicConfigs(name))
    const logs = this.#openLogs(topic.name, topic.id, from, count, config)
    if (isRefusal(logs)) return logs
    const failed = this.#tryCommit(this.#newPartitions(topic.id, from, count), now)
    if (failed !== null) this.#removed(name, this.#topics.discard(logs))
    else this.#topics.extend(this.#image.topicById(topic.id)!, logs)
    return failed
  }

  /** @param changes null as a value: back to the default */
  alterTopicConfigs(
    name: string,
    changes: ReadonlyMap<string, string | null>,
    validateOnly: boolean,
    now: number,
  ): Refusal | null {
    const topic = this.#image.topicByName(name)
    if (topic === undefined) return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `The topic '${name}' does not exist.`)
    const internal = refuseInternal(name, 'reconfigured')
    if (internal !== null) return internal
    const effective = new Map<string, string | null>()
    const overrides = this.#image.topicConfigs(name)
    for (const [config, value] of changes) {
      const wrong = value === null ? null : checkTopicConfig(config, value)
      if (wrong !== null) return refusal(ErrorCode.INVALID_CONFIG, wrong)
      // As in Kafka, what is not set may be deleted, whatever its name.
      if (value !== null || overrides.has(config)) effective.set(config, value)
    }
    if (validateOnly) return null
    const failed = this.#tryCommit(configChanges(TOPIC_RESOURCE, name, effective), now)
    if (failed === null) this.#topics.reconfigure(topic.id, this.#resolved(this.#image.topicConfigs(name)))
    return failed
  }

  /** The group need not be there. @param changes null as a value: back to the default */
  alterGroupConfigs(
    groupId: string,
    changes: ReadonlyMap<string, string | null>,
    validateOnly: boolean,
    now: number,
  ): Refusal | null {
    const before = this.#image.groupConfigs(groupId)
    const after = new Map(before)
    const effective = new Map<string, string | null>()
    for (const [config, value] of changes) {
      if (value === null) after.delete(config)
      else after.set(config, value)
      // As in Kafka, what is not set may be deleted, whatever its name.
      if (value !== null || before.has(config)) effective.set(config, value)
    }
    const wrong = checkGroupConfig(after, this.#deps.config)
    if (wrong !== null) return refusal(ErrorCode.INVALID_CONFIG, wrong)
    return validateOnly ? null : this.#tryCommit(configChanges(GROUP_RESOURCE, groupId, effective), now)
  }

  /** Elects this node the leader of its partitions anew, so that their leader epochs go up by one. Those that do not exist are left out. */
  electLeaders(name: string, partitions: readonly number[], now: number): Refusal | null {
    const topic = this.#image.topicByName(name)
    if (topic === undefined) return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `This server does not host topic '${name}'.`)
    const leader = this.#deps.nodeId
    const elected = [...new Set(partitions)].filter((partition) => topic.partitions[partition] !== undefined)
    const failed = this.#tryCommit(
      elected.map((partition) => ({ type: 'leader-election', topicId: topic.id, partition, leader })),
      now,
    )
    if (failed === null) this.#topics.elect(topic, elected)
    return failed
  }

  /** Reserves producer ids `first` to `first + size - 1`. Throws a StorageError when the reservation cannot be stored. */
  reserveProducerIds(size: number, now: number): number {
    const first = this.#image.nextProducerId
    this.#commit([{ type: 'producer-ids', brokerId: this.#deps.nodeId, nextProducerId: first + size }], now)
    return first
  }

  #storeTopic(topic: CreatedTopic, now: number): Refusal | null {
    const config = this.#resolved(topic.configs)
    const logs = this.#openLogs(topic.name, topic.id, 0, topic.numPartitions, config)
    if (isRefusal(logs)) return logs
    const records: MetadataRecord[] = [
      { type: 'topic', name: topic.name, topicId: topic.id },
      ...configChanges(TOPIC_RESOURCE, topic.name, topic.configs),
      ...this.#newPartitions(topic.id, 0, topic.numPartitions),
    ]
    const failed = this.#tryCommit(records, now)
    if (failed !== null) this.#removed(topic.name, this.#topics.discard(logs))
    else this.#topics.publish(this.#image.topicById(topic.id)!, config, logs)
    return failed
  }

  #checkIncrease(topic: TopicImage, count: number, assignments: readonly ReplicaAssignment[] | null): Refusal | null {
    const internal = refuseInternal(topic.name, 'given more partitions')
    if (internal !== null) return internal
    const current = topic.partitions.length
    if (count === current) return refusal(ErrorCode.INVALID_PARTITIONS, `Topic already has ${current} partition(s).`)
    if (count < current) {
      const message = `The topic ${topic.name} currently has ${current} partition(s); ${count} would not be an increase.`
      return refusal(ErrorCode.INVALID_PARTITIONS, message)
    }
    const allowed = checkCount(count)
    if (typeof allowed !== 'number') return allowed
    if (count - current > PARTITIONS_PER_REQUEST_MAX) {
      return refusal(ErrorCode.INVALID_PARTITIONS, `more than ${PARTITIONS_PER_REQUEST_MAX} new partitions in one request`)
    }
    if (assignments === null) return null
    if (assignments.length !== count - current) {
      const message = `${assignments.length} assignments for ${count - current} additional partition(s)`
      return refusal(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)
    }
    return checkAssignments(assignments, current, this.#deps.nodeId)
  }

  #electAll(): MetadataRecord[] {
    const leader = this.#deps.nodeId
    return [...this.#image.topics()].flatMap(({ id, partitions }) =>
      partitions.map((_, partition): MetadataRecord => ({ type: 'leader-election', topicId: id, partition, leader })),
    )
  }

  #newPartitions(topicId: string, from: number, to: number): PartitionChange[] {
    const leader = this.#deps.nodeId
    const changes: PartitionChange[] = []
    for (let partition = from; partition < to; partition++) {
      changes.push({ type: 'partition', topicId, partition, leader, leaderEpoch: 0, partitionEpoch: 0, replicas: [leader] })
    }
    return changes
  }

  #resolved(overrides: ReadonlyMap<string, string>): ReturnType<typeof resolveTopicConfig> {
    return resolveTopicConfig(overrides, this.#deps.config.given)
  }

  #openLogs(
    name: string,
    id: string,
    from: number,
    to: number,
    config: ReturnType<typeof resolveTopicConfig>,
  ): PartitionLog[] | Refusal {
    try {
      return this.#topics.openLogs(name, id, from, to, config)
    } catch (error) {
      return this.#storageFailed(`open the log of ${name}`, error)
    }
  }

  #tryCommit(records: readonly MetadataRecord[], now: number): Refusal | null {
    try {
      this.#commit(records, now)
      return null
    } catch (error) {
      return this.#storageFailed('write the metadata log', error)
    }
  }

  #commit(records: readonly MetadataRecord[], now: number): void {
    if (records.length === 0) return
    this.#deps.journal.append(
      records.map((record) => ({ key: null, value: encodeMetadataRecord(record) })),
      now,
    )
    for (const record of records) this.#image.apply(record)
  }

  /** What the client asked for is done, or refused, whatever becomes of the files. */
  #removed(name: string, failure: Error | null): void {
    if (failure !== null) this.#deps.events.storageFailed({ what: `remove a log of ${name}`, error: failure })
  }

  #storageFailed(what: string, error: unknown): Refusal {
    this.#deps.events.storageFailed({ what, error })
    return refusal(ErrorCode.KAFKA_STORAGE_ERROR, `cannot ${what}: ${messageOf(error)}`)
  }
}

function configChanges(
  resourceType: number,
  resourceName: string,
  configs: ReadonlyMap<string, string | null>,
): MetadataRecord[] {
  return [...configs].map(([name, value]) => {
    return { type: 'config', resourceType, resourceName, name, value: value?.trim() ?? null }
  })
}

/** The coordinator's state lives in the internal topics, in a number of partitions that may not change. */
function refuseInternal(name: string, what: string): Refusal | null {
  if (!isInternalTopic(name)) return null
  return refusal(ErrorCode.POLICY_VIOLATION, `'${name}' is an internal topic and cannot be ${what}`)
}
