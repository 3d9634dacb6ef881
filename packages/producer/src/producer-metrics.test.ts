import { Broker } from '@millrace/broker'
import { expect, test } from 'vitest'
import { Producer } from './producer.ts'

test("one object has Java's names, and counts what went out, what failed and what is held", async () => {
  await using broker = await Broker.start({ port: 0, config: { 'message.max.bytes': 10_000 } })
  const options = { bootstrapServers: broker.bootstrapServers, batchSize: 1_000, bufferMemory: 100_000, lingerMs: 50_000 }
  await using producer = new Producer(options)
  expect(producer.metrics()).toMatchObject({ 'record-send-total': 0, 'request-latency-avg': Number.NaN })
  const warm = producer.send({ topic: 't', value: 'v' })
  await producer.flush()
  await warm
  const held = producer.send({ topic: 't', value: 'v' })
  expect(producer.metrics()['buffer-available-bytes']).toBe(99_000)
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
