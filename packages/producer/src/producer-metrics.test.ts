import { Broker } from '@millrace/broker'
import { expect, test } from 'vitest'
import { Producer } from './producer.ts'
import { WindowedStat } from './windowed-stat.ts'

test('rates, averages and maxima are of the last samples, totals of all time', () => {
  const stat = new WindowedStat()
  expect([stat.rate(0), stat.average(0), stat.max(0), stat.total]).toEqual([0, Number.NaN, Number.NaN, 0])
  stat.record(60, 0)
  stat.record(30, 10_000)
  expect([stat.rate(0), stat.average(10_000), stat.max(10_000)]).toEqual([3, 45, 60])
  stat.record(10, 30_000)
  expect([stat.rate(50_000), stat.max(50_000)]).toEqual([2, 60])
  expect([stat.rate(60_000), stat.average(60_000), stat.max(60_000)]).toEqual([10 / 30, 10, 10])
  stat.record(4, 60_000)
  expect(stat.average(60_000)).toBe(7)
  expect([stat.rate(200_000), stat.average(200_000), stat.total]).toEqual([0, Number.NaN, 104])
})

test("one object has Java's names, and counts what went out, what failed and what is held", async () => {
  await using broker = await Broker.start({ port: 0, config: { 'message.max.bytes': 10_000 } })
  const options = { bootstrapServers: broker.bootstrapServers, batchSize: 1_000, bufferMemory: 100_000, lingerMs: 50_000 }
  await using producer = new Producer(options)
  expect(producer.metrics()).toMatchObject({ 'record-send-total': 0, 'request-latency-avg': Number.NaN })
  const warm = producer.send({ topic: 't', value: 'v' })
  await producer.flush()
  await warm
  const held = producer.send({ topic: 't', value: 'v' })
  expect(producer.metrics()['buffer-available-bytes']).toBe(99_748)
  await producer.flush()
  await held
  const tooLarge = producer.send({ topic: 't', value: 'x'.repeat(20_000) })
  await Promise.all([producer.flush(), expect(tooLarge).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })])
  await expect(producer.send({ topic: 't', value: 'v', partition: 9 })).rejects.toMatchObject({
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
  })
  const metrics = producer.metrics()
  expect(metrics).toMatchObject({
    'record-send-total': 3,
    'record-error-total': 1,
    'record-retry-total': 0,
    'request-total': 3,
    'requests-in-flight': 0,
    'records-per-request-avg': 1,
    'buffer-total-bytes': 100_000,
    'buffer-available-bytes': 100_000,
  })
  expect(metrics['batch-size-max']).toBeGreaterThan(20_000)
  expect(metrics['batch-size-avg']).toBeCloseTo(metrics['byte-total'] / 3)
  expect(metrics['record-send-rate']).toBeGreaterThan(0)
  expect(metrics['record-send-rate']).toBeLessThanOrEqual(0.1)
  expect(metrics['request-latency-max']).toBeGreaterThanOrEqual(metrics['request-latency-avg'])
})

test('what fails while it waits counts as failed', async () => {
  const producer = new Producer({ bootstrapServers: '127.0.0.1:1' })
  const sent = producer.sendAll('t', [{ value: 'a' }, { value: 'b' }]).catch((error: unknown) => error)
  await producer.close({ timeoutMs: 0 })
  await sent
  expect(producer.metrics()['record-error-total']).toBe(2)
})
