import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as header from './batch-header.ts'
import { COMPRESSION_TYPES } from './compression-type.ts'
import { allowNativeCodecs } from './compression/natives.ts'
import { InvalidRecordError } from './errors.ts'
import { readBatches } from './read-batches.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'
import type { RecordBytes, RecordInput } from './record-input.ts'

const text = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'binary', maxLength: 40 }), fc.constant('é'.repeat(13)))
const bytes: fc.Arbitrary<RecordBytes> = fc.oneof(fc.constant(null), fc.uint8Array({ maxLength: 90 }), text)
const record: fc.Arbitrary<RecordInput> = fc.record({
  timestamp: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 1e6 }), fc.maxSafeNat()),
  key: bytes,
  value: bytes,
  headers: fc.array(fc.tuple(text, bytes), { maxLength: 4 }),
})

const asBuffer = (value: RecordBytes): Buffer | null => (value === null ? null : Buffer.from(value as string))

function expected(records: readonly RecordInput[], baseOffset: number): unknown[] {
  return records.map(({ timestamp, key, value, headers = [] }, index) => ({
    offset: baseOffset + index,
    timestamp,
    key: asBuffer(key),
    value: asBuffer(value),
    // A lone surrogate becomes U+FFFD in UTF-8, here as in Java.
    headers: headers.map(([name, field]) => [Buffer.from(name).toString(), asBuffer(field)]),
  }))
}

function read(sealed: Buffer): unknown[] {
  return [...readBatches(sealed)].flatMap((batch) =>
    Array.from(batch, ({ offset, timestamp, key, value, headers }) => ({ offset, timestamp, key, value, headers })),
  )
}

describe('what is written is read', () => {
  test.each(COMPRESSION_TYPES)('with compression %s', (compression) => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 30 }), fc.nat(2 ** 40), (records, baseOffset) => {
        const builder = new RecordBatchBuilder({ batchSize: 64 * 1024 })
        for (const one of records) expect(builder.tryAppend(one.timestamp, one.key, one.value, one.headers)).toBe(true)
        expect(builder.recordCount).toBe(records.length)
        const uncompressed = builder.sizeInBytes
        const sealed = builder.seal({ baseOffset, compression })
        expect(compression !== 'none' || sealed.length === uncompressed).toBe(true)
        expect(header.verifyBatch(sealed, 0)).toBe(sealed.length)
        expect(header.compressionOf(sealed, 0)).toBe(compression)
        expect(header.maxTimestamp(sealed, 0)).toBe(Math.max(...records.map((one) => one.timestamp)))
        expect(read(sealed)).toEqual(expected(records, baseOffset))
      }),
      { numRuns: 60 },
    )
  })

  test('in batches cut wherever the buffer is full', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 40 }), fc.integer({ min: 70, max: 700 }), (records, batchSize) => {
        const batches: Buffer[] = []
        let builder = new RecordBatchBuilder({ batchSize })
        let base = 0
        for (const { timestamp, key, value, headers } of records) {
          const before = builder.sizeInBytes
          if (builder.tryAppend(timestamp, key, value, headers)) continue
          expect(builder.sizeInBytes).toBe(before)
          expect(builder.recordCount === 1 || builder.sizeInBytes <= batchSize).toBe(true)
          batches.push(builder.seal({ baseOffset: base }))
          base += builder.recordCount
          builder = new RecordBatchBuilder({ batchSize })
          expect(builder.tryAppend(timestamp, key, value, headers)).toBe(true)
        }
        batches.push(builder.seal({ baseOffset: base }))
        expect(read(Buffer.concat(batches))).toEqual(expected(records, 0))
      }),
    )
  })
})

describe('room', () => {
  test('a record that fits to the last byte is taken, one byte more is not', () => {
    for (const value of ['v'.repeat(60), 'é'.repeat(30), '🚂'.repeat(15), Buffer.alloc(60)]) {
      const sizing = new RecordBatchBuilder()
      sizing.tryAppend(0, null, 'first')
      sizing.tryAppend(1, 'key', value, [['n', 'ö']])
      for (const spare of [-1, 0, 1, 3, 4, 5]) {
        const builder = new RecordBatchBuilder({ buffer: Buffer.alloc(sizing.sizeInBytes + spare, 0xaa) })
        builder.tryAppend(0, null, 'first')
        const size = builder.sizeInBytes
        expect(builder.tryAppend(1, 'key', value, [['n', 'ö']])).toBe(spare >= 0)
        expect(builder.sizeInBytes).toBe(spare >= 0 ? sizing.sizeInBytes : size)
        expect(builder.buffer.subarray(sizing.sizeInBytes)).toEqual(Buffer.alloc(Math.max(0, spare), 0xaa))
      }
    }
  })

  test('a first record larger than the buffer gets one of its size', () => {
    const buffer = Buffer.alloc(128)
    const builder = new RecordBatchBuilder({ buffer })
    const value = Buffer.alloc(5000, 'x')
    expect(builder.tryAppend(7, 'key', value)).toBe(true)
    expect(builder.buffer).not.toBe(buffer)
    expect(builder.buffer.length).toBe(builder.sizeInBytes)
    expect(builder.tryAppend(7, null, null)).toBe(false)
    expect(read(builder.seal())).toEqual([{ offset: 0, timestamp: 7, key: Buffer.from('key'), value, headers: [] }])
  })

  test('a pooled buffer is written in place', () => {
    const buffer = Buffer.alloc(1024)
    const builder = new RecordBatchBuilder({ buffer })
    builder.tryAppend(7, 'key', 'value')
    const sealed = builder.seal()
    expect(sealed.buffer).toBe(buffer.buffer)
    expect(sealed.byteOffset).toBe(buffer.byteOffset)
  })
})

describe('sealing', () => {
  const filled = (): RecordBatchBuilder => {
    const builder = new RecordBatchBuilder()
    for (let i = 0; i < 20; i++) builder.tryAppend(1000 + i, `key-${i}`, 'value '.repeat(20))
    return builder
  }

  test.each(COMPRESSION_TYPES)('again with another producer state rewrites the header only: %s', (compression) => {
    const builder = filled()
    const first = builder.seal({ compression, producerId: 1, producerEpoch: 0, baseSequence: 10 })
    const records = Buffer.from(first.subarray(header.BATCH_HEADER_BYTES))
    const second = builder.seal({ compression, producerId: 1, producerEpoch: 1, baseSequence: 0 })
    expect(second.buffer).toBe(first.buffer)
    expect(second.subarray(header.BATCH_HEADER_BYTES)).toEqual(records)
    header.verifyBatch(second, 0)
    expect([header.producerId(second, 0), header.producerEpoch(second, 0), header.baseSequence(second, 0)]).toEqual([1, 1, 0])
    expect(read(second)).toHaveLength(20)
  })

  test.each(COMPRESSION_TYPES)('off the loop gives the same bytes: %s', async (compression) => {
    const options = { compression, producerId: 5, producerEpoch: 2, baseSequence: 0 }
    expect(await filled().sealAsync(options)).toEqual(filled().seal(options))
  })

  test('with another compression packs the same records anew', () => {
    const builder = filled()
    const plain = Buffer.from(builder.seal())
    for (const compression of COMPRESSION_TYPES) expect(read(builder.seal({ compression }))).toEqual(read(plain))
    expect(builder.seal()).toEqual(plain)
  })

  test('flags and LogAppendTime', () => {
    const sealed = filled().seal({ transactional: true, control: true, logAppendTime: 99, partitionLeaderEpoch: 3 })
    expect([header.isTransactional(sealed, 0), header.isControl(sealed, 0), header.isLogAppendTime(sealed, 0)]).toEqual([
      true,
      true,
      true,
    ])
    expect(header.partitionLeaderEpoch(sealed, 0)).toBe(3)
    expect([...readBatches(sealed)].flatMap((batch) => Array.from(batch, (one) => one.timestamp))).toEqual(
      Array.from({ length: 20 }, () => 99),
    )
  })

  test('a batch of no records is a header', () => {
    const sealed = new RecordBatchBuilder().seal({ compression: 'zstd' })
    expect(sealed.length).toBe(header.BATCH_HEADER_BYTES)
    expect(read(sealed)).toEqual([])
  })

  test('ends appending', () => {
    const builder = filled()
    builder.seal()
    expect(() => builder.tryAppend(1, null, null)).toThrow(InvalidRecordError)
  })
})

test.each([-2, 1.5, Number.NaN, Infinity, 2 ** 53])('timestamp %d is refused by name', (timestamp) => {
  const builder = new RecordBatchBuilder()
  expect(() => builder.tryAppend(timestamp, null, null)).toThrow(
    expect.objectContaining({ code: 'INVALID_RECORD', message: expect.stringContaining(String(timestamp)) as string }),
  )
  expect(builder.recordCount).toBe(0)
})

describe('when compression leaves the event loop', () => {
  const withRecords = (bytes: number): RecordBatchBuilder => {
    const builder = new RecordBatchBuilder({ batchSize: bytes + 1_000 })
    while (builder.sizeInBytes < bytes) builder.tryAppend(1, null, 'v'.repeat(900))
    return builder
  }

  test.each([
    ['gzip', undefined, 16],
    ['snappy', undefined, 256],
    ['lz4', undefined, 128],
    ['zstd', undefined, 128],
    ['zstd', 5, 16],
    ['zstd', 19, 2],
  ] as const)('%s, level %s: from %i KiB on', async (compression, compressionLevel, kib) => {
    const options = compressionLevel === undefined ? { compression } : { compression, compressionLevel }
    const little = withRecords((kib - 1) * 1024)
    const much = withRecords((kib + 1) * 1024)
    expect([little.isWorthSealingOffLoop(options), much.isWorthSealingOffLoop(options)]).toEqual([false, true])
    expect(read(await much.sealAsync(options))).toEqual(read(withRecords((kib + 1) * 1024).seal(options)))
    // It is done: to seal again takes nothing.
    expect(much.isWorthSealingOffLoop(options)).toBe(false)
  })

  test('never where it would not be off the loop', () => {
    const large = withRecords(2_000_000)
    expect(large.isWorthSealingOffLoop({ compression: 'none' })).toBe(false)
    expect(large.isWorthSealingOffLoop({ compression: 'lz4', compressionLevel: 12 })).toBe(false)
    expect(new RecordBatchBuilder().isWorthSealingOffLoop({ compression: 'gzip' })).toBe(false)
    allowNativeCodecs(false)
    try {
      for (const compression of ['lz4', 'snappy'] as const) expect(large.isWorthSealingOffLoop({ compression })).toBe(false)
    } finally {
      allowNativeCodecs(true)
    }
  })
})
