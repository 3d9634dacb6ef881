export {
  attributes,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  baseOffset,
  baseSequence,
  baseTimestamp,
  batchBytes,
  compressionOf,
  crc,
  hasDeleteHorizon,
  incrementSequence,
  isCompleteBatch,
  isControl,
  isLogAppendTime,
  isTransactional,
  lastOffset,
  lastOffsetDelta,
  lastSequence,
  LOG_OVERHEAD_BYTES,
  magic,
  maxTimestamp,
  NO_VALUE,
  partitionLeaderEpoch,
  patchBaseOffset,
  patchCrc,
  patchLeaderEpoch,
  patchLogAppendTime,
  patchProducerState,
  producerEpoch,
  producerId,
  recordCount,
  verifyBatch,
  type ProducerState,
} from './batch-header.ts'
export { COMPRESSION_TYPES, type CompressionType } from './compression-type.ts'
export type { Codec } from './compression/codec.ts'
export { codecOf } from './compression/codecs.ts'
export { allowNativeCodecs } from './compression/natives.ts'
export { allowNativeCrc32c, crc32c } from './crc32c.ts'
export { encodeBatch } from './encode-batch.ts'
export {
  encodeEndTransactionMarker,
  readControlRecord,
  readEndTransactionMarker,
  type ControlRecord,
  type ControlRecordType,
  type EndTransactionMarker,
  type EndTransactionMarkerInput,
} from './control-record.ts'
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
export { readInt64, writeInt64 } from './int64.ts'
export { KafkaRecord, type RecordFields } from './kafka-record.ts'
export { DEFAULT_BATCH_SIZE_BYTES, DEFAULT_MAX_DECOMPRESSED_BYTES } from './limits.ts'
export { readBatches } from './read-batches.ts'
export { RecordBatch, type ReadOptions } from './record-batch.ts'
export { RecordBatchBuilder, type RecordBatchBuilderOptions, type SealOptions } from './record-batch-builder.ts'
export { RecordCursor } from './record-cursor.ts'
export type { RecordHeader } from './record-headers.ts'
export type { RecordBytes, RecordHeaderInput, RecordInput } from './record-input.ts'
export { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from './varint.ts'
export { VarintReader } from './varint-reader.ts'
