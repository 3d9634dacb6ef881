import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { testBroker } from '../test/test-broker.ts'
import type { ProducerEvents } from './events.ts'
import type { ProducerInterceptor } from './interceptor.ts'
import { Producer } from './producer.ts'
import type { ProducerRecord } from './record.ts'
import { jsonSerializer } from './serializer.ts'

const { bootstrapServers, newTopic, readAll } = await testBroker({ 'message.max.bytes': 10_000 })

async function valuesOf(topic: string, count: number): Promise<string[]> {
  return (await readAll(topic, count)).map(({ value }) => String(value))
}

type Told = readonly [value: string, topic: string, partition: number, offset: number, code: string | null]

/** An interceptor that gives each record a header by which it knows it again. */
function witness(): { readonly told: Told[]; readonly interceptor: ProducerInterceptor } {
  const told: Told[] = []
  const interceptor: ProducerInterceptor = {
    onSend: (record) => ({ ...record, headers: [['value', String(record.value)]] }),
    onAcknowledgement({ topic, partition, offset }, error, headers) {
      told.push([String(headers[0]?.[1]), topic, partition, offset, error?.code ?? null])
    },
  }
  return { told, interceptor }
}

test('each sees what the one before made, in every way to send, before serializers', async () => {
  const topic = await newTopic()
  const other = await newTopic()
  const append = (mark: string): ProducerInterceptor<string, { text: string }> => ({
    onSend: (record) => ({ ...record, value: { text: record.value!.text + mark } }),
  })
  const interceptors = [append('1'), append('2'), append('3')]
  await using producer = new Producer<string, { text: string }>({
    bootstrapServers,
    interceptors,
    valueSerializer: jsonSerializer,
  })
  const given = { topic, value: { text: 'a' } }
  await producer.send(given)
  await producer.sendAll(topic, [{ value: { text: 'b' } }])
  producer.post({ topic, value: { text: 'c' } })
  await producer
    .writable(topic)
    .getWriter()
    .write({ value: { text: 'd' } })
  await producer.flush()
  expect(given).toEqual({ topic, value: { text: 'a' } })
  expect((await valuesOf(topic, 4)).map((value) => (JSON.parse(value) as { text: string }).text)).toEqual([
    'a123',
    'b123',
    'c123',
    'd123',
  ])
  await using moving = new Producer({ bootstrapServers, interceptors: [{ onSend: (record) => ({ ...record, topic: other }) }] })
  expect((await moving.send({ topic, value: 'moved' })).topic).toBe(other)
  const callback = vi.fn<(error: unknown, metadata: unknown) => void>()
  moving.post({ topic, value: 'moved' }, callback)
  await moving.flush()
  expect(callback).toHaveBeenCalledExactlyOnceWith(null, expect.objectContaining({ topic: other, offset: 1 }))
  await expect(moving.sendAll(topic, [{ value: 'v' }])).rejects.toMatchObject({
    code: 'INVALID_RECORD',
    message: expect.stringContaining('the one topic of the call'),
  })
})

describe('acknowledgement', () => {
  test('comes once for every record, before its promise or callback, with its place', async () => {
    const topic = await newTopic()
    const { told, interceptor } = witness()
    await using producer = new Producer({ bootstrapServers, interceptors: [interceptor] })
    const heard: string[] = []
    await producer.send({ topic, value: 'a', timestamp: 5 }).then(() => heard.push(`a after ${told.length}`))
    await producer.sendAll(topic, [{ value: 'b' }, { value: 'c' }]).then(() => heard.push(`b and c after ${told.length}`))
    producer.post({ topic, value: 'd' }, () => heard.push(`d after ${told.length}`))
    producer.post({ topic, value: 'e' })
    await producer.flush()
    expect(told).toEqual(['a', 'b', 'c', 'd', 'e'].map((value, offset) => [value, topic, 0, offset, null]))
    expect(heard).toEqual(['a after 1', 'b and c after 3', 'd after 5'])
  })

  test('tells why a record was refused, with what is known of its place', async () => {
    const topic = await newTopic(2)
    const { told, interceptor } = witness()
    const producer = new Producer({ bootstrapServers, interceptors: [interceptor] })
    await producer.send({ topic, value: 'known', partition: 0 })
    const refused = [
      producer.send({ topic: 'no spaces', value: 'a' }),
      producer.send({ topic, value: 7 as never }),
      producer.send({ topic, value: 'b', partition: 2 }),
      producer.send({ topic, value: 'c'.repeat(20_000), partition: 1 }),
      producer.sendAll(topic, [
        { value: 'd', partition: 1 },
        { value: 'e', timestamp: -2 },
        { value: 'f', partition: 9 },
      ]),
      producer.sendAll(topic, [{ value: 'g' }, { value: 'h', partition: 5 }], { allOrNothing: true }),
      producer.sendAll(topic, [{ value: 'i' }, { value: 'j', key: 1 as never }], { allOrNothing: true }),
    ]
    expect((await Promise.allSettled(refused)).map(({ status }) => status)).toEqual(refused.map(() => 'rejected'))
    expect(() => producer.post({ topic, value: 'k', partition: 3 })).toThrow('no partition 3')
    const failed = vi.fn<(event: unknown) => void>()
    producer.on('deliveryFailed', failed)
    producer.post({ topic, value: 'l'.repeat(20_000), partition: 0 })
    await producer.close()
    expect(failed).toHaveBeenCalledOnce()
    await expect(producer.send({ topic, value: 'm' })).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' })
    await expect(producer.sendAll(topic, [{ value: 'n' }])).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' })
    expect(told.map(([value, ...rest]) => [value.slice(0, 5), ...rest]).toSorted((a, b) => (a[0]! < b[0]! ? -1 : 1))).toEqual([
      ['7', topic, -1, -1, 'INVALID_RECORD'],
      ['a', 'no spaces', -1, -1, 'INVALID_TOPIC_EXCEPTION'],
      ['b', topic, 2, -1, 'UNKNOWN_TOPIC_OR_PARTITION'],
      ['ccccc', topic, 1, -1, 'MESSAGE_TOO_LARGE'],
      ['d', topic, 1, 0, null],
      ['e', topic, -1, -1, 'INVALID_RECORD'],
      ['f', topic, 9, -1, 'UNKNOWN_TOPIC_OR_PARTITION'],
      ['g', topic, -1, -1, 'UNKNOWN_TOPIC_OR_PARTITION'],
      ['h', topic, 5, -1, 'UNKNOWN_TOPIC_OR_PARTITION'],
      ['i', topic, -1, -1, 'INVALID_RECORD'],
      ['j', topic, -1, -1, 'INVALID_RECORD'],
      ['k', topic, 3, -1, 'UNKNOWN_TOPIC_OR_PARTITION'],
      ['known', topic, 0, 0, null],
      ['lllll', topic, 0, -1, 'MESSAGE_TOO_LARGE'],
      ['m', topic, -1, -1, 'PRODUCER_CLOSED'],
      ['n', topic, -1, -1, 'PRODUCER_CLOSED'],
    ])
  })

  test('comes for records that waited in vain', async () => {
    const { told, interceptor } = witness()
    const producer = new Producer({ bootstrapServers: '127.0.0.1:1', interceptors: [interceptor] })
    const sends = [
      producer.send({ topic: 't', value: 'a', partition: 4 }),
      producer.sendAll('t', [{ value: 'b' }, { value: 'c' }]),
    ]
    producer.post({ topic: 't', value: 'd' }, () => {})
    await producer.close({ timeoutMs: 0 })
    await Promise.allSettled(sends)
    const code = 'PRODUCER_CLOSED'
    expect(told).toEqual([
      ['a', 't', 4, -1, code],
      ['b', 't', -1, -1, code],
      ['c', 't', -1, -1, code],
      ['d', 't', -1, -1, code],
    ])
  })

  test('stays with its record when the broker has a batch split', async () => {
    const topic = await newTopic()
    const { told, interceptor } = witness()
    await using producer = new Producer({ bootstrapServers, batchSize: 50_000, interceptors: [interceptor] })
    await producer.sendAll(
      topic,
      Array.from({ length: 40 }, (_, index) => ({ value: `${index}`.padEnd(1_000, '.') })),
    )
    expect(told.map(([value, , , offset, code]) => [Number.parseInt(value, 10), offset, code])).toEqual(
      Array.from({ length: 40 }, (_, index) => [index, index, null]),
    )
  })
})

describe('an interceptor that fails', () => {
  test('stops nothing, and is told of', async () => {
    const topic = await newTopic()
    const fault = new Error('mine')
    const raise = (): never => {
      throw fault
    }
    const { told, interceptor } = witness()
    const interceptors: ProducerInterceptor[] = [
      { onSend: raise, onAcknowledgement: raise, close: raise },
      { onSend: () => undefined as never, onAcknowledgement: () => Promise.reject(fault) as never },
      { onSend: () => ({ value: 'no topic' }) as never, close: () => Promise.reject(fault) },
      interceptor,
    ]
    const producer = new Producer({ bootstrapServers, interceptors })
    const events: Array<ProducerEvents['hookFailed']> = []
    producer.on('hookFailed', (event) => events.push(event))
    await producer.send({ topic, value: 'v' })
    await producer.close()
    expect(told).toEqual([['v', topic, 0, 0, null]])
    expect(events.map(({ hook, interceptor }) => `${interceptor} ${hook}`)).toEqual([
      '0 onSend',
      '1 onSend',
      '2 onSend',
      '0 onAcknowledgement',
      '1 onAcknowledgement',
      '0 close',
      '2 close',
    ])
    expect(events.filter(({ error }) => error === fault)).toHaveLength(5)
  })

  test('makes the process warn, once per hook, when nobody listens', async () => {
    const warnings: Error[] = []
    const listen = (warning: Error): void => void warnings.push(warning)
    process.on('warning', listen)
    try {
      const onSend = (): never => {
        throw new Error('mine')
      }
      await using producer = new Producer({ bootstrapServers, interceptors: [{ onSend }] })
      await producer.sendAll(await newTopic(), [{ value: '1' }, { value: '2' }])
      await vi.waitFor(() => expect(warnings).toHaveLength(1))
    } finally {
      process.off('warning', listen)
    }
    expect(warnings[0]).toMatchObject({ name: 'MillraceWarning', message: expect.stringContaining('interceptors[0].onSend') })
  })
})

test('whatever interceptors do, each record is sent as the last good one left it and told of once', async () => {
  const step = fc.constantFrom('append', 'throw', 'nothing', 'pass', 'absent')
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 6 }), fc.integer({ min: 1, max: 20 }), async (steps, count) => {
      const topic = await newTopic()
      const { told, interceptor } = witness()
      const interceptors = steps.map((kind, index): ProducerInterceptor => {
        if (kind === 'absent') return { close() {} }
        return {
          onSend(record: ProducerRecord) {
            if (kind === 'throw') throw new Error('mine')
            if (kind === 'nothing') return undefined as never
            return kind === 'pass' ? record : { ...record, value: `${String(record.value)}${index}` }
          },
        }
      })
      await using producer = new Producer({ bootstrapServers, interceptors: [...interceptors, interceptor] })
      const failures: unknown[] = []
      producer.on('hookFailed', (event) => failures.push(event))
      const values = Array.from({ length: count }, (_, index) => `${index}:`)
      await Promise.all([
        producer.sendAll(
          topic,
          values.slice(1).map((value) => ({ value })),
        ),
        producer.send({ topic, value: values[0]! }),
      ])
      const marks = steps.map((kind, index) => (kind === 'append' ? index : '')).join('')
      const expected = [...values.slice(1), values[0]!].map((value) => value + marks)
      expect(await valuesOf(topic, count)).toEqual(expected)
      expect(told).toEqual(expected.map((value, offset) => [value, topic, 0, offset, null]))
      expect(failures).toHaveLength(count * steps.filter((kind) => kind === 'throw' || kind === 'nothing').length)
    }),
    { numRuns: 20 },
  )
})
