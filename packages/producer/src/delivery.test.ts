import { KafkaError } from '@millrace/protocol'
import { expect, test } from 'vitest'
import { BatchDeliveries, SendAllDelivery, SendAllError, type BatchOutcome } from './delivery.ts'

function outcome(partition: number, baseOffset: number, error: KafkaError | null = null): BatchOutcome {
  return { topic: 't', partition, baseOffset, logAppendTime: -1, error }
}

function sendAll(count: number): { delivery: SendAllDelivery; result: Promise<unknown> } {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  return { delivery: new SendAllDelivery('t', count, resolve, reject), result: promise }
}

test('records of a batch get their own offsets and timestamps', async () => {
  const deliveries = new BatchDeliveries()
  const sent = [5, 6, 7].map(
    (timestamp, delta) => new Promise((resolve, reject) => deliveries.addOne(delta, timestamp, resolve, reject)),
  )
  deliveries.settle(outcome(2, 100))
  expect(await Promise.all(sent)).toEqual(
    [5, 6, 7].map((timestamp, delta) => ({ topic: 't', partition: 2, offset: 100 + delta, timestamp })),
  )
})

test("the broker's time replaces the records' where the topic says so", async () => {
  const deliveries = new BatchDeliveries()
  const sent = new Promise((resolve, reject) => deliveries.addOne(0, 5, resolve, reject))
  deliveries.settle({ ...outcome(0, 9), logAppendTime: 77 })
  expect(await sent).toMatchObject({ offset: 9, timestamp: 77 })
})

test('adjacent ranges of a partition become one', async () => {
  const { delivery, result } = sendAll(6)
  for (const [partition, baseOffset] of [
    [0, 10],
    [1, 4],
    [0, 12],
  ] as const) {
    const deliveries = new BatchDeliveries()
    deliveries.addSpan(delivery, 0)
    deliveries.addSpan(delivery, 1)
    deliveries.settle(outcome(partition, baseOffset))
  }
  expect(await result).toEqual({
    topic: 't',
    recordCount: 6,
    ranges: [
      { partition: 0, firstOffset: 10, lastOffset: 13, recordCount: 4, logAppendTime: -1 },
      { partition: 1, firstOffset: 4, lastOffset: 5, recordCount: 2, logAppendTime: -1 },
    ],
  })
})

test('a partial failure says what was stored and what failed first', async () => {
  const { delivery, result } = sendAll(3)
  const stored = new BatchDeliveries()
  stored.addSpan(delivery, 0)
  const failed = new BatchDeliveries()
  failed.addSpan(delivery, 0)
  failed.addSpan(delivery, 1)
  failed.settle(outcome(1, -1, new KafkaError('INVALID_RECORD', 'no key')))
  stored.settle(outcome(0, 3))
  const error = await result.catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(SendAllError)
  expect(error).toMatchObject({
    code: 'INVALID_RECORD',
    topic: 't',
    failedCount: 2,
    delivered: [{ partition: 0, firstOffset: 3 }],
  })
})

test('parts of a split batch settle exactly the records they took over', async () => {
  const { delivery, result } = sendAll(3)
  const whole = new BatchDeliveries()
  const first = new Promise((resolve, reject) => whole.addOne(0, 1, resolve, reject))
  whole.addSpan(delivery, 1)
  whole.addSpan(delivery, 2)
  whole.addSpan(delivery, 3)
  const last = new Promise((resolve, reject) => whole.addOne(4, 5, resolve, reject))
  whole.slice(0, 2).settle(outcome(0, 10))
  whole.slice(2, 5).settle(outcome(0, 50))
  expect(await first).toMatchObject({ offset: 10, timestamp: 1 })
  expect(await last).toMatchObject({ offset: 52, timestamp: 5 })
  expect(await result).toMatchObject({
    ranges: [
      { firstOffset: 11, lastOffset: 11 },
      { firstOffset: 50, lastOffset: 51, recordCount: 2 },
    ],
  })
})
