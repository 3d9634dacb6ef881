import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Consumer, ConsumerRecord } from '@millrace/consumer-group'
import { RecordBatchBuilder, type KafkaRecord } from '@millrace/records/internal'
import { ConsumerBatch } from '../src/fetch/consumer-batch.ts'
import { FetchBench } from './fetch-bench.ts'
import { range, TestBench, until } from './bench.ts'

const MIB = 1024 * 1024
const PARTITIONS = 3

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

let bench: TestBench

beforeAll(async () => {
  bench = await TestBench.start()
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
})

/** One way to consume, which shows every record. */
type Way = (consumer: Consumer, show: (record: ConsumerRecord) => void) => Promise<void>

const ways: Readonly<Record<string, Way>> = {
  'batches()': (consumer, show) => drain(consumer.batches(), (records) => [...records].forEach((record) => show(record))),
  'records()': (consumer, show) => drain(consumer.records(), show),
  'run, handlers that do not wait': (consumer, show) => consumer.run({ eachRecord: show }),
  'run, handlers that wait': (consumer, show) =>
    consumer.run({ eachRecord: async (record) => Promise.resolve().then(() => show(record)), concurrency: 10, orderedBy: 'key' }),
  'run, batches': (consumer, show) =>
    consumer.run({ eachBatch: (records) => [...records].forEach((record) => show(record)), concurrency: 2 }),
}

/** As `for await`, whose variable would keep the last item until there is another one. */
async function drain<Item>(items: AsyncIterator<Item>, handle: (item: Item) => void): Promise<void> {
  const step = async (): Promise<boolean> => {
    const { done, value } = await items.next()
    if (done !== true) handle(value)
    return done !== true
  }
  while (await step());
}

describe('nothing of an answer stays in memory once its last record was handled', () => {
  test.each(Object.keys(ways))('%s', async (way) => {
    const topic = await bench.topic(PARTITIONS)
    const value = Buffer.alloc(100_000)
    const records = range(0, 30).map((index) => ({ partition: index % PARTITIONS, key: `k${index}`, value }))
    await bench.producer.sendAll(topic, records)
    const consumer = bench.consumer({ groupId: topic, topics: [topic], autoOffsetReset: 'earliest' })
    const answers = new Set<WeakRef<ArrayBufferLike>>()
    let shown = 0
    const consuming = ways[way]!(consumer, (record) => {
      shown++
      answers.add(new WeakRef((record as KafkaRecord).batch.buffer.buffer))
    })
    await until(() => shown === records.length)
    await untilFreed(answers)
    expect(shown).toBe(records.length)
    consumer.stop()
    await consuming
  })
})

test('all of it is free at once, without the collector, where batches are disposed of', async () => {
  const topic = await bench.topic(PARTITIONS)
  const records = range(0, 30).map((index) => ({
    partition: index % PARTITIONS,
    key: `k${index}`,
    value: Buffer.alloc(100_000, index),
  }))
  await bench.producer.sendAll(topic, records)
  const consumer = bench.consumer({ groupId: topic, topics: [topic], autoOffsetReset: 'earliest' })
  const answers = new Set<ArrayBuffer>()
  const shown: number[] = []
  for await (using batch of consumer.batches()) {
    for (const { key, value } of batch) {
      answers.add(value!.buffer as ArrayBuffer)
      const index = Number(String(key).slice(1))
      expect(value!.equals(records[index]!.value)).toBe(true)
      shown.push(index)
    }
    if (shown.length === records.length) consumer.stop()
  }
  expect(shown.toSorted((a, b) => a - b)).toEqual(range(0, 30))
  await consumer.close()
  expect(Array.from(answers, ({ detached }) => detached)).toEqual(Array.from(answers, () => true))
})

describe('of compressed batches', () => {
  test.each(['gzip', 'lz4', 'zstd'] as const)(
    'nothing that they were decompressed to is held by the batch that they are read from, %s',
    async (codec) => {
      const stored = 20
      const fetched = new FetchBench({ maxPartitionFetchBytes: 100 * MIB })
      const cursor = fetched.cursor(0)
      fetched.fetch({ 0: { records: Buffer.concat(range(0, stored).map((offset) => compressed(offset, codec))) } })
      const batch = fetched.feed.nextBatchOf(cursor)
      if (!(batch instanceof ConsumerBatch)) throw new Error('not expected to load')
      const outputs = outputsOf(batch)
      expect(outputs.length).toBe(stored)
      await untilFreed(outputs)
      // It was there meanwhile, and can be read again.
      expect([...batch].length).toBe(stored)
    },
  )
})

/** What its stored batches are decompressed to when it is read. */
function outputsOf(batch: ConsumerBatch): Array<WeakRef<ArrayBufferLike>> {
  return Array.from(batch, (record) => new WeakRef((record as KafkaRecord).batch.recordBytes.buffer))
}

async function untilFreed(memory: Iterable<WeakRef<ArrayBufferLike>>): Promise<void> {
  await until(() => {
    collectGarbage()
    for (const one of memory) if (one.deref() !== undefined) return false
    return true
  })
}

/** A batch of one record of a mebibyte that takes next to nothing. */
function compressed(offset: number, compression: 'gzip' | 'lz4' | 'zstd'): Buffer {
  const builder = new RecordBatchBuilder({ batchSize: 2 * MIB })
  builder.tryAppend(5, null, Buffer.alloc(MIB))
  return Buffer.from(builder.seal({ baseOffset: offset, compression, partitionLeaderEpoch: 3, producerEpoch: 0 }))
}
