import { Reader, Writer } from '@millrace/protocol/internal'
import {
  CONSUMER_PROTOCOL_ASSIGNMENT_MAX_VERSION,
  decodeConsumerProtocolAssignment,
  encodeConsumerProtocolAssignment,
} from '@millrace/protocol/apis/consumer-protocol-assignment'
import {
  CONSUMER_PROTOCOL_SUBSCRIPTION_MAX_VERSION,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolSubscription,
} from '@millrace/protocol/apis/consumer-protocol-subscription'
import { compareStrings, type GroupMember } from '../assignors/assignor.ts'
import { compareTopicPartitions, groupByTopic, type TopicPartition } from '../topic-partition.ts'

/**
 * What consumers tell each other through the coordinator (Java: ConsumerProtocol): a version, then the message. A
 * message of a later version begins with all that the last known one has, so it is read as that and its rest left.
 */

export interface Subscription {
  readonly topics: readonly string[]
  readonly userData: Buffer | null
  readonly ownedPartitions: readonly TopicPartition[]
  readonly generationId: number
  readonly rackId: string | null
}

export function encodeSubscription(subscription: Subscription): Buffer {
  const version = CONSUMER_PROTOCOL_SUBSCRIPTION_MAX_VERSION
  const writer = new Writer()
  writer.int16(version)
  const { userData, generationId, rackId } = subscription
  const topics = subscription.topics.toSorted(compareStrings)
  const ownedPartitions = topicPartitionsOf(subscription.ownedPartitions.toSorted(compareTopicPartitions))
  encodeConsumerProtocolSubscription(writer, { topics, userData, ownedPartitions, generationId, rackId }, version)
  return writer.toBuffer()
}

/** @throws {ProtocolError} */
export function decodeSubscription(bytes: Buffer): Subscription {
  const reader = new Reader(bytes)
  const version = versionOf(reader, CONSUMER_PROTOCOL_SUBSCRIPTION_MAX_VERSION)
  const message = decodeConsumerProtocolSubscription(reader, version)
  return { ...message, ownedPartitions: flatten(message.ownedPartitions) }
}

/** A member as the leader sees it. @throws {ProtocolError} */
export function groupMemberOf(memberId: string, groupInstanceId: string | null, metadata: Buffer): GroupMember {
  return { memberId, groupInstanceId, ...decodeSubscription(metadata) }
}

export function encodeAssignment(partitions: readonly TopicPartition[]): Buffer {
  const version = CONSUMER_PROTOCOL_ASSIGNMENT_MAX_VERSION
  const writer = new Writer()
  writer.int16(version)
  encodeConsumerProtocolAssignment(writer, { assignedPartitions: topicPartitionsOf(partitions), userData: null }, version)
  return writer.toBuffer()
}

/** No bytes are an assignment of nothing. @throws {ProtocolError} */
export function decodeAssignment(bytes: Buffer): TopicPartition[] {
  if (bytes.length === 0) return []
  const reader = new Reader(bytes)
  const version = versionOf(reader, CONSUMER_PROTOCOL_ASSIGNMENT_MAX_VERSION)
  return flatten(decodeConsumerProtocolAssignment(reader, version).assignedPartitions)
}

function versionOf(reader: Reader, maxKnown: number): number {
  const version = reader.int16()
  if (version < 0) throw reader.corrupt(`consumer protocol version ${version}`)
  return Math.min(version, maxKnown)
}

function topicPartitionsOf(partitions: readonly TopicPartition[]): Array<{ topic: string; partitions: number[] }> {
  return [...groupByTopic(partitions)].map(([topic, numbers]) => ({ topic, partitions: numbers }))
}

function flatten(topics: ReadonlyArray<{ topic: string; partitions: number[] }>): TopicPartition[] {
  return topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
}
