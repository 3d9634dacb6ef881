import { readBatches, type CompressionType } from '@millrace/records/internal'
import { describe, expect, test } from 'vitest'
import { batchOf, NOW, type TestRecord } from '../../test/log-fixtures.ts'
import { RECORD_ERRORS_MAX } from '../limits.ts'
import { validateProducedBatch } from './batch-validation.ts'
import { DEFAULT_LOG_CONFIG, type LogConfig } from './log-config.ts'
import type { LogError } from './log-error.ts'

const CODECS: readonly CompressionType[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

function validate(batch: Buffer, config: Partial<LogConfig> = {}): void {
  validateProducedBatch(batch, { ...DEFAULT_LOG_CONFIG, ...config }, NOW, 't-0')
}

function refusalOf(batch: Buffer, config: Partial<LogConfig> = {}): LogError {
  try {
    validate(batch, config)
  } catch (error) {
    return error as LogError
  }
  throw new Error('the batch was accepted')
}

/** A record as its fields; what is not given is as a producer would write it. */
interface RawRecord {
  readonly length?: number
  readonly offsetDelta?: number
  readonly keyLength?: number
  readonly headerCount?: number
}

/** An uncompressed batch whose single record has the given fields, true or not, under a right checksum. */
function rawBatch(raw: RawRecord, trailing = 0): Buffer {
  const zigzag = (value: number): number => (value << 1) ^ (value >> 31)
  const body = [0, 0, zigzag(raw.offsetDelta ?? 0), zigzag(raw.keyLength ?? 1), 107, zigzag(1), 118, zigzag(raw.headerCount ?? 0)]
  const record = Buffer.from([zigzag(raw.length ?? body.length), ...body, ...Array.from({ length: trailing }, () => 0)])
  const whole = batchOf([{ key: 'k', value: 'v' }])
  return reseal(Buffer.concat([whole.subarray(0, 61), record]))
}

/** Makes length and checksum right again. */
function reseal(batch: Buffer): Buffer {
  batch.writeInt32BE(batch.length - 12, 8)
  let crc = 0xffff_ffff
  for (const byte of batch.subarray(21)) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  }
  batch.writeUInt32BE((crc ^ 0xffff_ffff) >>> 0, 17)
  return batch
}

describe.each(CODECS)('batches compressed with %s', (compression) => {
  const seal = (records: readonly (string | TestRecord)[]): Buffer => batchOf(records, { compression })

  test('pass when they are as they should be, and are not changed', () => {
    const batch = seal([{ key: 'k', value: 'v' }, { value: null }, 'x'.repeat(3000)])
    const before = Buffer.from(batch)
    validate(batch)
    expect(batch.equals(before)).toBe(true)
  })

  test('need a key for each record of a compacted topic', () => {
    const refused = refusalOf(seal([{ key: 'k', value: 'v' }, 'no key', { key: '', value: 'v' }, 'no key']), { compacted: true })
    expect(refused.code).toBe('INVALID_RECORD')
    expect(refused.recordErrors.map((error) => error.index)).toEqual([1, 3])
  })

  test('need timestamps within the bounds of the topic', () => {
    const bounds = { messageTimestampBeforeMaxMs: 1000, messageTimestampAfterMaxMs: 500 }
    validate(seal([{ timestamp: NOW - 1000 }, { timestamp: NOW + 500 }, { timestamp: -1 }]), bounds)
    const refused = refusalOf(seal([{ timestamp: NOW - 1001 }, { timestamp: NOW }, { timestamp: NOW + 501 }]), bounds)
    expect(refused.code).toBe('INVALID_TIMESTAMP')
    expect(refused.recordErrors.map((error) => error.index)).toEqual([0, 2])
  })

  test('get the time of the broker on a topic with LogAppendTime, whatever theirs is', () => {
    const batch = seal([
      { timestamp: 1, value: 'a' },
      { timestamp: NOW * 2, value: 'b' },
    ])
    validate(batch, { messageTimestampType: 'LogAppendTime' })
    const [read] = [...readBatches(batch)]
    expect(read).toMatchObject({ isLogAppendTime: true, maxTimestamp: NOW })
    expect([...read!].map((record) => record.timestamp)).toEqual([NOW, NOW])
  })

  test('get the largest timestamp of their records when the header says another', () => {
    const batch = seal([{ timestamp: NOW - 5 }, { timestamp: NOW - 9 }])
    batch.writeBigInt64BE(BigInt(NOW - 1), 35)
    reseal(batch)
    validate(batch)
    const [read] = [...readBatches(batch)]
    expect(read!.maxTimestamp).toBe(NOW - 5)
  })

  test('must not claim to have the time of the broker', () => {
    expect(refusalOf(batchOf(['a'], { compression, logAppendTime: NOW })).code).toBe('INVALID_TIMESTAMP')
  })
})

describe('records that contradict themselves under a right checksum', () => {
  test('the helper itself makes a good batch', () => {
    expect(() => validate(rawBatch({}))).not.toThrow()
  })

  test.each<[string, RawRecord, number]>([
    ['a length past the end', { length: 60 }, 0],
    ['a length that is too small', { length: 4 }, 0],
    ['a negative length', { length: -3 }, 0],
    ['a wrong offset', { offsetDelta: 1 }, 0],
    ['a key past the end', { keyLength: 60 }, 0],
    ['a key of a negative length', { keyLength: -2 }, 0],
    ['headers that are not there', { headerCount: 1 }, 0],
    ['a negative number of headers', { headerCount: -1 }, 0],
    ['bytes after the last record', {}, 3],
  ])('%s', (_, raw, trailing) => {
    expect(refusalOf(rawBatch(raw, trailing)).code).toBe('INVALID_RECORD')
  })

  test('compressed bytes that no codec reads', () => {
    const batch = batchOf(['x'.repeat(2000)], { compression: 'gzip' })
    batch.fill(0xff, 70, 80)
    expect(refusalOf(reseal(batch)).code).toBe('INVALID_RECORD')
  })

  test('a codec that Kafka does not have', () => {
    const batch = batchOf(['a'])
    batch.writeInt16BE(5, 21)
    expect(refusalOf(reseal(batch)).code).toBe('INVALID_RECORD')
  })

  // Retried for ever if it were CORRUPT_MESSAGE.
  test.each<[string, number, number]>([
    ['more records than offsets', 57, 9],
    ['a negative number of records', 57, -1],
    ['a negative last offset', 23, -1],
  ])('%s', (_, position, value) => {
    const batch = batchOf(['a', 'b'])
    batch.writeInt32BE(value, position)
    expect(refusalOf(reseal(batch)).code).toBe('INVALID_RECORD')
  })

  test('a batch that was cut off', () => {
    const batch = batchOf(['a', 'b'])
    expect(refusalOf(batch.subarray(0, batch.length - 1)).code).toBe('INVALID_RECORD')
    expect(refusalOf(batch.subarray(0, 30)).code).toBe('INVALID_RECORD')
  })

  test('fewer or more records than the header says', () => {
    const few = batchOf(['a', 'b'])
    few.writeInt32BE(3, 57)
    few.writeInt32BE(2, 23)
    expect(refusalOf(reseal(few)).code).toBe('INVALID_RECORD')
    const range = batchOf(['a', 'b'])
    range.writeInt32BE(5, 23)
    expect(refusalOf(reseal(range)).message).toMatch(/2 records but an offset range of 6/)
    const none = batchOf(['a'])
    none.writeInt32BE(0, 57)
    expect(refusalOf(reseal(none)).message).toMatch(/0 records/)
  })
})

test('a reply does not list more errors of records than the limit', () => {
  const refused = refusalOf(batchOf(Array.from({ length: RECORD_ERRORS_MAX + 20 }, () => 'no key')), { compacted: true })
  expect(refused.recordErrors).toHaveLength(RECORD_ERRORS_MAX)
  expect(refused.message).toContain(`${RECORD_ERRORS_MAX + 20} records refused`)
})
