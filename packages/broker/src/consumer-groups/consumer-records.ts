import { Reader, Writer } from '@millrace/protocol/internal'
import * as currentKey from '../generated/consumer-group-current-member-assignment-key.ts'
import * as currentValue from '../generated/consumer-group-current-member-assignment-value.ts'
import * as memberKey from '../generated/consumer-group-member-metadata-key.ts'
import * as memberValue from '../generated/consumer-group-member-metadata-value.ts'
import * as epochKey from '../generated/consumer-group-metadata-key.ts'
import * as epochValue from '../generated/consumer-group-metadata-value.ts'
import * as partitionMetadataKey from '../generated/consumer-group-partition-metadata-key.ts'
import * as regexKey from '../generated/consumer-group-regular-expression-key.ts'
import * as regexValue from '../generated/consumer-group-regular-expression-value.ts'
import * as targetKey from '../generated/consumer-group-target-assignment-member-key.ts'
import * as targetValue from '../generated/consumer-group-target-assignment-member-value.ts'
import * as targetEpochKey from '../generated/consumer-group-target-assignment-metadata-key.ts'
import * as targetEpochValue from '../generated/consumer-group-target-assignment-metadata-value.ts'
import type { JournalRecord } from '../metadata/journal.ts'
import type { Assignment, EpochAssignment } from './assignment.ts'
import type { MemberMetadata, MemberProgress, MemberState } from './consumer-member.ts'

/** Keys have no versions, and all values are in their first (GroupCoordinatorRecordHelpers). */
const VERSION = 0

/** The topics that a regular expression stood for when it was last looked up. */
export interface ResolvedRegex {
  readonly topics: ReadonlySet<string>
  /** Of the metadata that it was looked up in. */
  readonly version: number
  /** Epoch ms. */
  readonly resolvedAt: number
}

/** A change to a consumer group as it stands in the offsets topic. A null value is a tombstone. */
export type ConsumerRecord = { readonly group: string } & (
  | { readonly type: 'member'; readonly member: string; readonly value: MemberMetadata | null }
  | { readonly type: 'epoch'; readonly value: { readonly epoch: number; readonly metadataHash: bigint } | null }
  | { readonly type: 'target'; readonly member: string; readonly value: Assignment | null }
  | { readonly type: 'target-epoch'; readonly value: { readonly epoch: number; readonly computedAt: number } | null }
  | { readonly type: 'progress'; readonly member: string; readonly value: MemberProgress | null }
  | { readonly type: 'regex'; readonly regex: string; readonly value: ResolvedRegex | null }
  /** What groups of Kafka 4.0 kept of their topics; only its tombstone is ever written now. */
  | { readonly type: 'partition-metadata'; readonly value: object | null }
)

/** MemberState.java. */
const STATES: readonly MemberState[] = ['STABLE', 'UNREVOKED_PARTITIONS', 'UNRELEASED_PARTITIONS']
const UNKNOWN_STATE = 127

export function encodeConsumerRecord(record: ConsumerRecord): JournalRecord {
  return { key: encodeKey(record), value: record.value === null ? null : encodeValue(record) }
}

function encodeKey(record: ConsumerRecord): Buffer {
  const groupId = record.group
  switch (record.type) {
    case 'member':
      return bytes(memberKey.CONSUMER_GROUP_MEMBER_METADATA_KEY_TYPE, (writer) =>
        memberKey.encodeConsumerGroupMemberMetadataKey(writer, { groupId, memberId: record.member }, VERSION),
      )
    case 'epoch':
      return bytes(epochKey.CONSUMER_GROUP_METADATA_KEY_TYPE, (writer) =>
        epochKey.encodeConsumerGroupMetadataKey(writer, { groupId }, VERSION),
      )
    case 'target':
      return bytes(targetKey.CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER_KEY_TYPE, (writer) =>
        targetKey.encodeConsumerGroupTargetAssignmentMemberKey(writer, { groupId, memberId: record.member }, VERSION),
      )
    case 'target-epoch':
      return bytes(targetEpochKey.CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA_KEY_TYPE, (writer) =>
        targetEpochKey.encodeConsumerGroupTargetAssignmentMetadataKey(writer, { groupId }, VERSION),
      )
    case 'progress':
      return bytes(currentKey.CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT_KEY_TYPE, (writer) =>
        currentKey.encodeConsumerGroupCurrentMemberAssignmentKey(writer, { groupId, memberId: record.member }, VERSION),
      )
    case 'regex':
      return bytes(regexKey.CONSUMER_GROUP_REGULAR_EXPRESSION_KEY_TYPE, (writer) =>
        regexKey.encodeConsumerGroupRegularExpressionKey(writer, { groupId, regularExpression: record.regex }, VERSION),
      )
    default:
      return bytes(partitionMetadataKey.CONSUMER_GROUP_PARTITION_METADATA_KEY_TYPE, (writer) =>
        partitionMetadataKey.encodeConsumerGroupPartitionMetadataKey(writer, { groupId }, VERSION),
      )
  }
}

function encodeValue(record: ConsumerRecord): Buffer {
  return bytes(VERSION, (writer) => {
    switch (record.type) {
      case 'member':
        return memberValue.encodeConsumerGroupMemberMetadataValue(writer, memberOnDisk(record.value!), VERSION)
      case 'epoch':
        return epochValue.encodeConsumerGroupMetadataValue(writer, record.value!, VERSION)
      case 'target': {
        const topicPartitions = [...record.value!].map(([topicId, held]) => ({ topicId, partitions: [...held] }))
        return targetValue.encodeConsumerGroupTargetAssignmentMemberValue(writer, { topicPartitions }, VERSION)
      }
      case 'target-epoch': {
        const { epoch, computedAt } = record.value!
        const value = { assignmentEpoch: epoch, assignmentTimestamp: BigInt(computedAt) }
        return targetEpochValue.encodeConsumerGroupTargetAssignmentMetadataValue(writer, value, VERSION)
      }
      case 'progress':
        return currentValue.encodeConsumerGroupCurrentMemberAssignmentValue(writer, progressOnDisk(record.value!), VERSION)
      case 'regex': {
        const { topics, version, resolvedAt } = record.value!
        const value = { topics: [...topics].toSorted(), version: BigInt(version), timestamp: BigInt(resolvedAt) }
        return regexValue.encodeConsumerGroupRegularExpressionValue(writer, value, VERSION)
      }
      case 'partition-metadata':
        throw new Error('only the tombstone of partition metadata is written')
    }
  })
}

/** Returns null for a type that is not a consumer group's. Throws ProtocolError. */
export function decodeConsumerRecord(type: number, key: Reader, value: Buffer | null): ConsumerRecord | null {
  switch (type) {
    case memberKey.CONSUMER_GROUP_MEMBER_METADATA_KEY_TYPE: {
      const { groupId, memberId } = memberKey.decodeConsumerGroupMemberMetadataKey(key, VERSION)
      return { type: 'member', group: groupId, member: memberId, value: read(value, memberOf) }
    }
    case epochKey.CONSUMER_GROUP_METADATA_KEY_TYPE: {
      const { groupId } = epochKey.decodeConsumerGroupMetadataKey(key, VERSION)
      return { type: 'epoch', group: groupId, value: read(value, epochValue.decodeConsumerGroupMetadataValue) }
    }
    case targetKey.CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER_KEY_TYPE: {
      const { groupId, memberId } = targetKey.decodeConsumerGroupTargetAssignmentMemberKey(key, VERSION)
      return { type: 'target', group: groupId, member: memberId, value: read(value, targetOf) }
    }
    case targetEpochKey.CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA_KEY_TYPE: {
      const { groupId } = targetEpochKey.decodeConsumerGroupTargetAssignmentMetadataKey(key, VERSION)
      return { type: 'target-epoch', group: groupId, value: read(value, targetEpochOf) }
    }
    case currentKey.CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT_KEY_TYPE: {
      const { groupId, memberId } = currentKey.decodeConsumerGroupCurrentMemberAssignmentKey(key, VERSION)
      return { type: 'progress', group: groupId, member: memberId, value: read(value, progressOf) }
    }
    case regexKey.CONSUMER_GROUP_REGULAR_EXPRESSION_KEY_TYPE: {
      const { groupId, regularExpression } = regexKey.decodeConsumerGroupRegularExpressionKey(key, VERSION)
      return { type: 'regex', group: groupId, regex: regularExpression, value: read(value, regexOf) }
    }
    case partitionMetadataKey.CONSUMER_GROUP_PARTITION_METADATA_KEY_TYPE: {
      const { groupId } = partitionMetadataKey.decodeConsumerGroupPartitionMetadataKey(key, VERSION)
      return { type: 'partition-metadata', group: groupId, value }
    }
    default:
      return null
  }
}

function read<T>(value: Buffer | null, decode: (reader: Reader, version: number) => T): T | null {
  if (value === null) return null
  const reader = new Reader(value)
  return decode(reader, reader.int16())
}

function memberOnDisk(member: MemberMetadata): memberValue.ConsumerGroupMemberMetadataValue {
  const { classic } = member
  return {
    instanceId: member.instanceId,
    rackId: member.rackId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: [...member.topicNames].toSorted(),
    subscribedTopicRegex: member.topicRegex,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    serverAssignor: member.serverAssignor,
    classicMemberMetadata:
      classic === null
        ? null
        : {
            sessionTimeoutMs: classic.sessionTimeoutMs,
            supportedProtocols: classic.protocols.map(({ name, metadata }) => ({ name, metadata })),
          },
  }
}

function memberOf(reader: Reader, version: number): MemberMetadata {
  const value = memberValue.decodeConsumerGroupMemberMetadataValue(reader, version)
  const { classicMemberMetadata: classic } = value
  return {
    instanceId: value.instanceId,
    rackId: value.rackId,
    clientId: value.clientId,
    clientHost: value.clientHost,
    topicNames: new Set(value.subscribedTopicNames),
    topicRegex: value.subscribedTopicRegex,
    rebalanceTimeoutMs: value.rebalanceTimeoutMs,
    serverAssignor: value.serverAssignor,
    classic:
      classic === null
        ? null
        : {
            sessionTimeoutMs: classic.sessionTimeoutMs,
            protocols: classic.supportedProtocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
          },
  }
}

function targetOf(reader: Reader, version: number): Assignment {
  const { topicPartitions } = targetValue.decodeConsumerGroupTargetAssignmentMemberValue(reader, version)
  return new Map(topicPartitions.map(({ topicId, partitions }) => [topicId, new Set(partitions)]))
}

function targetEpochOf(reader: Reader, version: number): { epoch: number; computedAt: number } {
  const value = targetEpochValue.decodeConsumerGroupTargetAssignmentMetadataValue(reader, version)
  return { epoch: value.assignmentEpoch, computedAt: Number(value.assignmentTimestamp) }
}

function progressOnDisk(progress: MemberProgress): currentValue.ConsumerGroupCurrentMemberAssignmentValue {
  const index = STATES.indexOf(progress.state)
  return {
    memberEpoch: progress.epoch,
    previousMemberEpoch: progress.previousEpoch,
    state: index === -1 ? UNKNOWN_STATE : index,
    assignedPartitions: epochsOnDisk(progress.assigned),
    partitionsPendingRevocation: epochsOnDisk(progress.revoking),
  }
}

function progressOf(reader: Reader, version: number): MemberProgress {
  const value = currentValue.decodeConsumerGroupCurrentMemberAssignmentValue(reader, version)
  return {
    epoch: value.memberEpoch,
    previousEpoch: value.previousMemberEpoch,
    state: STATES[value.state] ?? 'UNKNOWN',
    assigned: epochsOf(value.assignedPartitions, value.memberEpoch),
    revoking: epochsOf(value.partitionsPendingRevocation, value.memberEpoch),
  }
}

function epochsOnDisk(assignment: EpochAssignment): currentValue.TopicPartitions[] {
  return [...assignment].map(([topicId, epochs]) => {
    const partitions = [...epochs.keys()].toSorted((a, b) => a - b)
    return { topicId, partitions, assignmentEpochs: partitions.map((partition) => epochs.get(partition)!) }
  })
}

/** Before Kafka 4.3 partitions had no epochs of their own: the member's stands for them (Utils.assignmentFromTopicPartitions). */
function epochsOf(list: readonly currentValue.TopicPartitions[], memberEpoch: number): EpochAssignment {
  const fallback = Math.max(memberEpoch, 0)
  return new Map(
    list.map(({ topicId, partitions, assignmentEpochs }) => {
      const own = assignmentEpochs?.length === partitions.length ? assignmentEpochs : null
      return [topicId, new Map(partitions.map((partition, i) => [partition, own?.[i] ?? fallback]))]
    }),
  )
}

function regexOf(reader: Reader, version: number): ResolvedRegex {
  const value = regexValue.decodeConsumerGroupRegularExpressionValue(reader, version)
  return { topics: new Set(value.topics), version: Number(value.version), resolvedAt: Number(value.timestamp) }
}

/** CoordinatorRecordSerde: keys begin with the record's type, values with their version. */
function bytes(prefix: number, write: (writer: Writer) => void): Buffer {
  const writer = new Writer()
  writer.int16(prefix)
  write(writer)
  return writer.toBuffer()
}
