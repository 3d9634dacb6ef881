import { Consumer, type ConsumerOptions, type ConsumerRecord } from '@millrace/consumer-group'
import { Producer } from '@millrace/producer'
import { SimCluster } from '@millrace/testkit'
import { expect, test } from 'vitest'

/** Twice `maxPollIntervalMs`. */
const DELAY_MS = 600_000
const RUN_LIMIT_MS = 10 * DELAY_MS

interface Bench {
  readonly cluster: SimCluster
  readonly consumer: Consumer
  readonly producer: Producer
  readonly lost: string[]
}

function start(options: Partial<ConsumerOptions> = {}): Bench {
  const cluster = new SimCluster({ seed: 5, config: { 'num.partitions': 1, 'offsets.topic.num.partitions': 1 } })
  const { bootstrapServers } = cluster
  const producer = new Producer({ bootstrapServers, lingerMs: 0 }, cluster.environment())
  const consumer = new Consumer(
    { bootstrapServers, groupId: 'delays', topics: ['orders'], autoOffsetReset: 'earliest', ...options },
    cluster.environment(),
  )
  const lost: string[] = []
  consumer.on('lost', ({ reason }) => lost.push(reason))
  return { cluster, consumer, producer, lost }
}

test('a record of a retry topic waits until it is due, for longer than maxPollIntervalMs, and the member stays', async () => {
  const { cluster, consumer, producer, lost } = start()
  const { clock } = cluster
  const values = ['a', 'bad 1', 'b', 'bad 2', 'c']
  await clock.settle(
    (async () => {
      await producer.send({ topic: 'later', value: 'first' })
      for (const value of values) await producer.send({ topic: 'orders', value })
    })(),
    RUN_LIMIT_MS,
  )
  const handled: Array<{ readonly what: string; readonly at: number }> = []
  const failedAt = new Map<string, number>()
  const run = consumer.run({
    concurrency: 2,
    retryTopics: [{ topic: 'later', delayMs: DELAY_MS }],
    producer,
    eachRecord: async ({ topic, value }: ConsumerRecord) => {
      const what = String(value)
      // The second fails four minutes after the first.
      if (topic === 'orders' && what === 'bad 2') await clock.sleep(240_000)
      if (topic === 'orders' && what.startsWith('bad')) {
        failedAt.set(what, clock.now())
        throw new Error('not now')
      }
      handled.push({ what: `${topic} ${what}`, at: clock.now() })
      if (what === 'bad 2') consumer.stop()
    },
  })
  await clock.settle(run, RUN_LIMIT_MS)
  const names = handled.map(({ what }) => what)
  expect(names.filter((what) => what.startsWith('orders'))).toEqual(['orders a', 'orders b', 'orders c'])
  // One that says nothing of when it is due is handled at once, and nobody waits for those that do.
  expect(names.filter((what) => what.startsWith('later'))).toEqual(['later first', 'later bad 1', 'later bad 2'])
  expect(names.slice(-2)).toEqual(['later bad 1', 'later bad 2'])
  for (const what of ['bad 1', 'bad 2']) {
    const { at } = handled.find((one) => one.what === `later ${what}`)!
    const late = at - failedAt.get(what)! - DELAY_MS
    expect(late).toBeGreaterThanOrEqual(0)
    expect(late).toBeLessThanOrEqual(1_000)
  }
  expect(lost).toEqual([])
  await clock.settle(Promise.all([consumer.close(), producer.close()]), RUN_LIMIT_MS)
  cluster.stop()
})

test('attempts in place wait as long as they are told, and nothing else waits for them', async () => {
  const { cluster, consumer, producer } = start()
  const { clock } = cluster
  await clock.settle(
    producer.sendAll('orders', [
      { key: 'a', value: 'bad' },
      { key: 'a', value: 'after' },
      { key: 'b', value: 'beside' },
    ]),
    RUN_LIMIT_MS,
  )
  const calls: Array<{ readonly what: string; readonly at: number }> = []
  const run = consumer.run({
    orderedBy: 'key',
    retry: { retries: 3, backoffMs: 1_000, backoffMaxMs: 2_000 },
    onExhausted: 'skip',
    eachRecord: ({ value }) => {
      const what = String(value)
      calls.push({ what, at: clock.now() })
      if (what === 'bad') throw new Error('never')
      if (what === 'after') consumer.stop()
    },
  })
  await clock.settle(run, RUN_LIMIT_MS)
  expect(calls.map(({ what }) => what)).toEqual(['bad', 'beside', 'bad', 'bad', 'bad', 'after'])
  const at = calls.filter(({ what }) => what === 'bad').map((call) => call.at)
  const waits = at.slice(1).map((time, index) => time - at[index]!)
  for (const [index, wait] of waits.entries()) {
    const base = Math.min(1_000 * 2 ** index, 2_000)
    expect(wait).toBeGreaterThanOrEqual(base * 0.8)
    expect(wait).toBeLessThanOrEqual(Math.min(base * 1.2, 2_000))
  }
  await clock.settle(Promise.all([consumer.close(), producer.close()]), RUN_LIMIT_MS)
  cluster.stop()
})

test('a handler that does not end when the run does is waited for as long as drainTimeoutMs says', async () => {
  const { cluster, consumer, producer } = start()
  const { clock } = cluster
  await clock.settle(producer.send({ topic: 'orders', value: 'stuck' }), RUN_LIMIT_MS)
  const began = Promise.withResolvers<AbortSignal>()
  const run = consumer.run({
    drainTimeoutMs: 7_000,
    eachRecord: (_record, { signal }) => {
      began.resolve(signal)
      return new Promise(() => {})
    },
  })
  const signal = await clock.settle(began.promise, RUN_LIMIT_MS)
  const from = clock.now()
  consumer.stop()
  await clock.advance(6_999)
  expect(signal.aborted).toBe(false)
  await clock.settle(run, RUN_LIMIT_MS)
  expect(signal.aborted).toBe(true)
  expect(clock.now() - from).toBeLessThanOrEqual(7_000 + 5_000)
  await clock.settle(Promise.all([consumer.close(), producer.close()]), RUN_LIMIT_MS)
  cluster.stop()
})
