import { randomBytes } from 'node:crypto'
import { Broker } from '@millrace/broker'
import { nodeEnvironment, type Environment } from '@millrace/client/internal'
import { describe, expect, test } from 'vitest'
import { METRIC_NODES_MAX, METRIC_TOPICS_MAX } from './limits.ts'
import { NodeMetricsRecorder } from './node-metrics.ts'
import { Producer } from './producer.ts'
import { TopicMetricsRecorder } from './topic-metrics.ts'

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
  expect(producer.metrics()['flush-time-ns-total']).toBeGreaterThanOrEqual(0)
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

describe('by topic and by broker', () => {
  test('what went out, what failed, and what compression left', async () => {
    await using broker = await Broker.start({ port: 0, config: { 'message.max.bytes': 20_000 } })
    await using producer = new Producer({ bootstrapServers: broker.bootstrapServers, compressionType: 'gzip' })
    expect(producer.metrics()).toMatchObject({
      'metadata-age': Number.NaN,
      'connection-count': 0,
      'compression-rate-avg': Number.NaN,
    })
    await producer.sendAll(
      'many',
      Array.from({ length: 100 }, () => ({ value: 'a'.repeat(100) })),
    )
    await producer.send({ topic: 'one', value: 'b'.repeat(1_000) })
    const incompressible = randomBytes(30_000)
    await expect(producer.send({ topic: 'one', value: incompressible })).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
    const metrics = producer.metrics()
    expect(metrics['record-size-max']).toBeGreaterThan(30_000)
    expect(metrics['record-size-avg']).toBeGreaterThan((100 * 100 + 1_000 + 30_000) / 102)
    expect(metrics['record-size-avg']).toBeLessThan((100 * 120 + 1_020 + 30_020) / 102)
    expect(metrics['metadata-age']).toBeGreaterThanOrEqual(0)
    expect(metrics['connection-count']).toBe(2)
    const topics = metrics['producer-topic-metrics']
    expect([...topics.keys()]).toEqual(['many', 'one'])
    expect(topics.get('many')).toMatchObject({ 'record-send-total': 100, 'record-error-total': 0, 'record-retry-total': 0 })
    expect(topics.get('one')).toMatchObject({ 'record-send-total': 2, 'record-error-total': 1 })
    expect(topics.get('many')!['compression-rate']).toBeLessThan(0.1)
    expect(topics.get('one')!['compression-rate']).toBeGreaterThan(0.4)
    expect(topics.get('many')!['byte-total'] + topics.get('one')!['byte-total']).toBe(metrics['byte-total'])
    const [[node, stats] = []] = metrics['producer-node-metrics']
    expect(node).toBe(1)
    expect(stats).toMatchObject({ 'request-total': 3, 'outgoing-byte-total': metrics['byte-total'] })
    expect(stats!['request-latency-max']).toBe(metrics['request-latency-max'])
  })

  test('no more topics are kept than the bound, and those that are in use stay', () => {
    const recorder = new TopicMetricsRecorder()
    const tally = { batches: 1, records: 2, retriedRecords: 1, bytes: 10, ratios: 0.5 }
    for (let index = 0; index < 3 * METRIC_TOPICS_MAX; index++) {
      recorder.sent('in use', tally, 0)
      recorder.sent(`t${index}`, tally, 0)
      if (index % 100 === 0) expect(recorder.read(0).size).toBeLessThanOrEqual(METRIC_TOPICS_MAX)
    }
    recorder.failed('in use', 7, 0)
    expect(recorder.read(0).get('in use')).toMatchObject({
      'record-send-total': 6 * METRIC_TOPICS_MAX,
      'record-retry-total': 3 * METRIC_TOPICS_MAX,
      'record-error-total': 7,
      'compression-rate': 0.5,
    })
    expect(recorder.read(0).has('t0')).toBe(false)
  })

  test('no more brokers than the bound', () => {
    const recorder = new NodeMetricsRecorder()
    for (let node = 0; node < METRIC_NODES_MAX + 3; node++) recorder.sent(node, 10, 0)
    expect([...recorder.read(0).keys()].slice(0, 2)).toEqual([3, 4])
    expect(recorder.read(0).size).toBe(METRIC_NODES_MAX)
  })
})

test('a batch that was split is counted', async () => {
  await using broker = await Broker.start({ port: 0, config: { 'message.max.bytes': 3_000 } })
  await using producer = new Producer({ bootstrapServers: broker.bootstrapServers, batchSize: 8_000 })
  await Promise.all(Array.from({ length: 7 }, () => producer.send({ topic: 't', value: 'x'.repeat(1_000) })))
  expect(producer.metrics()).toMatchObject({ 'batch-split-total': 3, 'record-error-total': 0 })
})

test('waits for memory are counted, and records for which none came free', async () => {
  await using broker = await Broker.start({ port: 0 })
  const { bootstrapServers } = broker
  await using producer = new Producer({ bootstrapServers, batchSize: 1_000, bufferMemory: 1_000, maxBlockMs: 200, lingerMs: 0 })
  await producer.send({ topic: 't', value: 'v' })
  expect(producer.metrics()['bufferpool-wait-time-ns-total']).toBe(0)
  const fault = broker.faults.add({ api: 'Produce', answer: 'never' })
  const stuck = producer.send({ topic: 't', value: 'x'.repeat(900) }).catch((error: unknown) => error)
  const waiting = [
    producer.send({ topic: 't', value: 'y'.repeat(900) }),
    producer.sendAll('t', [{ value: 'z'.repeat(900) }, { value: 'z'.repeat(900) }, { value: 'z'.repeat(900) }]),
  ]
  await fault.hit()
  expect(producer.metrics()).toMatchObject({ 'waiting-threads': 2, 'requests-in-flight': 1 })
  for (const send of waiting) await expect(send).rejects.toMatchObject({ code: 'BUFFER_EXHAUSTED' })
  const metrics = producer.metrics()
  expect(metrics).toMatchObject({ 'waiting-threads': 0, 'buffer-exhausted-total': 4, 'record-error-total': 4 })
  expect(metrics['bufferpool-wait-time-ns-total']).toBeGreaterThanOrEqual(400e6)
  await producer.close({ timeoutMs: 0 })
  await stuck
})

test('a throttle time is counted, and nothing is sent before it is over', async () => {
  await using broker = await Broker.start({ port: 0 })
  const written: number[] = []
  const environment: Environment = {
    ...nodeEnvironment,
    connect(endpoint, handler) {
      const transport = nodeEnvironment.connect(endpoint, handler)
      return {
        write(chunks) {
          written.push(environment.clock.now())
          return transport.write(chunks)
        },
        destroy: () => transport.destroy(),
      }
    },
  }
  await using producer = new Producer({ bootstrapServers: broker.bootstrapServers, lingerMs: 0 }, environment)
  await producer.send({ topic: 't', value: 'first' })
  broker.faults.add({ api: 'Produce', answer: { throttleTimeMs: 250 } })
  await producer.send({ topic: 't', value: 'throttled' })
  const told = environment.clock.now()
  const before = written.length
  await producer.send({ topic: 't', value: 'after' })
  expect(written).toHaveLength(before + 1)
  // A timer may be a millisecond early.
  expect(written[before]! - told).toBeGreaterThanOrEqual(245)
  expect(producer.metrics()['produce-throttle-time-max']).toBe(250)
  expect(producer.metrics()['produce-throttle-time-avg']).toBeCloseTo(250 / 3)
})
