import { COMPRESSION_TYPES, type CompressionType } from './compression-type.ts'
import { crc32c } from './crc32c.ts'
import { CorruptRecordError, UnsupportedMagicError } from './errors.ts'
import { readInt64, writeInt64 } from './int64.ts'

/**
 * The 61 bytes before the records of a batch v2 (DefaultRecordBatch.java), read and patched in place. Every function
 * takes the buffer and the position of the batch in it. int64 fields come as numbers; one outside the safe range throws
 * `CorruptRecordError`.
 */

const BASE_OFFSET = 0
const LENGTH = 8
const LEADER_EPOCH = 12
const MAGIC = 16
const CRC = 17
const ATTRIBUTES = 21
const LAST_OFFSET_DELTA = 23
const BASE_TIMESTAMP = 27
const MAX_TIMESTAMP = 35
const PRODUCER_ID = 43
const PRODUCER_EPOCH = 51
const BASE_SEQUENCE = 53
const RECORD_COUNT = 57

/** Bytes of the header; the first record, or the compressed records, begin here. */
export const BATCH_HEADER_BYTES = 61
/** Base offset and length: what the length field does not count. */
export const LOG_OVERHEAD_BYTES = 12
/** The format of every batch since Kafka 0.11. */
export const BATCH_MAGIC = 2
/** Stands for "none" in producer id, producer epoch and base sequence, in the timestamps, and in the leader epoch. */
export const NO_VALUE = -1

export const COMPRESSION_MASK = 0x07
export const LOG_APPEND_TIME_FLAG = 0x08
export const TRANSACTIONAL_FLAG = 0x10
export const CONTROL_FLAG = 0x20
export const DELETE_HORIZON_FLAG = 0x40

export function baseOffset(buffer: Buffer, position: number): number {
  return int64(buffer, position, BASE_OFFSET, 'base offset')
}

/** Bytes of the whole batch, header included. */
export function batchBytes(buffer: Buffer, position: number): number {
  return LOG_OVERHEAD_BYTES + buffer.readInt32BE(position + LENGTH)
}

export function partitionLeaderEpoch(buffer: Buffer, position: number): number {
  return buffer.readInt32BE(position + LEADER_EPOCH)
}

export function magic(buffer: Buffer, position: number): number {
  return buffer.readInt8(position + MAGIC)
}

/** The CRC-32C that the header states, unsigned. */
export function crc(buffer: Buffer, position: number): number {
  return buffer.readUInt32BE(position + CRC)
}

export function attributes(buffer: Buffer, position: number): number {
  return buffer.readInt16BE(position + ATTRIBUTES)
}

export function lastOffsetDelta(buffer: Buffer, position: number): number {
  return buffer.readInt32BE(position + LAST_OFFSET_DELTA)
}

/** Offset of the last record that the batch ever held; compaction may have removed that record. */
export function lastOffset(buffer: Buffer, position: number): number {
  return baseOffset(buffer, position) + lastOffsetDelta(buffer, position)
}

/** Epoch milliseconds that the timestamps of the records are relative to; the delete horizon when that flag is set. */
export function baseTimestamp(buffer: Buffer, position: number): number {
  return int64(buffer, position, BASE_TIMESTAMP, 'base timestamp')
}

export function maxTimestamp(buffer: Buffer, position: number): number {
  return int64(buffer, position, MAX_TIMESTAMP, 'max timestamp')
}

/** -1 when the producer is not idempotent. */
export function producerId(buffer: Buffer, position: number): number {
  return int64(buffer, position, PRODUCER_ID, 'producer id')
}

export function producerEpoch(buffer: Buffer, position: number): number {
  return buffer.readInt16BE(position + PRODUCER_EPOCH)
}

/** Sequence of the first record; -1 when the producer is not idempotent and in control batches. */
export function baseSequence(buffer: Buffer, position: number): number {
  return buffer.readInt32BE(position + BASE_SEQUENCE)
}

/** Sequence of the last record. Sequences wrap to 0 after 2^31-1. */
export function lastSequence(buffer: Buffer, position: number): number {
  const first = baseSequence(buffer, position)
  return first === NO_VALUE ? NO_VALUE : incrementSequence(first, lastOffsetDelta(buffer, position))
}

/** A sequence `by` further on, wrapping from 2^31-1 to 0 (DefaultRecordBatch.incrementSequence). */
export function incrementSequence(sequence: number, by: number): number {
  const sum = sequence + by
  return sum > 0x7fff_ffff ? sum - 0x8000_0000 : sum
}

export function recordCount(buffer: Buffer, position: number): number {
  return buffer.readInt32BE(position + RECORD_COUNT)
}

/** Throws `CorruptRecordError` for a codec number that Kafka does not define. */
export function compressionOf(buffer: Buffer, position: number): CompressionType {
  const bits = attributes(buffer, position) & COMPRESSION_MASK
  const type = COMPRESSION_TYPES[bits]
  if (type === undefined) throw new CorruptRecordError(locate(buffer, position), `unknown compression type ${bits}`)
  return type
}

export function isLogAppendTime(buffer: Buffer, position: number): boolean {
  return (attributes(buffer, position) & LOG_APPEND_TIME_FLAG) !== 0
}

export function isTransactional(buffer: Buffer, position: number): boolean {
  return (attributes(buffer, position) & TRANSACTIONAL_FLAG) !== 0
}

export function isControl(buffer: Buffer, position: number): boolean {
  return (attributes(buffer, position) & CONTROL_FLAG) !== 0
}

/** Whether base timestamp holds the time from which compaction may drop the batch's tombstones (KIP-534). */
export function hasDeleteHorizon(buffer: Buffer, position: number): boolean {
  return (attributes(buffer, position) & DELETE_HORIZON_FLAG) !== 0
}

/** Outside the CRC: nothing else changes. */
export function patchBaseOffset(buffer: Buffer, position: number, offset: number): void {
  writeInt64(buffer, offset, position + BASE_OFFSET)
}

/** Outside the CRC: nothing else changes. */
export function patchLeaderEpoch(buffer: Buffer, position: number, epoch: number): void {
  buffer.writeInt32BE(epoch, position + LEADER_EPOCH)
}

/** Sets what LogAppendTime sets: the flag and the one timestamp that all records now have. Recomputes the CRC. */
export function patchLogAppendTime(buffer: Buffer, position: number, timestamp: number): void {
  buffer.writeInt16BE(attributes(buffer, position) | LOG_APPEND_TIME_FLAG, position + ATTRIBUTES)
  writeInt64(buffer, timestamp, position + MAX_TIMESTAMP)
  patchCrc(buffer, position)
}

/** Who wrote the batch, for the idempotent and the transactional producer. */
export interface ProducerState {
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
}

/** Gives the batch to another producer id, epoch or sequence, as after an epoch bump (KIP-360). Recomputes the CRC. */
export function patchProducerState(buffer: Buffer, position: number, state: ProducerState): void {
  writeInt64(buffer, state.producerId, position + PRODUCER_ID)
  buffer.writeInt16BE(state.producerEpoch, position + PRODUCER_EPOCH)
  buffer.writeInt32BE(state.baseSequence, position + BASE_SEQUENCE)
  patchCrc(buffer, position)
}

/** Recomputes the CRC over attributes to end of batch, and stores it. */
export function patchCrc(buffer: Buffer, position: number): void {
  const end = position + batchBytes(buffer, position)
  buffer.writeUInt32BE(crc32c(buffer, position + ATTRIBUTES, end), position + CRC)
}

/** All fields that a header holds but magic, length and CRC, which follow from the bytes. */
export interface BatchHeader extends ProducerState {
  readonly baseOffset: number
  readonly partitionLeaderEpoch: number
  readonly attributes: number
  readonly lastOffsetDelta: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly recordCount: number
}

/** Writes the 61 bytes of a batch that spans `[position, end)` and whose records are in place, its CRC last. */
export function writeBatchHeader(buffer: Buffer, position: number, end: number, header: BatchHeader): void {
  writeInt64(buffer, header.baseOffset, position + BASE_OFFSET)
  buffer.writeInt32BE(end - position - LOG_OVERHEAD_BYTES, position + LENGTH)
  buffer.writeInt32BE(header.partitionLeaderEpoch, position + LEADER_EPOCH)
  buffer.writeInt8(BATCH_MAGIC, position + MAGIC)
  buffer.writeInt16BE(header.attributes, position + ATTRIBUTES)
  buffer.writeInt32BE(header.lastOffsetDelta, position + LAST_OFFSET_DELTA)
  writeInt64(buffer, header.baseTimestamp, position + BASE_TIMESTAMP)
  writeInt64(buffer, header.maxTimestamp, position + MAX_TIMESTAMP)
  writeInt64(buffer, header.producerId, position + PRODUCER_ID)
  buffer.writeInt16BE(header.producerEpoch, position + PRODUCER_EPOCH)
  buffer.writeInt32BE(header.baseSequence, position + BASE_SEQUENCE)
  buffer.writeInt32BE(header.recordCount, position + RECORD_COUNT)
  buffer.writeUInt32BE(crc32c(buffer, position + ATTRIBUTES, end), position + CRC)
}

/**
 * Whether a whole batch stands at `position`: false for an incomplete one at the end, which a fetch response may hold.
 * Throws `CorruptRecordError` for a length that no batch has.
 */
export function isCompleteBatch(buffer: Buffer, position: number, end: number): boolean {
  if (end - position < LOG_OVERHEAD_BYTES) return false
  const size = batchBytes(buffer, position)
  // The shortest message of format v0 is 14 bytes long; whether it is v2 is asked after magic.
  if (size < MAGIC + 1) throw new CorruptRecordError(locate(buffer, position), `length ${size - LOG_OVERHEAD_BYTES} is too small`)
  return size <= end - position
}

/**
 * Checks that a whole and sound batch v2 stands in `buffer` from `position`, not past `end`, without looking into its
 * records, and gives back the position after it. With `checkCrc` false only lengths, counts and numbers are checked.
 * @throws CorruptRecordError, UnsupportedMagicError
 */
export function verifyBatch(buffer: Buffer, position: number, end: number = buffer.length, checkCrc = true): number {
  if (!isCompleteBatch(buffer, position, end)) {
    const stated =
      end - position < LOG_OVERHEAD_BYTES ? 'no header' : `a length of ${batchBytes(buffer, position) - LOG_OVERHEAD_BYTES}`
    throw new CorruptRecordError(locate(buffer, position), `incomplete: ${stated} in ${end - position} bytes`)
  }
  const version = magic(buffer, position)
  if (version !== BATCH_MAGIC) throw new UnsupportedMagicError(locate(buffer, position), version)
  const size = batchBytes(buffer, position)
  if (size < BATCH_HEADER_BYTES) {
    throw new CorruptRecordError(locate(buffer, position), `length ${size - LOG_OVERHEAD_BYTES} is shorter than a header`)
  }
  if (checkCrc) verifyCrc(buffer, position, position + size)
  verifyFields(buffer, position)
  return position + size
}

function verifyCrc(buffer: Buffer, position: number, end: number): void {
  const stated = crc(buffer, position)
  const actual = crc32c(buffer, position + ATTRIBUTES, end)
  if (stated === actual) return
  throw new CorruptRecordError(locate(buffer, position), `CRC-32C is ${hex(actual)} but the header says ${hex(stated)}`)
}

function verifyFields(buffer: Buffer, position: number): void {
  const count = recordCount(buffer, position)
  const lastDelta = lastOffsetDelta(buffer, position)
  if (count < 0) throw new CorruptRecordError(locate(buffer, position), `record count ${count}`)
  if (lastDelta < 0) throw new CorruptRecordError(locate(buffer, position), `last offset delta ${lastDelta}`)
  if (count > lastDelta + 1) {
    throw new CorruptRecordError(locate(buffer, position), `${count} records but a last offset delta of ${lastDelta}`)
  }
  if (!Number.isSafeInteger(lastOffset(buffer, position))) {
    throw new CorruptRecordError(locate(buffer, position), 'last offset is outside the safe integers')
  }
  baseTimestamp(buffer, position)
  maxTimestamp(buffer, position)
  producerId(buffer, position)
}

function int64(buffer: Buffer, position: number, field: number, name: string): number {
  const value = readInt64(buffer, position + field)
  if (value !== null) return value
  const exact = buffer.readBigInt64BE(position + field)
  throw new CorruptRecordError(locate(buffer, position), `${name} ${exact} is outside the safe integers`)
}

function locate(buffer: Buffer, position: number): { baseOffset: number | null; position: number } {
  const whole = buffer.length - position >= LOG_OVERHEAD_BYTES
  return { baseOffset: whole ? readInt64(buffer, position + BASE_OFFSET) : null, position }
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`
}
