import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  CorruptRecordError,
  RecordBatch,
  baseOffset,
  baseSequence,
  baseTimestamp,
  batchBytes,
  compressionOf,
  crc,
  crc32c,
  isControl,
  isLogAppendTime,
  isTransactional,
  lastOffsetDelta,
  magic,
  maxTimestamp,
  patchLogAppendTime,
  patchCrc,
  producerId,
  recordCount,
  verifyBatch,
  writeInt64,
} from '@millrace/records/internal'
import { KafkaError } from '@millrace/protocol'
import { DECOMPRESSED_BATCH_BYTES_MAX } from '../limits.ts'
import type { LogConfig } from './log-config.ts'
import { LogError } from './log-error.ts'
import { RecordCheck, checkRecords } from './record-check.ts'

/** Where the header holds the largest timestamp. */
const MAX_TIMESTAMP_POSITION = 35
/** Where the bytes begin that the checksum covers: the attributes. */
const CRC_START = 21

/**
 * Checks what a client sent as the records of one partition: exactly one sound batch v2, as Kafka's `LogValidator` and `UnifiedLog` do.
 * The batch is changed where Kafka changes it: the largest timestamp is set to what its records say, or to `now` on a
 * topic with LogAppendTime. `where` names the partition in errors. Throws LogError.
 */
export function validateProducedBatch(batch: Buffer, config: LogConfig, now: number, where: string): void {
  checkFraming(batch, config, where)
  checkSoundness(batch, where)
  checkHeader(batch, where)
  const logAppendTime = config.messageTimestampType === 'LogAppendTime'
  const check = new RecordCheck(config, now, where)
  walkRecords(batch, check, where)
  check.throwIfAnyFailed()
  if (logAppendTime) patchLogAppendTime(batch, 0, now)
  else if (check.maxTimestamp !== maxTimestamp(batch, 0)) patchMaxTimestamp(batch, check.maxTimestamp)
}

function checkFraming(batch: Buffer, config: LogConfig, where: string): void {
  if (batch.length === 0) throw new LogError('INVALID_RECORD', `${where}: there is no record batch`)
  if (batch.length < BATCH_HEADER_BYTES) {
    throw new LogError('INVALID_RECORD', `${where}: ${batch.length} bytes are no record batch`)
  }
  // Magic is at the same place in every format, and decides what the other bytes mean.
  if (magic(batch, 0) !== BATCH_MAGIC) {
    throw new LogError('INVALID_RECORD', `${where}: record batches of magic ${magic(batch, 0)} are not served; only of magic 2`)
  }
  const size = batchBytes(batch, 0)
  if (size < BATCH_HEADER_BYTES) {
    throw new LogError('CORRUPT_MESSAGE', `${where}: the batch says that it has ${size} bytes, less than its header`)
  }
  if (size > batch.length) {
    throw new LogError('INVALID_RECORD', `${where}: the batch says that it has ${size} bytes; there are ${batch.length}`)
  }
  if (size < batch.length) {
    throw new LogError('INVALID_RECORD', `${where}: ${batch.length - size} bytes follow the batch; exactly one batch is allowed`)
  }
  if (size > config.maxMessageBytes) {
    throw new LogError(
      'MESSAGE_TOO_LARGE',
      `${where}: the batch has ${size} bytes; max.message.bytes is ${config.maxMessageBytes}`,
    )
  }
}

function checkSoundness(batch: Buffer, where: string): void {
  try {
    verifyBatch(batch, 0, batch.length)
    compressionOf(batch, 0)
  } catch (error) {
    const wasDamaged = error instanceof CorruptRecordError && crc(batch, 0) !== crc32c(batch, CRC_START, batch.length)
    throw wasDamaged ? new LogError('CORRUPT_MESSAGE', `${where}: ${error.message}`, [], error) : asLogError(error, where)
  }
}

function checkHeader(batch: Buffer, where: string): void {
  const offset = baseOffset(batch, 0)
  if (offset !== 0) throw new LogError('INVALID_RECORD', `${where}: a produced batch begins at offset 0, not ${offset}`)
  const count = recordCount(batch, 0)
  const range = lastOffsetDelta(batch, 0) + 1
  if (count <= 0) throw new LogError('INVALID_RECORD', `${where}: the batch says that it has ${count} records`)
  if (count !== range) throw new LogError('INVALID_RECORD', `${where}: ${count} records but an offset range of ${range}`)
  if (isControl(batch, 0)) throw new LogError('INVALID_RECORD', `${where}: clients may not write control batches`)
  if (producerId(batch, 0) >= 0 && baseSequence(batch, 0) < 0) {
    throw new LogError('INVALID_RECORD', `${where}: producer ${producerId(batch, 0)} sent sequence ${baseSequence(batch, 0)}`)
  }
  if (isLogAppendTime(batch, 0)) {
    throw new LogError('INVALID_TIMESTAMP', `${where}: a producer may not set the timestamp type LogAppendTime`)
  }
  if (isTransactional(batch, 0)) {
    throw new LogError('INVALID_TXN_STATE', `${where}: transactions are not served, and no transaction is open`)
  }
}

function walkRecords(batch: Buffer, check: RecordCheck, where: string): void {
  try {
    if (compressionOf(batch, 0) === 'none') {
      checkRecords(batch, BATCH_HEADER_BYTES, batch.length, recordCount(batch, 0), baseTimestamp(batch, 0), check)
      return
    }
    const cursor = new RecordBatch(batch, 0, { maxDecompressedBytes: DECOMPRESSED_BATCH_BYTES_MAX }).cursor()
    for (let record = cursor.next(); record !== null; record = cursor.next()) {
      check.record(record.offset, record.timestamp, record.key !== null)
    }
  } catch (error) {
    throw asLogError(error, where)
  }
}

function asLogError(error: unknown, where: string): unknown {
  if (error instanceof LogError || !(error instanceof KafkaError)) return error
  const message = `${where}: ${error.message}`
  switch (error.code) {
    case 'UNSUPPORTED_COMPRESSION_TYPE':
      return new LogError('UNSUPPORTED_COMPRESSION_TYPE', message, [], error)
    case 'DECOMPRESSION_LIMIT_EXCEEDED':
      return new LogError('MESSAGE_TOO_LARGE', message, [], error)
    default:
      // The checksum is right and the records are not: sending the same bytes again cannot help, so not CORRUPT_MESSAGE.
      return new LogError('INVALID_RECORD', message, [], error)
  }
}

/** What the header says, made to agree with the records, as Kafka does instead of refusing the batch. */
function patchMaxTimestamp(batch: Buffer, timestamp: number): void {
  writeInt64(batch, timestamp, MAX_TIMESTAMP_POSITION)
  patchCrc(batch, 0)
}
