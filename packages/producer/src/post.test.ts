import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { KafkaError } from '@millrace/protocol'
import { expect, test, vi } from 'vitest'
import { testBroker } from '../test/test-broker.ts'
import type { DeliveryCallback } from './delivery.ts'
import type { ProducerEvents } from './events.ts'
import { Producer } from './producer.ts'
import type { RecordMetadata } from './record.ts'

const { bootstrapServers, newTopic } = await testBroker({ 'message.max.bytes': 10_000 })

/** Collects what a callback gets. */
function reports(): { callback: DeliveryCallback; errors: Array<KafkaError | null>; places: Array<RecordMetadata | null> } {
  const errors: Array<KafkaError | null> = []
  const places: Array<RecordMetadata | null> = []
  const callback: DeliveryCallback = (error, metadata) => {
    errors.push(error)
    places.push(metadata)
  }
  return { callback, errors, places }
}

test('calls back with each place, in order, among sends with promises', async () => {
  const topic = await newTopic(1)
  await using producer = new Producer({ bootstrapServers, batchSize: 300 })
  const { callback, errors, places } = reports()
  expect(producer.post({ topic, value: '0', timestamp: 5 }, callback)).toBe(false)
  await producer.ready()
  const sends: Array<Promise<RecordMetadata>> = []
  for (let index = 1; index < 100; index++) {
    if (index % 10 === 0) sends.push(producer.send({ topic, value: String(index) }))
    else if (index % 10 === 5) expect(producer.post({ topic, value: String(index) })).toBe(true)
    else expect(producer.post({ topic, value: String(index), timestamp: 5 }, callback)).toBe(true)
  }
  await producer.flush()
  const own = Array.from({ length: 100 }, (_, index) => index).filter((index) => index === 0 || index % 5 !== 0)
  expect(places).toEqual(own.map((offset) => ({ topic, partition: 0, offset, timestamp: 5 })))
  expect(new Set(errors)).toEqual(new Set([null]))
  expect((await Promise.all(sends)).map(({ offset }) => offset)).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90])
})

test('splits keep the callbacks of their records', async () => {
  const topic = await newTopic(1)
  await using producer = new Producer({ bootstrapServers, batchSize: 50_000 })
  const { callback, places } = reports()
  const value = 'x'.repeat(1_000)
  await producer.send({ topic, value })
  for (let index = 0; index < 40; index++) expect(producer.post({ topic, value }, callback)).toBe(true)
  await producer.flush()
  expect(places.map((place) => place!.offset)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1))
})

test('a failure goes to the callback, or to listeners and the channel when there is none', async () => {
  const topic = await newTopic(1)
  await using producer = new Producer({ bootstrapServers })
  const events: Array<ProducerEvents['deliveryFailed']> = []
  const off = producer.on('deliveryFailed', (event) => events.push(event))
  const published: unknown[] = []
  const listen = (message: unknown): void => void published.push(message)
  subscribe('millrace:producer:deliveryFailed', listen)
  const { callback, errors, places } = reports()
  producer.post({ topic, value: 'x'.repeat(20_000) }, callback)
  producer.post({ topic, value: 'x'.repeat(20_000) })
  await producer.flush()
  unsubscribe('millrace:producer:deliveryFailed', listen)
  expect([errors.map((error) => error?.code), places]).toEqual([['MESSAGE_TOO_LARGE'], [null]])
  expect(events).toMatchObject([{ topic, partition: 0, recordCount: 1, error: { code: 'MESSAGE_TOO_LARGE' } }])
  expect(published).toEqual(events)
  off()
})

test('what fails while it waits is told as well', async () => {
  const producer = new Producer({ bootstrapServers: '127.0.0.1:1' })
  const events: Array<ProducerEvents['deliveryFailed']> = []
  producer.on('deliveryFailed', (event) => events.push(event))
  const { callback, errors } = reports()
  expect(producer.post({ topic: 't', value: 'v' }, callback)).toBe(false)
  expect(producer.post({ topic: 't', value: 'v' })).toBe(false)
  const ready = producer.ready()
  await producer.close({ timeoutMs: 0 })
  await ready
  expect(errors.map((error) => error?.code)).toEqual(['PRODUCER_CLOSED'])
  expect(events).toMatchObject([{ topic: 't', partition: null, recordCount: 1, error: { code: 'PRODUCER_CLOSED' } }])
})

test('a failure that nobody listens to, and a callback that throws, are unhandled rejections; the producer goes on', async () => {
  const topic = await newTopic(1)
  await using producer = new Producer({ bootstrapServers })
  const unhandled: unknown[] = []
  const others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', (reason) => unhandled.push(reason))
  try {
    producer.post({ topic, value: 'x'.repeat(20_000) })
    producer.post({ topic, value: 'v' }, () => {
      throw new RangeError('from the callback')
    })
    expect((await producer.send({ topic, value: 'next' })).offset).toBe(1)
    await vi.waitFor(() => expect(unhandled).toHaveLength(2))
  } finally {
    process.removeAllListeners('unhandledRejection')
    for (const listener of others) process.on('unhandledRejection', listener)
  }
  expect(unhandled).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ code: 'MESSAGE_TOO_LARGE' }),
      expect.objectContaining({ message: 'from the callback' }),
    ]),
  )
})

test('says when to stop and when to go on, and so holds to bufferMemory', async () => {
  const topic = await newTopic(1)
  await using producer = new Producer({ bootstrapServers, bufferMemory: 20_000, batchSize: 2_000 })
  let stops = 0
  for (let index = 0; index < 1_000; index++) {
    if (producer.post({ topic, value: 'x'.repeat(100) })) continue
    stops++
    await producer.ready()
  }
  expect(stops).toBeGreaterThan(2)
  expect((await producer.send({ topic, value: 'last' })).offset).toBe(1_000)
  await producer.ready()
})

test('refuses at once what is wrong, naming it', async () => {
  const topic = await newTopic(2)
  const producer = new Producer({ bootstrapServers })
  await producer.send({ topic, value: 'v' })
  const codeOf = (call: () => unknown): unknown => {
    try {
      return call()
    } catch (error) {
      return (error as KafkaError).code
    }
  }
  expect(codeOf(() => producer.post({ topic, value: 1 as never }))).toBe('INVALID_RECORD')
  expect(codeOf(() => producer.post(null as never))).toBe('INVALID_RECORD')
  await expect(producer.send(undefined as never)).rejects.toMatchObject({ code: 'INVALID_RECORD' })
  expect(codeOf(() => producer.post({ topic: '..', value: '' }))).toBe('INVALID_TOPIC_EXCEPTION')
  expect(codeOf(() => producer.post({ topic, value: '', partition: 2 }))).toBe('UNKNOWN_TOPIC_OR_PARTITION')
  expect(codeOf(() => producer.post({ topic, value: '' }, 'later' as never))).toBe('INVALID_CONFIG')
  await expect(producer.ready({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  await producer.close()
  expect(codeOf(() => producer.post({ topic, value: '' }))).toBe('PRODUCER_CLOSED')
})
