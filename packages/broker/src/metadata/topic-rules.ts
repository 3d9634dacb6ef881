import { ErrorCode } from '@millrace/protocol'
import { checkTopicConfig } from '../config/topic-config.ts'
import { refusal, type Refusal } from '../core/outcome.ts'
import { PARTITIONS_PER_TOPIC_MAX } from '../limits.ts'
import type { MetadataImage } from './metadata-image.ts'
import { collisionKey, hasCollisionCharacters, invalidTopicName } from './topic-name.ts'

/** Which brokers hold a partition, when the client says so itself. */
export interface ReplicaAssignment {
  readonly partitionIndex: number
  readonly brokerIds: readonly number[]
}

export interface NewTopic {
  readonly name: string
  /** -1: `num.partitions`, or as many as there are assignments. */
  readonly numPartitions: number
  /** -1: one replica. */
  readonly replicationFactor: number
  readonly assignments: readonly ReplicaAssignment[]
  readonly configs: ReadonlyMap<string, string | null>
}

/** The rules for a new topic, in Kafka's order and words (ReplicationControlManager.createTopics). Returns how many partitions it gets. */
export function checkNewTopic(
  image: MetadataImage,
  topic: NewTopic,
  nodeId: number,
  defaultPartitions: number,
): number | Refusal {
  const badName = invalidTopicName(topic.name)
  if (badName !== null) return refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, badName)
  if (image.topicByName(topic.name) !== undefined) {
    return refusal(ErrorCode.TOPIC_ALREADY_EXISTS, `Topic '${topic.name}' already exists.`)
  }
  const collision = collidingTopic(image, topic.name)
  if (collision !== undefined) {
    return refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, `Topic '${topic.name}' collides with existing topic: ${collision}`)
  }
  const badConfig = checkNewConfigs(topic.configs)
  if (badConfig !== null) return badConfig
  return topic.assignments.length > 0 ? checkAssignedTopic(topic, nodeId) : checkCountedTopic(topic, defaultPartitions)
}

/** Checks assignments against the one broker there is; `from` is the first partition they may name. */
export function checkAssignments(assignments: readonly ReplicaAssignment[], from: number, nodeId: number): Refusal | null {
  const indexes = new Set<number>()
  for (const { partitionIndex, brokerIds } of assignments) {
    const wrong = checkReplicas(brokerIds, nodeId)
    if (wrong !== null) return refusal(ErrorCode.INVALID_REPLICA_ASSIGNMENT, wrong)
    if (indexes.has(partitionIndex)) {
      const message = `Found multiple manual partition assignments for partition ${partitionIndex}`
      return refusal(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)
    }
    indexes.add(partitionIndex)
  }
  for (let index = from; index < from + assignments.length; index++) {
    if (indexes.has(index)) continue
    return refusal(ErrorCode.INVALID_REPLICA_ASSIGNMENT, 'partitions should be a consecutive 0-based integer sequence')
  }
  return null
}

function checkReplicas(brokerIds: readonly number[], nodeId: number): string | null {
  if (brokerIds.length === 0) return 'The manual partition assignment includes an empty replica list.'
  if (new Set(brokerIds).size !== brokerIds.length) {
    return `The manual partition assignment includes the broker ${brokerIds[0]} more than once.`
  }
  const unknown = brokerIds.find((id) => id !== nodeId)
  return unknown === undefined
    ? null
    : `The manual partition assignment includes broker ${unknown}, but no such broker is registered.`
}

function checkAssignedTopic(topic: NewTopic, nodeId: number): number | Refusal {
  const message = 'A manual partition assignment was specified, but'
  if (topic.replicationFactor !== -1) {
    return refusal(ErrorCode.INVALID_REQUEST, `${message} replication factor was not set to -1.`)
  }
  if (topic.numPartitions !== -1) return refusal(ErrorCode.INVALID_REQUEST, `${message} numPartitions was not set to -1.`)
  const wrong = checkAssignments(topic.assignments, 0, nodeId)
  return wrong ?? checkCount(topic.assignments.length)
}

function checkCountedTopic(topic: NewTopic, defaultPartitions: number): number | Refusal {
  const { numPartitions, replicationFactor } = topic
  if (replicationFactor < -1 || replicationFactor === 0) {
    const message = 'Replication factor must be larger than 0, or -1 to use the default value.'
    return refusal(ErrorCode.INVALID_REPLICATION_FACTOR, message)
  }
  if (numPartitions < -1 || numPartitions === 0) {
    return refusal(ErrorCode.INVALID_PARTITIONS, 'Number of partitions was set to an invalid non-positive value.')
  }
  if (replicationFactor > 1) {
    const why = `The target replication factor of ${replicationFactor} cannot be reached because only 1 broker(s) are registered.`
    return refusal(ErrorCode.INVALID_REPLICATION_FACTOR, `Unable to replicate the partition ${replicationFactor} time(s): ${why}`)
  }
  return checkCount(numPartitions === -1 ? defaultPartitions : numPartitions)
}

export function checkCount(count: number): number | Refusal {
  if (count <= PARTITIONS_PER_TOPIC_MAX) return count
  return refusal(ErrorCode.INVALID_PARTITIONS, `${count} partitions; this broker allows ${PARTITIONS_PER_TOPIC_MAX} per topic`)
}

function checkNewConfigs(configs: ReadonlyMap<string, string | null>): Refusal | null {
  for (const [name, value] of configs) {
    if (value === null) return refusal(ErrorCode.INVALID_CONFIG, `Null value not supported for topic configs: ${name}`)
    const wrong = checkTopicConfig(name, value)
    if (wrong !== null) return refusal(ErrorCode.INVALID_CONFIG, wrong)
  }
  return null
}

function collidingTopic(image: MetadataImage, name: string): string | undefined {
  if (!hasCollisionCharacters(name)) return undefined
  const key = collisionKey(name)
  for (const topic of image.topics()) {
    if (hasCollisionCharacters(topic.name) && collisionKey(topic.name) === key) return topic.name
  }
  return undefined
}
