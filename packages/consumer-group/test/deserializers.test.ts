import {
  bytesDeserializer,
  jsonDeserializer,
  stringDeserializer,
  type Consumer,
  type ConsumerRecord,
  type DeserializationError,
} from '@millrace/consumer-group'
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest'
import { TestBench } from './bench.ts'

interface Order {
  readonly id: number
}

let bench: TestBench

beforeAll(async () => {
  bench = await TestBench.start()
})

afterAll(() => bench[Symbol.asyncDispose]())

/** Values 0 to 5 as JSON; 2 and 3 are none. */
async function poisoned(): Promise<string> {
  const topic = await bench.topic(1)
  const values = ['{"id":0}', '{"id":1}', '{"id":', 'nonsense', '{"id":4}', null]
  await bench.producer.sendAll(
    topic,
    values.map((value, index) => ({ key: `k${index}`, value, partition: 0, headers: { n: String(index) } })),
  )
  return topic
}

function typed(topic: string, options: object = {}): Consumer<string | null, Order | null> {
  const consumer = bench.consumer({
    keyDeserializer: stringDeserializer,
    valueDeserializer: jsonDeserializer<Order>(),
    ...options,
  })
  if (!('groupId' in options)) consumer.assign([{ topic, partition: 0 }])
  return consumer
}

async function ids(consumer: Consumer<string | null, Order | null>, last: number): Promise<string[]> {
  const seen: string[] = []
  for await (const { offset, key, value } of consumer) {
    seen.push(`${key}=${value?.id ?? 'none'}`)
    if (offset === last) consumer.stop()
  }
  return seen
}

test('records are typed, and keep what else they say', async () => {
  const topic = await poisoned()
  await using consumer = typed(topic, { onDeserializationError: 'skip' })
  const records: ConsumerRecord<string | null, Order | null>[] = []
  for await (const record of consumer) {
    expectTypeOf(record.value).toEqualTypeOf<Order | null>()
    expectTypeOf(record.key).toEqualTypeOf<string | null>()
    records.push(record)
    if (record.offset === 5) consumer.stop()
  }
  const [first] = records
  expect(first).toMatchObject({ topic, partition: 0, offset: 0, key: 'k0', value: { id: 0 } })
  expect(first!.timestamp).toBeGreaterThan(1_700_000_000_000)
  expect(first!.headers).toEqual([['n', Buffer.from('0')]])
  // Made once, so that it can be asked for often.
  expect(first!.value).toBe(first!.value)
  expect(JSON.parse(JSON.stringify(records.at(-1)))).toMatchObject({ offset: 5, key: 'k5', value: null })
})

test('one alone will do, and bytes are the default', async () => {
  const topic = await bench.topic(1)
  await bench.producer.sendAll(topic, [{ key: null, value: 'é', partition: 0 }])
  await using consumer = bench.consumer({ valueDeserializer: stringDeserializer, keyDeserializer: bytesDeserializer })
  consumer.assign([{ topic, partition: 0 }])
  for await (const { key, value } of consumer) {
    expectTypeOf(value).toEqualTypeOf<string | null>()
    expect([key, value]).toEqual([null, 'é'])
    consumer.stop()
  }
})

describe('a record that cannot be deserialized', () => {
  test('is thrown by name, was not handled, comes again, and is passed by seek', async () => {
    const topic = await poisoned()
    await using consumer = typed(topic, { groupId: 'thrower', topics: [topic] })
    const failure = { name: 'DeserializationError', code: 'DESERIALIZATION_FAILED', topic, partition: 0, part: 'value' }
    await expect(ids(consumer, 5)).rejects.toMatchObject({ ...failure, offset: 2, cause: expect.any(SyntaxError) as Error })
    await consumer.commit()
    expect(await bench.committed('thrower', topic)).toEqual([2])
    const again: unknown = await ids(consumer, 5).catch((error: unknown) => error)
    expect(again).toMatchObject({ ...failure, offset: 2, message: expect.stringContaining(`${topic}-0 at offset 2`) as string })
    expect(String((again as DeserializationError).record.value)).toBe('{"id":')
    consumer.seek({ topic, partition: 0 }, 3)
    await expect(ids(consumer, 5)).rejects.toMatchObject({ ...failure, offset: 3 })
    consumer.seek({ topic, partition: 0 }, 4)
    expect(await ids(consumer, 5)).toEqual(['k4=4', 'k5=none'])
  })

  test('is passed over and told of when it is to be skipped', async () => {
    const topic = await poisoned()
    await using consumer = typed(topic, { groupId: 'skipper', topics: [topic], onDeserializationError: 'skip' })
    const told: number[] = []
    consumer.on('deserializationFailed', ({ error }) => told.push(error.offset))
    expect(await ids(consumer, 5)).toEqual(['k0=0', 'k1=1', 'k4=4', 'k5=none'])
    expect(told).toEqual([2, 3])
    await consumer.commit()
    expect(await bench.committed('skipper', topic)).toEqual([6])
  })

  test('is given to a function, whose own failure stops the loop there', async () => {
    const topic = await poisoned()
    const set: string[] = []
    await using consumer = typed(topic, {
      onDeserializationError: ({ record, offset }: DeserializationError) => {
        if (offset === 3 && set.length < 2) {
          set.push('full')
          throw new Error('no room')
        }
        set.push(`${String(record.key)}:${String(record.value)}`)
      },
    })
    await expect(ids(consumer, 5)).rejects.toThrow('no room')
    expect(set).toEqual(['k2:{"id":', 'full'])
    expect(await ids(consumer, 5)).toEqual(['k4=4', 'k5=none'])
    expect(set.at(-1)).toBe('k3:nonsense')
  })

  test('within a batch is thrown while that is iterated, or left out', async () => {
    const topic = await poisoned()
    await using throwing = typed(topic)
    const seen: number[] = []
    const read = async (): Promise<void> => {
      for await (const batch of throwing.batches()) for (const { offset } of batch) seen.push(offset)
    }
    await expect(read()).rejects.toMatchObject({ code: 'DESERIALIZATION_FAILED', offset: 2 })
    await expect(read()).rejects.toMatchObject({ code: 'DESERIALIZATION_FAILED', offset: 2 })
    expect(seen).toEqual([0, 1, 0, 1])
    await using skipping = typed(topic, { onDeserializationError: 'skip' })
    for await (const batch of skipping.batches()) {
      expect(Array.from(batch, ({ value }) => value?.id)).toEqual([0, 1, 4, undefined])
      expectTypeOf([...batch]).toEqualTypeOf<ConsumerRecord<string | null, Order | null>[]>()
      skipping.stop()
    }
  })
})
