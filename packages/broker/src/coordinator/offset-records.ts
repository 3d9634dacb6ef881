import { ZERO_UUID } from '@millrace/protocol'
import { Reader, Writer } from '@millrace/protocol/internal'
import { decodeGroupMetadataKey, encodeGroupMetadataKey, GROUP_METADATA_KEY_TYPE } from '../generated/group-metadata-key.ts'
import { decodeGroupMetadataValue, encodeGroupMetadataValue } from '../generated/group-metadata-value.ts'
import { decodeOffsetCommitKey, encodeOffsetCommitKey, OFFSET_COMMIT_KEY_TYPE } from '../generated/offset-commit-key.ts'
import { decodeOffsetCommitValue, encodeOffsetCommitValue } from '../generated/offset-commit-value.ts'
import { decodeConsumerRecord, type ConsumerRecord } from '../consumer-groups/consumer-records.ts'
import type { JournalRecord } from '../metadata/journal.ts'
import type { ClassicGroup, GroupSnapshot } from './classic-group.ts'
import { ClassicMember } from './classic-member.ts'

/** Versions that Kafka 4.4 writes (GroupCoordinatorRecordHelpers). Only version 1 of a commit can carry an expiry of its own. */
const KEY_VERSION = 0
const GROUP_VALUE_VERSION = 3
const OFFSET_VALUE_VERSION = 4
const OFFSET_VALUE_VERSION_WITH_EXPIRY = 1
/** Before Kafka 0.9.0.1 commits had key version 0; the value's format is the same. */
const OLDEST_OFFSET_KEY_TYPE = 0

/** A committed offset. */
export interface CommittedOffset {
  readonly offset: number
  /** -1: the client did not say. */
  readonly leaderEpoch: number
  readonly metadata: string
  /** Epoch ms. */
  readonly committedAt: number
  /** Epoch ms at which the client wanted it to expire (OffsetCommit up to v4); -1: `offsets.retention.minutes` decides. */
  readonly expiresAt: number
  /** The topic that it was committed for; the zero uuid in records of old formats. */
  readonly topicId: string
}

export type OffsetsRecord =
  | {
      readonly type: 'offset'
      readonly group: string
      readonly topic: string
      readonly partition: number
      readonly value: CommittedOffset | null
    }
  | { readonly type: 'group'; readonly group: string; readonly value: GroupSnapshot | null }
  | ConsumerRecord

export function offsetRecord(group: string, topic: string, partition: number, commit: CommittedOffset | null): JournalRecord {
  const key = keyed(OFFSET_COMMIT_KEY_TYPE, (writer) => encodeOffsetCommitKey(writer, { group, topic, partition }, KEY_VERSION))
  if (commit === null) return { key, value: null }
  const version = commit.expiresAt === -1 ? OFFSET_VALUE_VERSION : OFFSET_VALUE_VERSION_WITH_EXPIRY
  const value = {
    offset: BigInt(commit.offset),
    leaderEpoch: commit.leaderEpoch,
    metadata: commit.metadata,
    commitTimestamp: BigInt(commit.committedAt),
    expireTimestamp: BigInt(commit.expiresAt),
    topicId: commit.topicId,
  }
  return { key, value: keyed(version, (writer) => encodeOffsetCommitValue(writer, value, version)) }
}

/** @param assignments by member id */
export function groupRecord(group: ClassicGroup, assignments: ReadonlyMap<string, Buffer>): JournalRecord {
  const { protocol } = group
  const members = [...group.members.values()].map((member) => ({
    memberId: member.id,
    groupInstanceId: member.instanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    rebalanceTimeout: member.rebalanceTimeoutMs,
    sessionTimeout: member.sessionTimeoutMs,
    subscription: member.metadata(protocol ?? ''),
    assignment: assignments.get(member.id) ?? member.assignment,
  }))
  const value = {
    protocolType: group.protocolType ?? '',
    generation: group.generation,
    protocol,
    leader: group.leader,
    currentStateTimestamp: BigInt(group.stateTimestamp),
    members,
  }
  return {
    key: groupKey(group.id),
    value: keyed(GROUP_VALUE_VERSION, (writer) => encodeGroupMetadataValue(writer, value, GROUP_VALUE_VERSION)),
  }
}

export function groupTombstone(group: string): JournalRecord {
  return { key: groupKey(group), value: null }
}

/** Returns null for records of a kind that this broker does not serve (share and streams groups). Throws ProtocolError. */
export function decodeOffsetsRecord(key: Buffer, value: Buffer | null): OffsetsRecord | null {
  const reader = new Reader(key)
  const type = reader.int16()
  if (type === OFFSET_COMMIT_KEY_TYPE || type === OLDEST_OFFSET_KEY_TYPE) {
    const { group, topic, partition } = decodeOffsetCommitKey(reader, KEY_VERSION)
    return { type: 'offset', group, topic, partition, value: value === null ? null : decodeCommit(value) }
  }
  if (type === GROUP_METADATA_KEY_TYPE) {
    const { group } = decodeGroupMetadataKey(reader, KEY_VERSION)
    return { type: 'group', group, value: value === null ? null : decodeGroup(value) }
  }
  return decodeConsumerRecord(type, reader, value)
}

function decodeCommit(value: Buffer): CommittedOffset {
  const reader = new Reader(value)
  const commit = decodeOffsetCommitValue(reader, reader.int16())
  return {
    offset: Number(commit.offset),
    leaderEpoch: commit.leaderEpoch,
    metadata: commit.metadata,
    committedAt: Number(commit.commitTimestamp),
    expiresAt: Number(commit.expireTimestamp),
    topicId: commit.topicId ?? ZERO_UUID,
  }
}

function decodeGroup(value: Buffer): GroupSnapshot {
  const reader = new Reader(value)
  const group = decodeGroupMetadataValue(reader, reader.int16())
  const protocol = group.protocol
  return {
    protocolType: group.protocolType === '' ? null : group.protocolType,
    generation: group.generation,
    protocol,
    leader: group.leader,
    stateTimestamp: Number(group.currentStateTimestamp),
    members: group.members.map((member) => {
      return new ClassicMember({
        id: member.memberId,
        instanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeoutMs: member.rebalanceTimeout === -1 ? member.sessionTimeout : member.rebalanceTimeout,
        sessionTimeoutMs: member.sessionTimeout,
        protocols: [{ name: protocol ?? '', metadata: Buffer.from(member.subscription) }],
        assignment: Buffer.from(member.assignment),
      })
    }),
  }
}

function groupKey(group: string): Buffer {
  return keyed(GROUP_METADATA_KEY_TYPE, (writer) => encodeGroupMetadataKey(writer, { group }, KEY_VERSION))
}

/** CoordinatorRecordSerde: keys begin with the record's type, values with their version. */
function keyed(prefix: number, write: (writer: Writer) => void): Buffer {
  const writer = new Writer()
  writer.int16(prefix)
  write(writer)
  return writer.toBuffer()
}
