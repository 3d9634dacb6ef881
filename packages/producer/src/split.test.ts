import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Admin } from '@millrace/admin'
import { Broker } from '@millrace/broker'
import { Consumer } from '@millrace/consumer-group'
import { compressionOf, readBatches, type CompressionType } from '@millrace/records/internal'
import { describe, expect, test } from 'vitest'
import { Accumulator } from './accumulator.ts'
import type { BatchOutcome } from './delivery.ts'
import type { ProducerBatchMessage } from './diagnostics.ts'
import { FlushWait, waitForFlush } from './flush-wait.ts'
import { PartitionQueue, TopicQueues } from './partition-queue.ts'
import type { ProducerBatch } from './producer-batch.ts'
import { Producer } from './producer.ts'
import { splitBatch } from './split.ts'
import { StickyPartitioner } from './sticky-partitioner.ts'
import { arriveAll } from './waiting-sends.ts'

const TOPIC = new TopicQueues('t', new StickyPartitioner(1, () => 0, null))

const never = (error: unknown): never => expect.unreachable(String(error))

/** A batch of records `0 …`, `1 …`, whose deliveries note the offsets they get. */
function batchOf(count: number, size: number, compression: CompressionType, offsets: Map<number, number>): ProducerBatch {
  const accumulator = new Accumulator({ batchSize: 1e6, bufferMemory: 1e7, lingerMs: 5, compress: compression !== 'none' })
  const queue = new PartitionQueue(TOPIC, 0)
  let batch: ProducerBatch | null = null
  for (let id = 0; id < count; id++) {
    batch = accumulator.append(queue, 7, id + 1, `k${id}`, `${id} `.padEnd(size, 'v'), [['h', `${id}`]])!
    batch.deliveries.addOne(id, id + 1, ({ offset }) => void offsets.set(id, offset), never)
  }
  accumulator.close(batch!)
  if (compression !== 'none') accumulator.compressed(batch!, batch!.builder!.seal({ compression }))
  return batch!
}

test('parts stand in the queue in the order of their records, also parts of parts, whenever they come back', () => {
  const batch = batchOf(100, 90, 'none', new Map())
  const { queue } = batch
  const after = batchOf(1, 90, 'none', new Map())
  after.ordinal = batch.ordinal + 1
  queue.ready.splice(0, Infinity, after)
  const [first, ...rest] = splitBatch(batch, 3_000)!
  const [start, ...end] = splitBatch(first!, 700)!
  const parts = [start!, ...end, ...rest]
  expect(parts.length).toBeGreaterThan(5)
  for (const part of [...rest, ...end.toReversed(), start!]) queue.requeue(part)
  expect(queue.ready).toEqual([...parts, after])
  expect(parts.every(({ attempts }) => attempts === batch.attempts)).toBe(true)
})

test('a flush that comes after the split waits for every part, as one that came before does', () => {
  const batch = batchOf(100, 90, 'none', new Map())
  const done: string[] = []
  const early = new FlushWait(() => done.push('early'))
  const late = new FlushWait(() => done.push('late'))
  waitForFlush(batch, early)
  const parts = splitBatch(batch, 2_000)!
  expect(parts.length).toBeGreaterThan(2)
  for (const part of parts) waitForFlush(part, late)
  for (const part of parts.slice(1)) arriveAll(part.flushes)
  expect(done).toEqual([])
  arriveAll(parts[0]!.flushes)
  expect(done).toEqual(['early', 'late'])
})

describe.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)('the parts of a batch, %s', (compression) => {
  test('have its records, half of it at most each, and whoever waits waits for all of them', () => {
    const offsets = new Map<number, number>()
    const batch = batchOf(100, 90, compression, offsets)
    let isFlushed = false
    const flush = new FlushWait(() => (isFlushed = true))
    flush.expect(1)
    batch.flushes = [flush]
    const whole = batch.builder?.sizeInBytes ?? batch.uncompressedBytes
    const parts = splitBatch(batch, 16_384)!
    expect(parts.length).toBeGreaterThan(1)
    let next = 0
    for (const part of parts) {
      expect(part.builder!.sizeInBytes).toBeLessThanOrEqual(whole / 2)
      const bytes = part.builder!.seal({ compression })
      expect(compressionOf(bytes, 0)).toBe(compression)
      const records = [...readBatches(bytes)].flatMap((one) => [...one])
      expect(records).toHaveLength(part.recordCount)
      for (const [index, { key, value, timestamp, headers }] of records.entries()) {
        const id = next + index
        expect([String(key), String(value).trimEnd().split(' ')[0], timestamp]).toEqual([`k${id}`, `${id}`, id + 1])
        expect(headers.map(([name, content]) => [name, String(content)])).toEqual([['h', `${id}`]])
      }
      const outcome: BatchOutcome = { topic: 't', partition: 0, baseOffset: next, logAppendTime: -1, error: null }
      part.deliveries.settle(outcome)
      next += part.recordCount
      expect([part.createdAt, part.largestRecordBytes > 90]).toEqual([7, true])
    }
    expect([...offsets]).toEqual(Array.from({ length: 100 }, (_, id) => [id, id]))
    for (const part of parts) {
      expect(isFlushed).toBe(false)
      for (const wait of part.flushes!) wait.arrived()
    }
    expect(isFlushed).toBe(true)
  })

  test('are no more than one record at last, and one record has none', () => {
    const offsets = new Map<number, number>()
    expect(splitBatch(batchOf(2, 5_000, compression, offsets), 100)!.map(({ recordCount }) => recordCount)).toEqual([1, 1])
    expect(splitBatch(batchOf(1, 50, compression, offsets), 100)).toBeNull()
  })
})

test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('a broker gets the parts compressed: %s', async (compressionType) => {
  await using broker = await Broker.start({ port: 0 })
  const { bootstrapServers } = broker
  await using admin = new Admin({ bootstrapServers })
  await admin.createTopics([{ name: 'small', numPartitions: 1, configs: { 'max.message.bytes': '3000' } }])
  const batches: ProducerBatchMessage[] = []
  const listener = (message: unknown): void => void batches.push(message as ProducerBatchMessage)
  subscribe('millrace:producer:batch', listener)
  const values = Array.from({ length: 60 }, (_, id) => `${id} ${letters(id, 200)}${'.'.repeat(800)}`)
  try {
    await using producer = new Producer({ bootstrapServers, compressionType, batchSize: 60_000 })
    const sent = await Promise.all(values.map((value) => producer.send({ topic: 'small', value })))
    expect(sent.map(({ offset }) => offset)).toEqual(values.map((_, index) => index))
    expect((await producer.send({ topic: 'small', value: 'after' })).offset).toBe(60)
  } finally {
    unsubscribe('millrace:producer:batch', listener)
  }
  // More than there would be without a split; and uncompressed, none could hold three records.
  expect(batches.length).toBeGreaterThan(4)
  await using consumer = new Consumer({ bootstrapServers, groupId: 'g', topics: ['small'], autoOffsetReset: 'earliest' })
  const read: string[] = []
  for await (const { value } of consumer) {
    read.push(String(value))
    if (read.length === 61) consumer.stop()
  }
  expect(read).toEqual([...values, 'after'])
  const inLargeBatches = batches
    .filter(({ recordCount }) => recordCount >= 3)
    .reduce((sum, { recordCount }) => sum + recordCount, 0)
  expect(inLargeBatches).toBeGreaterThan(40)
})

function letters(seed: number, length: number): string {
  let text = ''
  for (let state = seed + 1; text.length < length;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    text += String.fromCharCode(97 + ((state >>> 24) % 26))
  }
  return text
}
