import { ProtocolError } from '@millrace/protocol'
import { Reader, Writer } from '@millrace/protocol/internal'
import { CONFIG_RECORD_TYPE, decodeConfigRecord, encodeConfigRecord } from '../generated/config-record.ts'
import {
  decodeFeatureLevelRecord,
  encodeFeatureLevelRecord,
  FEATURE_LEVEL_RECORD_TYPE,
} from '../generated/feature-level-record.ts'
import {
  decodePartitionChangeRecord,
  encodePartitionChangeRecord,
  PARTITION_CHANGE_RECORD_TYPE,
} from '../generated/partition-change-record.ts'
import { decodePartitionRecord, encodePartitionRecord, PARTITION_RECORD_TYPE } from '../generated/partition-record.ts'
import { decodeProducerIdsRecord, encodeProducerIdsRecord, PRODUCER_IDS_RECORD_TYPE } from '../generated/producer-ids-record.ts'
import { decodeRemoveTopicRecord, encodeRemoveTopicRecord, REMOVE_TOPIC_RECORD_TYPE } from '../generated/remove-topic-record.ts'
import { decodeTopicRecord, encodeTopicRecord, TOPIC_RECORD_TYPE } from '../generated/topic-record.ts'
import type { MetadataRecord } from './metadata-record.ts'

/** What precedes each record's message: MetadataRecordSerde's frame version, the record type, the record version. */
const FRAME_VERSION = 1
const RECORD_VERSION = 0

export function encodeMetadataRecord(record: MetadataRecord): Buffer {
  const writer = new Writer()
  writer.unsignedVarint(FRAME_VERSION)
  const type = TYPES[record.type]
  writer.unsignedVarint(type)
  writer.unsignedVarint(RECORD_VERSION)
  encodeMessage(writer, record)
  return writer.toBuffer()
}

/** @throws ProtocolError for bytes that are no metadata record, and for types that only a Kafka with more features writes */
export function decodeMetadataRecord(value: Buffer): MetadataRecord {
  const reader = new Reader(value)
  const frame = reader.unsignedVarint()
  if (frame !== FRAME_VERSION)
    throw new ProtocolError('UNSUPPORTED_VERSION', `metadata record frame version ${frame}; expected ${FRAME_VERSION}`)
  const type = reader.unsignedVarint()
  const version = reader.unsignedVarint()
  const record = decodeMessage(reader, type, version)
  if (reader.remaining !== 0) throw reader.corrupt(`${reader.remaining} bytes after a metadata record of type ${type}`)
  return record
}

const TYPES: Record<MetadataRecord['type'], number> = {
  'feature-level': FEATURE_LEVEL_RECORD_TYPE,
  topic: TOPIC_RECORD_TYPE,
  partition: PARTITION_RECORD_TYPE,
  'leader-election': PARTITION_CHANGE_RECORD_TYPE,
  'remove-topic': REMOVE_TOPIC_RECORD_TYPE,
  config: CONFIG_RECORD_TYPE,
  'producer-ids': PRODUCER_IDS_RECORD_TYPE,
}

function encodeMessage(writer: Writer, record: MetadataRecord): void {
  switch (record.type) {
    case 'feature-level':
      return encodeFeatureLevelRecord(writer, { name: record.name, featureLevel: record.level }, RECORD_VERSION)
    case 'topic':
      return encodeTopicRecord(writer, record, RECORD_VERSION)
    case 'partition':
      return encodePartitionRecord(writer, { ...PARTITION_DEFAULTS, ...partitionFields(record) }, RECORD_VERSION)
    case 'leader-election': {
      const { partition, topicId, leader } = record
      return encodePartitionChangeRecord(writer, { ...CHANGE_DEFAULTS, partitionId: partition, topicId, leader }, RECORD_VERSION)
    }
    case 'remove-topic':
      return encodeRemoveTopicRecord(writer, record, RECORD_VERSION)
    case 'config':
      return encodeConfigRecord(writer, record, RECORD_VERSION)
    case 'producer-ids': {
      const { brokerId, nextProducerId } = record
      return encodeProducerIdsRecord(
        writer,
        { brokerId, brokerEpoch: -1n, nextProducerId: BigInt(nextProducerId) },
        RECORD_VERSION,
      )
    }
  }
}

const PARTITION_DEFAULTS = {
  removingReplicas: [],
  addingReplicas: [],
  leaderRecoveryState: 0,
  directories: [],
  eligibleLeaderReplicas: null,
  lastKnownElr: null,
}

const CHANGE_DEFAULTS = {
  isr: null,
  replicas: null,
  removingReplicas: null,
  addingReplicas: null,
  leaderRecoveryState: -1,
  directories: null,
  eligibleLeaderReplicas: null,
  lastKnownElr: null,
}

function partitionFields(record: Extract<MetadataRecord, { type: 'partition' }>): {
  partitionId: number
  topicId: string
  replicas: number[]
  isr: number[]
  leader: number
  leaderEpoch: number
  partitionEpoch: number
} {
  const { partition, topicId, replicas, leader, leaderEpoch, partitionEpoch } = record
  return { partitionId: partition, topicId, replicas: [...replicas], isr: [...replicas], leader, leaderEpoch, partitionEpoch }
}

function decodeMessage(reader: Reader, type: number, version: number): MetadataRecord {
  switch (type) {
    case FEATURE_LEVEL_RECORD_TYPE: {
      const { name, featureLevel } = decodeFeatureLevelRecord(reader, version)
      return { type: 'feature-level', name, level: featureLevel }
    }
    case TOPIC_RECORD_TYPE:
      return { type: 'topic', ...decodeTopicRecord(reader, version) }
    case PARTITION_RECORD_TYPE: {
      const { partitionId, topicId, leader, leaderEpoch, partitionEpoch, replicas } = decodePartitionRecord(reader, version)
      return { type: 'partition', topicId, partition: partitionId, leader, leaderEpoch, partitionEpoch, replicas }
    }
    case PARTITION_CHANGE_RECORD_TYPE:
      return decodeElection(reader, version)
    case REMOVE_TOPIC_RECORD_TYPE:
      return { type: 'remove-topic', ...decodeRemoveTopicRecord(reader, version) }
    case CONFIG_RECORD_TYPE:
      return { type: 'config', ...decodeConfigRecord(reader, version) }
    case PRODUCER_IDS_RECORD_TYPE: {
      const { brokerId, nextProducerId } = decodeProducerIdsRecord(reader, version)
      return { type: 'producer-ids', brokerId, nextProducerId: Number(nextProducerId) }
    }
    default:
      throw new ProtocolError('UNSUPPORTED_VERSION', `metadata record type ${type}, which this broker does not know`)
  }
}

/** One node writes elections only; other changes would be of replicas that this broker does not have. */
function decodeElection(reader: Reader, version: number): MetadataRecord {
  const { partitionId, topicId, leader, ...rest } = decodePartitionChangeRecord(reader, version)
  const isElection =
    leader >= 0 && rest.isr === null && rest.replicas === null && rest.addingReplicas === null && rest.removingReplicas === null
  if (!isElection)
    throw new ProtocolError('UNSUPPORTED_VERSION', 'a change of replicas in the metadata log; this broker is a single node')
  return { type: 'leader-election', topicId, partition: partitionId, leader }
}
