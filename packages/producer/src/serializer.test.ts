import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { testBroker } from '../test/test-broker.ts'
import { SendAllError } from './delivery.ts'
import { SerializationError } from './errors.ts'
import { partitionForKey } from './murmur2.ts'
import { Producer } from './producer.ts'
import type { Bytes, RecordInput } from './record.ts'
import { bytesSerializer, jsonSerializer, stringSerializer, type MutableHeaders, type Serializer } from './serializer.ts'

const { bootstrapServers, newTopic, readAll } = await testBroker()

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'it was fulfilled',
    (error: unknown) => error,
  )
}

interface Order {
  readonly id: number
  readonly note?: string | undefined
}

describe('built in', () => {
  test('what each takes and refuses', () => {
    expect(stringSerializer('ě')).toBe('ě')
    expect(bytesSerializer(Buffer.from([1]))).toEqual(Buffer.from([1]))
    expect(jsonSerializer({ a: [1, null] })).toBe('{"a":[1,null]}')
    expect(() => stringSerializer(1 as never)).toThrow('a number is no string')
    expect(() => bytesSerializer('x' as never)).toThrow('a string is no Uint8Array')
    expect(() => bytesSerializer(new Float64Array(1) as never)).toThrow('an instance of Float64Array')
    expect(() => jsonSerializer(() => 1)).toThrow('JSON has no word for a function')
    expect(() => jsonSerializer(1n)).toThrow(TypeError)
  })

  test('every way to send writes what they make, and a consumer reads it', async () => {
    const topic = await newTopic()
    const keySerializer = stringSerializer
    await using producer = new Producer({ bootstrapServers, keySerializer, valueSerializer: jsonSerializer<Order> })
    await producer.send({ topic, key: 'a', value: { id: 1 } })
    await producer.sendAll(topic, [{ key: 'b', value: { id: 2, note: 'é' } }, { value: null }])
    producer.post({ topic, key: null, value: { id: 4 } })
    const writer = producer.writable(topic).getWriter()
    await writer.write({ key: 'e', value: { id: 5 } })
    await writer.close()
    producer.nodeWritable().end({ topic, key: 'f', value: { id: 6 } })
    await producer.flush()
    const records = await readAll(topic, 6)
    expect(records.map(({ key, value }) => [key?.toString() ?? null, value === null ? null : JSON.parse(String(value))])).toEqual(
      [
        ['a', { id: 1 }],
        ['b', { id: 2, note: 'é' }],
        [null, null],
        [null, { id: 4 }],
        ['e', { id: 5 }],
        ['f', { id: 6 }],
      ],
    )
  })

  test('random records come back as they went in, headers in their order with their repeats', async () => {
    const record = fc.record({
      key: fc.option(fc.string({ unit: 'binary' }), { nil: undefined }),
      value: fc.jsonValue(),
      headers: fc.array(fc.tuple(fc.constantFrom('a', 'b', 'ř', ''), fc.option(fc.uint8Array()))),
      partition: fc.constantFrom(0, 1),
    })
    await using producer = new Producer<string, fc.JsonValue>({
      bootstrapServers,
      keySerializer: stringSerializer,
      valueSerializer: jsonSerializer,
    })
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 40 }), async (records) => {
        const topic = await newTopic(2)
        await producer.sendAll(topic, records as Array<RecordInput<string, fc.JsonValue>>)
        const read = await readAll(topic, records.length)
        const sent = [0, 1].flatMap((partition) => records.filter((one) => one.partition === partition))
        expect(read.map(({ key }) => key?.toString())).toEqual(sent.map(({ key }) => key?.toString()))
        // -0 is 0 in JSON; a null is Kafka's, not JSON's.
        const values = read.map(({ value }) => (value === null ? null : (JSON.parse(String(value)) as unknown)))
        expect(values).toEqual(sent.map(({ value }) => JSON.parse(JSON.stringify(value)) as unknown))
        const headersOf = (pairs: Iterable<readonly [string, Bytes]>): unknown =>
          [...pairs].map(([name, value]) => [name, value === null ? null : Buffer.from(value as Uint8Array)])
        expect(read.map(({ headers }) => headersOf(headers))).toEqual(sent.map((one) => headersOf(one.headers as MutableHeaders)))
      }),
      { numRuns: 15 },
    )
  })
})

describe("a user's serializer", () => {
  test('gets data, topic and headers, and may add headers; the key comes first', async () => {
    const topic = await newTopic()
    const calls: unknown[] = []
    const tagged =
      (name: string): Serializer<number> =>
      (data, to, headers) => {
        calls.push([name, data, to, headers.map(([header]) => header)])
        headers.push([`${name}-schema`, Buffer.from([data])])
        return Buffer.alloc(2, data)
      }
    await using producer = new Producer({ bootstrapServers, keySerializer: tagged('key'), valueSerializer: tagged('value') })
    const headers = { own: '1' }
    await producer.send({ topic, key: 7, value: 8, headers })
    await producer.send({ topic, value: 9 })
    await producer.send({ topic, key: null, value: null })
    expect(calls).toEqual([
      ['key', 7, topic, ['own']],
      ['value', 8, topic, ['own', 'key-schema']],
      ['value', 9, topic, []],
    ])
    expect(headers).toEqual({ own: '1' })
    const [first, second, third] = await readAll(topic, 3)
    expect([[...first!.key!], [...first!.value!], first!.headers.map(([name]) => name)]).toEqual([
      [7, 7],
      [8, 8],
      ['own', 'key-schema', 'value-schema'],
    ])
    expect([second!.key, second!.headers.map(([name]) => name)]).toEqual([null, ['value-schema']])
    expect([third!.key, third!.value]).toEqual([null, null])
  })

  test('may make a null', async () => {
    const topic = await newTopic()
    await using producer = new Producer({ bootstrapServers, valueSerializer: (_deleted: symbol) => null })
    await producer.send({ topic, key: 'k', value: Symbol('gone') })
    expect((await readAll(topic, 1))[0]!.value).toBeNull()
  })

  test('runs before the partitioner, which sees what it made', async () => {
    const topic = await newTopic(5)
    const seen: Bytes[] = []
    const partitioner = (_topic: string, key: Bytes): number => {
      seen.push(key)
      return 3
    }
    const keySerializer = (id: number): Uint8Array => Buffer.from([id])
    await using chosen = new Producer({ bootstrapServers, keySerializer, partitioner })
    expect((await chosen.send({ topic, key: 5, value: 'v' })).partition).toBe(3)
    await chosen.send({ topic, value: 'v' })
    await using plain = new Producer({ bootstrapServers, partitioner })
    await plain.send({ topic, key: 'text', value: 'v' })
    expect(seen).toEqual([Buffer.from([5]), null, 'text'])
    await using hashed = new Producer({ bootstrapServers, keySerializer })
    for (let id = 0; id < 10; id++)
      expect((await hashed.send({ topic, key: id, value: 'v' })).partition).toBe(partitionForKey(Buffer.from([id]), 5))
  })
})

describe('a serializer that fails', () => {
  const wrong: ReadonlyArray<readonly [what: string, serializer: Serializer<never>, words: RegExp]> = [
    [
      'throws an error',
      () => {
        throw new RangeError('out of range')
      },
      /value cannot be serialized: out of range/,
    ],
    [
      'throws no error',
      () => {
        // oxlint-disable-next-line no-throw-literal -- a user may
        throw 'text'
      },
      /serialized: text/,
    ],
    [
      'throws what has no text',
      () => {
        throw Object.create(null)
      },
      /serialized: something that cannot be shown/,
    ],
    ['gives undefined', () => undefined as never, /gave back undefined/],
    ['gives a number', () => 5 as never, /gave back a number/],
    ['gives a promise', () => Promise.resolve('') as never, /an instance of Promise/],
    ['gives an ArrayBuffer', () => new ArrayBuffer(1) as never, /an instance of ArrayBuffer/],
    ['gives a plain object', () => ({}) as never, /gave back an object/],
  ]
  test.each(wrong)('%s', async (what, valueSerializer, words) => {
    const topic = await newTopic()
    await using producer = new Producer<Bytes, unknown>({ bootstrapServers, valueSerializer: valueSerializer as never })
    const error = await failureOf(producer.send({ topic, value: 1 }))
    expect(error).toBeInstanceOf(SerializationError)
    expect(error).toMatchObject({ code: 'SERIALIZATION_FAILED', retriable: false, topic, field: 'value' })
    expect((error as Error).message).toMatch(words)
    expect((error as Error).cause).toEqual(what.startsWith('throws') ? expect.anything() : undefined)
    expect(() => producer.post({ topic, value: 1 })).toThrow(SerializationError)
    await expect(producer.writable(topic).getWriter().write({ value: 1 })).rejects.toThrow(SerializationError)
  })

  test('names the key, and keeps its cause', async () => {
    const cause = new Error('no')
    const keySerializer = (): Bytes => {
      throw cause
    }
    await using producer = new Producer<string>({ bootstrapServers, keySerializer })
    const error = await failureOf(producer.send({ topic: 'unseen', key: 'k', value: 'v' }))
    expect(error).toMatchObject({ field: 'key', topic: 'unseen', cause })
  })

  test('is not called for a topic that no record can go to, nor for what is no record', async () => {
    let calls = 0
    const valueSerializer = (): Bytes => String(calls++)
    await using producer = new Producer<Bytes, number>({ bootstrapServers, valueSerializer })
    expect(await failureOf(producer.send({ topic: 'no spaces', value: 1 }))).toMatchObject({ code: 'INVALID_TOPIC_EXCEPTION' })
    expect(await failureOf(producer.send({ topic: 't', value: undefined as never }))).toMatchObject({ code: 'INVALID_RECORD' })
    expect(await failureOf(producer.sendAll('t', [null as never]))).toMatchObject({ code: 'INVALID_RECORD' })
    expect(calls).toBe(0)
  })

  test('leaves the other records of a sendAll alone', async () => {
    const topic = await newTopic()
    const valueSerializer = (n: number): Bytes => {
      if (n % 3 === 1) throw new Error(`not ${n}`)
      return String(n)
    }
    await using producer = new Producer({ bootstrapServers, valueSerializer })
    const records = [0, 1, 2, 3, 4, 5].map((value) => ({ value }))
    const error = (await failureOf(producer.sendAll(topic, records))) as SendAllError
    expect(error).toBeInstanceOf(SendAllError)
    expect(error).toMatchObject({ code: 'SERIALIZATION_FAILED', failedCount: 2, cause: { message: /not 1/ } })
    expect(error.refused.map(({ index, error }) => [index, (error as SerializationError).field])).toEqual([
      [1, 'value'],
      [4, 'value'],
    ])
    expect(error.delivered).toMatchObject([{ partition: 0, firstOffset: 0, lastOffset: 3, recordCount: 4 }])
    expect((await readAll(topic, 4)).map(({ value }) => String(value))).toEqual(['0', '2', '3', '5'])
  })
})

test('types', () => {
  const construct = (): unknown[] => [
    // @ts-expect-error -- keys and values that are no bytes need serializers
    new Producer<number, Order>({ bootstrapServers }),
    // @ts-expect-error -- the value's is missing
    new Producer<string, Order>({ bootstrapServers, keySerializer: stringSerializer }),
    new Producer<string, Uint8Array>({ bootstrapServers }),
    new Producer<string, Order>({ bootstrapServers, valueSerializer: jsonSerializer }),
  ]
  const use = (typed: Producer<string, Order>, plain: Producer): void => {
    void typed.send({ topic: 't', key: 'k', value: { id: 1 } })
    // @ts-expect-error -- no Order
    void typed.send({ topic: 't', value: 'text' })
    // @ts-expect-error -- no string
    void typed.sendAll('t', [{ key: 1, value: { id: 1 } }])
    // @ts-expect-error -- no Order
    typed.post({ topic: 't', value: { name: '' } })
    // @ts-expect-error -- no Order
    void typed.writable('t').getWriter().write({ value: 1 })
    void plain.send({ topic: 't', key: Buffer.alloc(1), value: 'text' })
    // @ts-expect-error -- no bytes
    void plain.send({ topic: 't', value: {} })
  }
  expect([construct, use].map((each) => typeof each)).toEqual(['function', 'function'])
})
