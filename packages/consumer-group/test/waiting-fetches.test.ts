import type { Consumer } from '@millrace/consumer-group'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { range, take, TestBench, until } from './bench.ts'

/** Longer than any test may take: whoever waits for it fails. */
const FETCH_MAX_WAIT_MS = 600_000

let bench: TestBench

beforeAll(async () => {
  bench = await TestBench.start()
})

afterAll(() => bench[Symbol.asyncDispose]())

/** A consumer whose fetch for an empty partition waits at the broker. */
async function waiting(clientId: string): Promise<{ consumer: Consumer; empty: string }> {
  const empty = await bench.topic(1)
  const consumer = bench.consumer({ clientId, fetchMaxWaitMs: FETCH_MAX_WAIT_MS })
  consumer.assign([{ topic: empty, partition: 0 }])
  return { consumer, empty }
}

function fetches(clientId: string, topic?: string): ReturnType<TestBench['broker']['requests']['list']> {
  return bench.broker.requests.list({ api: 'Fetch', clientId, ...(topic === undefined ? {} : { topic }) })
}

async function untilParked(clientId: string, topic: string): Promise<void> {
  await until(() => fetches(clientId, topic).some(({ answeredAt }) => answeredAt === null))
}

describe('a fetch that waits at the broker keeps nothing waiting that', () => {
  test('is assigned meanwhile, however much of it there is', async () => {
    const topic = await bench.topic(2, 40)
    const { consumer, empty } = await waiting('assigned')
    await using _ = consumer
    const records: string[] = []
    const loop = (async () => {
      for await (const { partition, offset } of consumer) {
        records.push(`${partition}@${offset}`)
        if (records.length === 80) consumer.stop()
      }
    })()
    await untilParked('assigned', empty)
    consumer.assign([
      { topic: empty, partition: 0 },
      { topic, partition: 0 },
      { topic, partition: 1 },
    ])
    await loop
    expect(records.filter((one) => one.startsWith('0')).length).toBe(40)
    expect(new Set(records).size).toBe(80)
    // Two connections for fetches, and no session but one.
    expect(new Set(fetches('assigned').map(({ connection }) => connection)).size).toBe(2)
  })

  test('is sought', async () => {
    const topic = await bench.topic(1, 5)
    await using consumer = bench.consumer({ clientId: 'sought', fetchMaxWaitMs: FETCH_MAX_WAIT_MS })
    consumer.assign([{ topic, partition: 0 }])
    expect(await take(consumer, 5)).toEqual(range(0, 5))
    for (const from of [2, 0, 4, 1]) {
      await untilParked('sought', topic)
      consumer.seek({ topic, partition: 0 }, from)
      expect(await take(consumer, 5 - from)).toEqual(range(from, 5))
    }
    consumer.seekToBeginning()
    expect(await take(consumer, 5)).toEqual(range(0, 5))
  })

  test('is read slowly, and waits where what is produced beside that is to be had at once', async () => {
    const topic = await bench.topic(2)
    const value = Buffer.alloc(1_000)
    for (const _ of range(0, 10)) await bench.producer.send({ topic, partition: 0, value })
    await using consumer = bench.consumer({ clientId: 'slow', fetchMaxWaitMs: FETCH_MAX_WAIT_MS, maxPartitionFetchBytes: 1_000 })
    consumer.assign([
      { topic, partition: 0 },
      { topic, partition: 1 },
    ])
    let isStuck = true
    const read = [0, 0]
    const run = consumer.run({
      concurrency: 2,
      eachRecord: async ({ partition }) => {
        await until(() => partition === 1 || !isStuck)
        read[partition]!++
      },
    })
    for (const count of [1, 2, 3]) {
      await untilParked('slow', topic)
      await bench.producer.send({ topic, partition: 1, value })
      await until(() => read[1] === count)
    }
    await untilParked('slow', topic)
    isStuck = false
    await until(() => read[0] === 10)
    consumer.stop()
    await run
    expect(read).toEqual([10, 3])
  })

  test('is resumed', async () => {
    const topic = await bench.topic(1, 5)
    const { consumer, empty } = await waiting('resumed')
    await using _ = consumer
    consumer.assign([
      { topic: empty, partition: 0 },
      { topic, partition: 0 },
    ])
    consumer.pause([{ topic, partition: 0 }])
    const offsets = take(consumer, 5)
    await untilParked('resumed', empty)
    expect(fetches('resumed', topic)).toEqual([])
    consumer.resume([{ topic, partition: 0 }])
    expect(await offsets).toEqual(range(0, 5))
  })

  test('comes back after a loop that was broken off', async () => {
    const topic = await bench.topic(1, 5)
    await using consumer = bench.consumer({ clientId: 'broken', fetchMaxWaitMs: FETCH_MAX_WAIT_MS })
    consumer.assign([{ topic, partition: 0 }])
    for await (const { offset } of consumer) if (offset === 4) break
    expect(await take(consumer, 1)).toEqual([4])
  })
})
