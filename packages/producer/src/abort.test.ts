import { Admin } from '@millrace/admin'
import { Broker } from '@millrace/broker'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SendAllError } from './delivery.ts'
import { Producer } from './producer.ts'

let broker: Broker

beforeAll(async () => {
  broker = await Broker.start({ port: 0 })
})

afterAll(() => broker.close())

function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'it was fulfilled',
    (error: unknown) => error,
  )
}

describe('a signal ends a send', () => {
  test('before it begins, and nothing of it is sent', async () => {
    await using producer = new Producer({ bootstrapServers: broker.bootstrapServers })
    const signal = AbortSignal.abort('no more')
    expect(await failureOf(producer.send({ topic: 'early', value: 'v' }, { signal }))).toMatchObject({
      code: 'ABORTED',
      cause: 'no more',
    })
    expect(await failureOf(producer.sendAll('early', [{ value: 'v' }], { signal }))).toMatchObject({ code: 'ABORTED' })
    expect((await producer.send({ topic: 'early', value: 'first' })).offset).toBe(0)
  })

  test('that waits for metadata; others of the line go on to wait', async () => {
    const producer = new Producer({ bootstrapServers: '127.0.0.1:1', maxBlockMs: 60_000 })
    const controller = new AbortController()
    const { signal } = controller
    const before = failureOf(producer.send({ topic: 't', value: 'v' }))
    const aborted = failureOf(producer.send({ topic: 't', value: 'v' }, { signal }))
    const abortedAll = failureOf(producer.sendAll('t', [{ value: 'a' }, { value: 'b' }], { signal }))
    const flushed = producer.flush()
    controller.abort(new Error('changed my mind'))
    expect(await aborted).toMatchObject({ code: 'ABORTED', cause: { message: 'changed my mind' } })
    const error = await abortedAll
    expect(error).toBeInstanceOf(SendAllError)
    expect(error).toMatchObject({ code: 'ABORTED', failedCount: 2, delivered: [] })
    await producer.close({ timeoutMs: 0 })
    await flushed
    expect(await before).toMatchObject({ code: 'PRODUCER_CLOSED' })
  })

  test('that waits for memory, and what was in batches is stored and told', async () => {
    await using admin = new Admin({ bootstrapServers: broker.bootstrapServers })
    await admin.createTopics([{ name: 'full', numPartitions: 1 }])
    const options = { bootstrapServers: broker.bootstrapServers, bufferMemory: 4_000, batchSize: 1_000, lingerMs: 0 }
    await using producer = new Producer(options)
    await producer.send({ topic: 'full', value: 'known' })
    const controller = new AbortController()
    const records = Array.from({ length: 200 }, (_, index) => ({ value: `${index}`.padEnd(100, '.') }))
    const sent = failureOf(producer.sendAll('full', records, { signal: controller.signal }))
    const behind = producer.send({ topic: 'full', value: 'behind' })
    controller.abort()
    const error = (await sent) as SendAllError
    expect(error).toMatchObject({ code: 'ABORTED', topic: 'full' })
    const stored = error.delivered.reduce((sum, { recordCount }) => sum + recordCount, 0)
    expect(stored).toBeGreaterThan(0)
    expect(stored + error.failedCount).toBe(200)
    expect((await behind).offset).toBe(1 + stored)
  })

  test('and means nothing once the record is in a batch', async () => {
    await using producer = new Producer({ bootstrapServers: broker.bootstrapServers, lingerMs: 50_000 })
    const warm = producer.send({ topic: 'late', value: 'v' })
    await producer.flush()
    await warm
    const controller = new AbortController()
    const sent = producer.send({ topic: 'late', value: 'v' }, { signal: controller.signal })
    controller.abort()
    await producer.flush()
    expect((await sent).offset).toBe(1)
  })

  test('and leaves no listener behind', async () => {
    const controller = new AbortController()
    const { signal } = controller
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args))
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args))
    await using producer = new Producer({ bootstrapServers: broker.bootstrapServers })
    const sent = [1, 2, 3].map(() => producer.send({ topic: 'listened', value: 'v' }, { signal }))
    expect(listeners).toBe(3)
    await Promise.all(sent)
    expect(listeners).toBe(0)
  })

  test('is refused when it is none', async () => {
    await using producer = new Producer({ bootstrapServers: broker.bootstrapServers })
    const signal = 'now' as never
    expect(await failureOf(producer.send({ topic: 't', value: 'v' }, { signal }))).toMatchObject({ option: 'signal' })
    expect(await failureOf(producer.sendAll('t', [], { signal }))).toMatchObject({ option: 'signal' })
  })
})
