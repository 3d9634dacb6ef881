import type { KafkaRecord } from './kafka-record.ts'
import { CorruptRecordError } from './errors.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'

/** ControlRecordType.java. The last five stand in the metadata log of KRaft. */
const TYPES = ['abort', 'commit', 'leaderChange', 'snapshotHeader', 'snapshotFooter', 'kraftVersion', 'kraftVoters'] as const

export type ControlRecordType = (typeof TYPES)[number] | 'unknown'

/** What the one record of a control batch says. */
export interface ControlRecord {
  readonly type: ControlRecordType
  /** Version of the key. */
  readonly version: number
}

/** The marker that ends a transaction in one partition: EndTransactionMarker.java. */
export interface EndTransactionMarker {
  readonly type: 'abort' | 'commit'
  /** Epoch of the transaction coordinator that wrote it; a marker of a lower one is from a deposed coordinator. */
  readonly coordinatorEpoch: number
}

export interface EndTransactionMarkerInput extends EndTransactionMarker {
  readonly producerId: number
  readonly producerEpoch: number
  /** Epoch milliseconds. */
  readonly timestamp: number
  /** Default 0. */
  readonly baseOffset?: number
  /** Default -1. */
  readonly partitionLeaderEpoch?: number
}

const KEY_BYTES = 4
const MARKER_VALUE_BYTES = 6
const MARKER_BATCH_BYTES = 128

/** The control batch that ends a transaction. */
export function encodeEndTransactionMarker(marker: EndTransactionMarkerInput): Buffer {
  const key = Buffer.alloc(KEY_BYTES)
  key.writeInt16BE(TYPES.indexOf(marker.type), 2)
  const value = Buffer.alloc(MARKER_VALUE_BYTES)
  value.writeInt32BE(marker.coordinatorEpoch, 2)
  const builder = new RecordBatchBuilder({ batchSize: MARKER_BATCH_BYTES })
  builder.tryAppend(marker.timestamp, key, value)
  return builder.seal({
    baseOffset: marker.baseOffset ?? 0,
    partitionLeaderEpoch: marker.partitionLeaderEpoch ?? -1,
    producerId: marker.producerId,
    producerEpoch: marker.producerEpoch,
    transactional: true,
    control: true,
  })
}

/** Reads the key of a record of a control batch. */
export function readControlRecord(record: KafkaRecord): ControlRecord {
  const key = record.key
  if (key === null || key.length < KEY_BYTES) {
    throw new CorruptRecordError(record.batch, `a control record whose key has ${record.keyLength} bytes; it takes ${KEY_BYTES}`)
  }
  const version = key.readInt16BE(0)
  if (version < 0) throw new CorruptRecordError(record.batch, `a control record of version ${version}`)
  return { type: TYPES[key.readInt16BE(2)] ?? 'unknown', version }
}

/** Reads a record of a control batch as a transaction marker; null if it is another kind of control record. */
export function readEndTransactionMarker(record: KafkaRecord): EndTransactionMarker | null {
  const { type } = readControlRecord(record)
  if (type !== 'abort' && type !== 'commit') return null
  const value = record.value
  if (value === null || value.length < MARKER_VALUE_BYTES) {
    throw new CorruptRecordError(record.batch, `a transaction marker whose value has ${record.valueLength} bytes`)
  }
  const version = value.readInt16BE(0)
  if (version < 0) throw new CorruptRecordError(record.batch, `a transaction marker of version ${version}`)
  return { type, coordinatorEpoch: value.readInt32BE(2) }
}
