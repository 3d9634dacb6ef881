import { describe, expect, test } from 'vitest'
import * as header from './batch-header.ts'
import { CorruptRecordError, UnsupportedMagicError } from './errors.ts'
import { readInt64, writeInt64 } from './int64.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'

const AT = 5

function sample(): Buffer {
  const builder = new RecordBatchBuilder()
  builder.tryAppend(1000, 'k', 'v')
  builder.tryAppend(3000, 'k', 'w')
  builder.tryAppend(2000, null, null)
  const bytes = builder.seal({
    baseOffset: 9_007_199_254,
    partitionLeaderEpoch: 4,
    producerId: 2 ** 40,
    producerEpoch: 300,
    baseSequence: 0x7fff_fffe,
    transactional: true,
    compression: 'gzip',
  })
  return Buffer.concat([Buffer.alloc(AT, 0xee), bytes, Buffer.alloc(3, 0xee)])
}

const end = (buffer: Buffer): number => AT + header.batchBytes(buffer, AT)

test('every field is read where it is', () => {
  const buffer = sample()
  expect(header.verifyBatch(buffer, AT, buffer.length - 3)).toBe(buffer.length - 3)
  expect({
    baseOffset: header.baseOffset(buffer, AT),
    lastOffset: header.lastOffset(buffer, AT),
    lastOffsetDelta: header.lastOffsetDelta(buffer, AT),
    epoch: header.partitionLeaderEpoch(buffer, AT),
    magic: header.magic(buffer, AT),
    compression: header.compressionOf(buffer, AT),
    baseTimestamp: header.baseTimestamp(buffer, AT),
    maxTimestamp: header.maxTimestamp(buffer, AT),
    producerId: header.producerId(buffer, AT),
    producerEpoch: header.producerEpoch(buffer, AT),
    baseSequence: header.baseSequence(buffer, AT),
    lastSequence: header.lastSequence(buffer, AT),
    count: header.recordCount(buffer, AT),
    transactional: header.isTransactional(buffer, AT),
    control: header.isControl(buffer, AT),
    logAppendTime: header.isLogAppendTime(buffer, AT),
    deleteHorizon: header.hasDeleteHorizon(buffer, AT),
  }).toEqual({
    baseOffset: 9_007_199_254,
    lastOffset: 9_007_199_256,
    lastOffsetDelta: 2,
    epoch: 4,
    magic: 2,
    compression: 'gzip',
    baseTimestamp: 1000,
    maxTimestamp: 3000,
    producerId: 2 ** 40,
    producerEpoch: 300,
    baseSequence: 0x7fff_fffe,
    lastSequence: 0, // wrapped
    count: 3,
    transactional: true,
    control: false,
    logAppendTime: false,
    deleteHorizon: false,
  })
})

describe('patching', () => {
  test('base offset and leader epoch change 12 bytes and leave the CRC valid', () => {
    const before = sample()
    const buffer = Buffer.from(before)
    header.patchBaseOffset(buffer, AT, 123_456_789_012)
    header.patchLeaderEpoch(buffer, AT, 77)
    header.verifyBatch(buffer, AT, end(buffer))
    expect(header.baseOffset(buffer, AT)).toBe(123_456_789_012)
    expect(header.partitionLeaderEpoch(buffer, AT)).toBe(77)
    expect(buffer.subarray(AT + 16)).toEqual(before.subarray(AT + 16))
    expect(buffer.readInt32BE(AT + 8)).toBe(before.readInt32BE(AT + 8))
  })

  test('producer state and LogAppendTime recompute the CRC', () => {
    const buffer = sample()
    const old = header.crc(buffer, AT)
    header.patchProducerState(buffer, AT, { producerId: 6, producerEpoch: 1, baseSequence: 0 })
    expect(header.crc(buffer, AT)).not.toBe(old)
    header.patchLogAppendTime(buffer, AT, 5555)
    header.verifyBatch(buffer, AT, end(buffer))
    expect(header.producerId(buffer, AT)).toBe(6)
    expect(header.producerEpoch(buffer, AT)).toBe(1)
    expect(header.lastSequence(buffer, AT)).toBe(2)
    expect(header.maxTimestamp(buffer, AT)).toBe(5555)
    expect(header.isLogAppendTime(buffer, AT)).toBe(true)
    expect(header.compressionOf(buffer, AT)).toBe('gzip')
    expect(buffer.subarray(0, AT)).toEqual(Buffer.alloc(AT, 0xee))
    expect(buffer.subarray(-3)).toEqual(Buffer.alloc(3, 0xee))
  })
})

describe('verifyBatch names the batch and what is wrong', () => {
  const failure = (change: (buffer: Buffer) => void, checkCrc = true): unknown => {
    const buffer = sample()
    change(buffer)
    try {
      header.verifyBatch(buffer, AT, buffer.length - 3, checkCrc)
    } catch (error) {
      return error
    }
    return null
  }

  test('wrong CRC', () => {
    for (const position of [21, 40, 61, 80]) {
      const error = failure((buffer) => (buffer[AT + position]! ^= 1)) as CorruptRecordError
      expect(error).toBeInstanceOf(CorruptRecordError)
      expect(error).toMatchObject({ code: 'CORRUPT_MESSAGE', retriable: true, baseOffset: 9_007_199_254, position: AT })
      expect(error.message).toMatch(/offset 9007199254, byte 5: CRC-32C is 0x[0-9a-f]{8} but the header says 0x[0-9a-f]{8}$/)
    }
    expect(failure((buffer) => (buffer[AT + 80]! ^= 1), false)).toBeNull()
  })

  test.each([0, 1, 3, -1])('magic %i', (magic) => {
    const error = failure((buffer) => buffer.writeInt8(magic, AT + 16))
    expect(error).toBeInstanceOf(UnsupportedMagicError)
    expect(error).toMatchObject({ code: 'UNSUPPORTED_FOR_MESSAGE_FORMAT', magic, position: AT })
  })

  test.each([
    ['negative length', 8, -1],
    ['length of zero', 8, 0],
    ['length shorter than a header', 8, 48],
    ['length beyond the end', 8, 1 << 20],
    ['negative count', 57, -1],
    ['more records than offsets', 57, 4],
    ['negative last offset delta', 23, -1],
  ])('%s', (_name, field, value) => {
    const error = failure((buffer) => {
      buffer.writeInt32BE(value, AT + field)
      if (field > 20) header.patchCrc(buffer, AT)
    })
    expect(error).toBeInstanceOf(CorruptRecordError)
    expect((error as Error).message).toContain(String(value))
  })

  test.each([
    ['base offset', 0],
    ['base timestamp', 27],
    ['max timestamp', 35],
    ['producer id', 43],
  ])('%s outside the safe integers', (name, field) => {
    const error = failure((buffer) => {
      buffer.writeBigInt64BE(2n ** 53n, AT + field)
      header.patchCrc(buffer, AT)
    })
    expect(error).toBeInstanceOf(CorruptRecordError)
    expect((error as Error).message).toContain(`${name} 9007199254740992 is outside the safe integers`)
  })

  test('a last offset outside the safe integers', () => {
    const error = failure((buffer) => header.patchBaseOffset(buffer, AT, Number.MAX_SAFE_INTEGER - 1))
    expect((error as Error).message).toContain('last offset')
  })

  test('an unknown compression type', () => {
    const buffer = sample()
    buffer.writeInt16BE(7, AT + 21)
    expect(() => header.compressionOf(buffer, AT)).toThrow(CorruptRecordError)
  })
})

test('int64 survives at the edges of the safe integers', () => {
  const buffer = Buffer.alloc(8)
  for (const value of [0, 1, -1, 2 ** 32, -(2 ** 32), 2 ** 32 - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
    writeInt64(buffer, value, 0)
    expect(buffer.readBigInt64BE(0)).toBe(BigInt(value))
    expect(readInt64(buffer, 0)).toBe(value)
  }
  for (const value of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
    buffer.writeBigInt64BE(value)
    expect(readInt64(buffer, 0)).toBeNull()
  }
})
