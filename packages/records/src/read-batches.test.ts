import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import * as header from './batch-header.ts'
import { CorruptRecordError } from './errors.ts'
import { MIN_RECORD_BYTES } from './limits.ts'
import { readBatches } from './read-batches.ts'
import { RecordBatchBuilder, type SealOptions } from './record-batch-builder.ts'
import type { RecordBatch } from './record-batch.ts'
import { writeVarint, writeVarlong } from './varint.ts'

function batch(count: number, options: SealOptions = {}): Buffer {
  const builder = new RecordBatchBuilder()
  for (let i = 0; i < count; i++) builder.tryAppend(5000 + i, `key-${i}`, `value-${i}`, [['h', String(i)]])
  return builder.seal(options)
}

/** A batch with these bytes for records and a header that says what it is told, its CRC right. */
function forged(records: Buffer, count: number, lastOffsetDelta = Math.max(0, count - 1), baseTimestamp = 0): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(header.BATCH_HEADER_BYTES), records])
  header.writeBatchHeader(bytes, 0, bytes.length, {
    baseOffset: 40,
    partitionLeaderEpoch: -1,
    attributes: 0,
    lastOffsetDelta,
    baseTimestamp,
    maxTimestamp: baseTimestamp,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    recordCount: count,
  })
  return bytes
}

const only = (bytes: Buffer): RecordBatch => [...readBatches(bytes)][0]!
const drain = (bytes: Buffer): void =>
  only(bytes)
    .toArray()
    .forEach((record) => record.headers)

describe('batches', () => {
  const three = Buffer.concat([batch(2), batch(3, { baseOffset: 2, compression: 'lz4' }), batch(1, { baseOffset: 5 })])

  test('come one after another, with what the reader was told of them', () => {
    const batches = [...readBatches(three, { topic: 'orders', partition: 4 })]
    expect(batches.map((one) => [one.baseOffset, one.lastOffset, one.recordCount])).toEqual([
      [0, 1, 2],
      [2, 4, 3],
      [5, 5, 1],
    ])
    expect(batches.map((one) => one.position + one.sizeInBytes)).toEqual([
      batches[1]!.position,
      batches[2]!.position,
      three.length,
    ])
    expect(batches[1]!.toArray()[2]!.batch).toMatchObject({ topic: 'orders', partition: 4 })
    expect(Buffer.concat(batches.map((one) => one.bytes))).toEqual(three)
  })

  test('of which the last is cut are read up to it, wherever the cut', () => {
    const ends = [...readBatches(three)].map((one) => one.position + one.sizeInBytes)
    for (let length = 0; length <= three.length; length++) {
      const whole = ends.filter((end) => end <= length).length
      expect([...readBatches(three.subarray(0, length))]).toHaveLength(whole)
    }
  })

  test('can be iterated again, by iterator and by cursor alike', () => {
    const [, compressed] = readBatches(three)
    const offsets = [2, 3, 4]
    expect(Array.from(compressed!, (record) => record.offset)).toEqual(offsets)
    expect(Array.from(compressed!, (record) => record.offset)).toEqual(offsets)
    const cursor = compressed!.cursor()
    expect([
      cursor.remaining,
      cursor.next()?.offset,
      cursor.next()?.offset,
      cursor.next()?.offset,
      cursor.next(),
      cursor.remaining,
    ]).toEqual([3, ...offsets, null, 0])
  })

  test('are not unpacked before a record is asked for', () => {
    const broken = batch(3, { compression: 'gzip' })
    broken.fill(0, header.BATCH_HEADER_BYTES)
    header.patchCrc(broken, 0)
    expect(only(broken).recordCount).toBe(3)
    expect(() => only(broken).cursor()).toThrow(CorruptRecordError)
  })
})

test('views share memory with the input, text is decoded from it', () => {
  const bytes = batch(1)
  const record = only(bytes).toArray()[0]!
  expect(record.value!.buffer).toBe(bytes.buffer)
  expect(Object.getPrototypeOf(record.value)).toBe(Buffer.prototype)
  expect([record.keyText, record.valueText, record.keyLength, record.valueLength]).toEqual(['key-0', 'value-0', 5, 7])
  // Without its last bit.
  expect(record.keyHash).toBe(0x58e035d9 >>> 1)
  const nulls = new RecordBatchBuilder()
  nulls.tryAppend(0, null, null)
  const empty = only(nulls.seal()).toArray()[0]!
  expect([empty.key, empty.value, empty.keyText, empty.valueText, empty.keyLength, empty.valueLength]).toEqual([
    null,
    null,
    null,
    null,
    -1,
    -1,
  ])
})

test('a record shows what it says, with and without a topic', () => {
  const bytes = batch(1)
  const [told] = [...readBatches(bytes, { topic: 'orders', partition: 4 })].flatMap((one) => one.toArray())
  const fields = {
    offset: 0,
    timestamp: 5000,
    key: Buffer.from('key-0'),
    value: Buffer.from('value-0'),
    headers: [['h', Buffer.from('0')]],
  }
  expect(told!.toJSON()).toEqual({ topic: 'orders', partition: 4, ...fields })
  expect(inspect(told)).toBe(inspect({ topic: 'orders', partition: 4, ...fields }))
  expect(only(bytes).toArray()[0]!.toJSON()).toEqual({ topic: '', partition: -1, ...fields })
})

test('records read the same however many bytes their lengths and deltas take', () => {
  const lengths = [-1, 0, 63, 64, 8191, 8192, 2 ** 20]
  const deltas = [0, 63, 64, 8191, 8192, 2 ** 27 - 1, 2 ** 27, 2 ** 40]
  const filled = (length: number): Buffer | null => (length < 0 ? null : Buffer.alloc(length, length))
  const written = lengths.flatMap((keyLength) =>
    lengths.map((valueLength, i) => ({ keyLength, valueLength, timestamp: 5000 + deltas[i]!, headers: i % 2 })),
  )
  const builder = new RecordBatchBuilder({ batchSize: 2 ** 25 })
  builder.tryAppend(5000, null, null)
  for (const { keyLength, valueLength, timestamp, headers } of [
    ...written,
    { ...written[0]!, timestamp: 5000 + deltas.at(-1)! },
  ]) {
    builder.tryAppend(timestamp, filled(keyLength), filled(valueLength), headers === 0 ? [] : [['h', null]])
  }
  const [, ...read] = only(builder.seal()).toArray()
  expect(read.at(-1)!.timestamp).toBe(5000 + 2 ** 40)
  for (const [i, one] of written.entries()) {
    const record = read[i]!
    const { keyLength, valueLength, timestamp } = record
    expect({ keyLength, valueLength, timestamp, headers: record.headers.length }).toEqual(one)
    expect(record.offset).toBe(i + 1)
    expect(record.key?.equals(filled(one.keyLength)!) ?? null).toBe(one.keyLength < 0 ? null : true)
    expect(record.value?.equals(filled(one.valueLength)!) ?? null).toBe(one.valueLength < 0 ? null : true)
  }
})

test('an offset delta of three bytes is read', () => {
  const builder = new RecordBatchBuilder({ batchSize: 2 ** 18 })
  for (let i = 0; i < 8200; i++) builder.tryAppend(i, null, null)
  const offsets = Array.from(only(builder.seal()), (record) => record.offset)
  expect(offsets).toEqual(Array.from({ length: 8200 }, (_, i) => i))
})

test('header names are decoded whether or not they were seen before', () => {
  const names = [
    'a',
    'b',
    'trace-id',
    'trace-ie',
    'né',
    '\u{1f682}',
    '',
    'x'.repeat(32),
    'x'.repeat(33),
    ...Array.from({ length: 300 }, (_, i) => `n${i}`),
  ]
  const builder = new RecordBatchBuilder()
  for (let round = 0; round < 2; round++)
    builder.tryAppend(
      0,
      null,
      null,
      names.map((name) => [name, null]),
    )
  for (const record of only(builder.seal())) expect(record.headers.map(([name]) => name)).toEqual(names)
})

test('the CRC is checked unless it is told not to', () => {
  const bytes = Buffer.concat([batch(1), batch(1, { baseOffset: 1 })])
  bytes[bytes.length - 8]! ^= 0x20 // within the value
  expect(() => [...readBatches(bytes)]).toThrow(
    expect.objectContaining({ code: 'CORRUPT_MESSAGE', baseOffset: 1, position: bytes.length / 2 }),
  )
  expect([...readBatches(bytes, { checkCrcs: false })]).toHaveLength(2)
})

test.each([0, -1, 1.5, 2 ** 31, Number.NaN])('maxDecompressedBytes %d is refused', (maxDecompressedBytes) => {
  expect(() => [...readBatches(batch(1), { maxDecompressedBytes })]).toThrow(
    expect.objectContaining({ code: 'INVALID_CONFIG', option: 'maxDecompressedBytes' }),
  )
})

describe('records that contradict themselves', () => {
  const body = (...fields: number[]): Buffer => Buffer.from([fields.length * 2, ...fields])

  test.each([
    ['a count beyond the bytes', forged(Buffer.alloc(3 * MIN_RECORD_BYTES), 4)],
    ['a record longer than the batch', forged(Buffer.from([40, 0, 0, 0, 1, 1, 0]), 1)],
    ['a record of negative size', forged(Buffer.from([1, 0, 0, 0, 1, 1, 0]), 1)],
    ['a size without an end', forged(Buffer.alloc(12, 0xff), 1)],
    ['a record too short for its fields', forged(Buffer.from([10, 0, 0, 0, 1, 1, 0]), 1)],
    ['bytes after the last record', forged(Buffer.concat([body(0, 0, 0, 1, 1, 0), Buffer.from([1])]), 1)],
    ['records although the count is 0', forged(body(0, 0, 0, 1, 1, 0), 0)],
    ['an offset beyond the last', forged(body(0, 0, 4, 1, 1, 0), 1, 1)],
    ['a negative offset delta', forged(body(0, 0, 1, 1, 1, 0), 1)],
    ['a key of length -2', forged(body(0, 0, 0, 3, 1, 0), 1)],
    ['a value of length -2', forged(body(0, 0, 0, 1, 3, 0), 1)],
    ['a key longer than its record', forged(body(0, 0, 0, 20, 1, 0), 1)],
    ['a key of 2 GiB', forged(body(0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f, 1, 0), 1)],
    ['a value longer than its record', forged(body(0, 0, 0, 1, 20, 0), 1)],
    ['no headers but bytes left', forged(body(0, 0, 0, 1, 1, 0, 0), 1)],
    ['a negative count of headers', forged(body(0, 0, 0, 1, 1, 1), 1)],
    ['more headers than bytes', forged(body(0, 0, 0, 1, 1, 200, 1, 0), 1)],
    ['a header without a name', forged(body(0, 0, 0, 1, 1, 2, 1, 1), 1)],
    ['a header name longer than its record', forged(body(0, 0, 0, 1, 1, 2, 60, 1), 1)],
    ['a header value longer than its record', forged(body(0, 0, 0, 1, 1, 2, 0, 60), 1)],
    ['bytes after the headers', forged(body(0, 0, 0, 1, 1, 2, 0, 1, 0), 1)],
    ['a timestamp delta without an end', forged(body(0, ...Array.from({ length: 12 }, () => 0xff), 0, 1, 1, 0), 1)],
  ])('%s', (_name, bytes) => {
    expect(() => drain(bytes)).toThrow(CorruptRecordError)
    expect(() => drain(bytes)).toThrow(expect.objectContaining({ baseOffset: 40, position: 0 }))
  })

  test('a sound one passes', () => {
    expect(() => drain(forged(body(0, 0, 0, 1, 1, 0), 1))).not.toThrow()
  })
})

describe('timestamps', () => {
  const withDelta = (delta: number | bigint, base: number): Buffer => {
    const field = Buffer.alloc(12)
    let length: number
    if (typeof delta === 'number') {
      length = writeVarlong(field, 0, delta)
    } else {
      let rest = BigInt.asUintN(64, (delta << 1n) ^ (delta >> 63n))
      for (length = 0; rest >= 0x80n; rest >>= 7n) field[length++] = Number(rest & 0x7fn) | 0x80
      field[length++] = Number(rest)
    }
    const fields = [0, ...field.subarray(0, length), 0, 1, 1, 0]
    const size = Buffer.alloc(2)
    return forged(Buffer.concat([size.subarray(0, writeVarint(size, 0, fields.length)), Buffer.from(fields)]), 1, 0, base)
  }

  test.each([
    [Number.MIN_SAFE_INTEGER, BigInt(Number.MAX_SAFE_INTEGER) * 2n, Number.MAX_SAFE_INTEGER],
    [Number.MIN_SAFE_INTEGER, 2n ** 53n + 1n, 2],
    [Number.MAX_SAFE_INTEGER, -(2n ** 53n) - 5n, -6],
    [Number.MAX_SAFE_INTEGER, -(2n ** 53n), -1],
    [-5000, 4000, -1000],
    [0, 2 ** 40, 2 ** 40],
    [2 ** 27, -(2 ** 27), 0],
    [1_790_000_000_000, -1_790_000_000_001, -1],
  ])('%d and a delta of %s', (base, delta, expected) => {
    expect(only(withDelta(delta, base)).toArray()[0]!.timestamp).toBe(expected)
  })

  test.each([
    [Number.MAX_SAFE_INTEGER, 1n],
    [0, 2n ** 62n],
    [-1, -(2n ** 63n)],
  ])('%d and a delta of %s is outside the safe integers', (base, delta) => {
    expect(() => drain(withDelta(delta, base))).toThrow(/timestamp.* outside the safe integers|end at byte/)
  })
})
