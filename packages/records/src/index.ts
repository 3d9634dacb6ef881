export {
  patchBaseOffset,
  patchLeaderEpoch,
  patchLogAppendTime,
  patchProducerState,
  verifyBatch,
  type ProducerState,
} from './batch-header.ts'
export type { CompressionType } from './compression-type.ts'
export {
  encodeEndTransactionMarker,
  readControlRecord,
  readEndTransactionMarker,
  type ControlRecord,
  type ControlRecordType,
  type EndTransactionMarker,
  type EndTransactionMarkerInput,
} from './control-record.ts'
export { crc32c } from './crc32c.ts'
export { encodeBatch } from './encode-batch.ts'
export {
  BatchDisposedError,
  CorruptCompressionError,
  CorruptRecordError,
  DecompressionLimitError,
  InvalidRecordError,
  UnsupportedCompressionError,
  UnsupportedMagicError,
  type BatchLocation,
} from './errors.ts'
export { KafkaRecord, type RecordFields } from './kafka-record.ts'
export { readBatches } from './read-batches.ts'
export { RecordBatch, type ReadOptions } from './record-batch.ts'
export { RecordBatchBuilder, type RecordBatchBuilderOptions, type SealOptions } from './record-batch-builder.ts'
export { RecordCursor } from './record-cursor.ts'
export type { RecordHeader } from './record-headers.ts'
export type { RecordBytes, RecordHeaderInput, RecordInput } from './record-input.ts'
