import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nextEvent, take, TestBench, until } from './bench.ts'

let bench: TestBench

beforeAll(async () => {
  bench = await TestBench.start()
})

afterAll(() => bench[Symbol.asyncDispose]())

test("one object has Java's names, and counts what was read, committed and said to the group", async () => {
  const topic = await bench.topic(2, 40)
  await bench.admin.deleteRecords([{ topic, partition: 0, beforeOffset: 10 }])
  await using consumer = bench.consumer({ groupId: 'measured', topics: [topic] })
  expect(consumer.metrics()).toMatchObject({
    'records-consumed-total': 0,
    'records-lag-max': Number.NaN,
    'fetch-latency-avg': Number.NaN,
    'last-heartbeat-seconds-ago': Number.NaN,
    'last-poll-seconds-ago': Number.NaN,
    'assigned-partitions': 0,
    partitions: [],
  })
  await take(consumer, 70)
  await consumer.commit()
  const waiting = consumer.records().next()
  await until(() => consumer.metrics()['heartbeat-total'] >= 2)
  const metrics = consumer.metrics()
  expect(metrics).toMatchObject({
    'records-consumed-total': 70,
    'commit-total': 1,
    'join-total': 2, // the first gives the member its id
    'sync-total': 1,
    'rebalance-total': 1,
    'assigned-partitions': 2,
    'records-lag-max': 0,
    'records-lead-min': 30,
  })
  expect(metrics['bytes-consumed-total']).toBeGreaterThan(70 * 5)
  expect(metrics['fetch-total']).toBeGreaterThan(0)
  expect(metrics['records-per-request-avg']).toBe(70 / metrics['fetch-total'])
  expect(metrics['fetch-size-max']).toBeGreaterThan(0)
  expect(metrics['poll-idle-ratio-avg']).toBeGreaterThan(0)
  expect(metrics['poll-idle-ratio-avg']).toBeLessThanOrEqual(1)
  expect(metrics['last-heartbeat-seconds-ago']).toBeLessThan(10)
  expect(metrics['last-poll-seconds-ago']).toBeLessThan(10)
  for (const rate of ['records-consumed-rate', 'fetch-rate', 'commit-rate', 'heartbeat-rate', 'join-rate'] as const) {
    expect(metrics[rate], rate).toBeGreaterThan(0)
  }
  expect(metrics.partitions).toEqual([
    { topic, partition: 0, 'records-lag': 0, 'records-lead': 30 },
    { topic, partition: 1, 'records-lag': 0, 'records-lead': 40 },
  ])
  await bench.fill(topic, 1, 40, 41)
  await waiting
})

test('lag is what was fetched and not handed out, and what is beyond that', async () => {
  const topic = await bench.topic(1, 30)
  await using consumer = bench.consumer()
  consumer.assign([{ topic, partition: 0, offset: 10 }])
  await take(consumer, 5)
  expect(consumer.metrics().partitions).toEqual([{ topic, partition: 0, 'records-lag': 15, 'records-lead': 15 }])
})

test('what happens to the assignment is on diagnostics channels, with the group', async () => {
  const topic = await bench.topic(1, 3)
  const seen: unknown[] = []
  const note = (message: unknown): void => void seen.push(message)
  subscribe('millrace:consumer:assigned', note)
  try {
    await using consumer = bench.consumer({ groupId: 'watched', topics: [topic] })
    const assigned = nextEvent(consumer, 'assigned')
    await take(consumer, 3)
    const { partitions, generationId } = await assigned
    expect(seen).toEqual([{ groupId: 'watched', partitions, generationId }])
  } finally {
    unsubscribe('millrace:consumer:assigned', note)
  }
})
