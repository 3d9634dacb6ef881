import { KafkaError } from '@millrace/protocol'
import {
  CONSUMER_PROTOCOL_ASSIGNMENT_MAX_VERSION,
  decodeConsumerProtocolAssignment,
  encodeConsumerProtocolAssignment,
} from '@millrace/protocol/apis/consumer-protocol-assignment'
import {
  CONSUMER_PROTOCOL_SUBSCRIPTION_MAX_VERSION,
  decodeConsumerProtocolSubscription,
  type ConsumerProtocolSubscription,
} from '@millrace/protocol/apis/consumer-protocol-subscription'
import { Reader, Writer } from '@millrace/protocol/internal'
import type { Assignment, TopicPartitions } from './assignment.ts'
import type { TopicsView } from './topic-metadata.ts'

/** What a member's classic assignor left for it alone would be lost in a consumer group. */
export const HAS_USER_DATA: unique symbol = Symbol('has user data')

/** What the member of a classic group subscribes to; null when it cannot be read. Newer versions are read as the newest that is known. */
export function readSubscription(metadata: Buffer): ConsumerProtocolSubscription | null {
  return readOrNull(() => {
    const reader = new Reader(metadata)
    const version = reader.int16()
    return version < 0
      ? null
      : decodeConsumerProtocolSubscription(reader, Math.min(version, CONSUMER_PROTOCOL_SUBSCRIPTION_MAX_VERSION))
  })
}

/**
 * What a classic leader gave the member; null when it cannot be read. What is not there is left out: topics that are gone and, other than in Kafka, numbers of
 * partitions that a topic does not have, as a leader may write any.
 */
export function readAssignment(bytes: Buffer, topics: TopicsView): Assignment | typeof HAS_USER_DATA | null {
  if (bytes.length === 0) return new Map()
  const assignment = readOrNull(() => {
    const reader = new Reader(bytes)
    const version = reader.int16()
    return version < 0
      ? null
      : decodeConsumerProtocolAssignment(reader, Math.min(version, CONSUMER_PROTOCOL_ASSIGNMENT_MAX_VERSION))
  })
  if (assignment === null) return null
  if (assignment.userData !== null && assignment.userData.length > 0) return HAS_USER_DATA
  const partitions = new Map<string, Set<number>>()
  for (const { topic, partitions: indexes } of assignment.assignedPartitions) {
    const known = topics.byName(topic)
    if (known === undefined) continue
    const there = indexes.filter((index) => index >= 0 && index < known.partitions.length)
    if (there.length > 0) partitions.set(known.id, new Set(there))
  }
  return partitions
}

/** @param metadata the member's, whose version the assignment has too */
export function writeAssignment(partitions: Assignment, metadata: Buffer, topics: TopicsView): Buffer {
  const version = Math.max(0, Math.min(metadata.readInt16BE(0), CONSUMER_PROTOCOL_ASSIGNMENT_MAX_VERSION))
  const assignedPartitions = [...partitions].flatMap(([topicId, indexes]) => {
    const topic = topics.byId(topicId)?.name
    return topic === undefined ? [] : [{ topic, partitions: [...indexes].toSorted((a, b) => a - b) }]
  })
  const writer = new Writer()
  writer.int16(version)
  encodeConsumerProtocolAssignment(writer, { assignedPartitions, userData: null }, version)
  return writer.toBuffer()
}

/** What the member says it owns, by topic id. */
export function ownedOf(subscription: ConsumerProtocolSubscription, topics: TopicsView): TopicPartitions[] {
  return subscription.ownedPartitions.flatMap(({ topic, partitions }) => {
    const topicId = topics.byName(topic)?.id
    return topicId === undefined ? [] : [{ topicId, partitions }]
  })
}

function readOrNull<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    if (error instanceof KafkaError) return null
    throw error
  }
}
