import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker } from '@millrace/broker'
import { readBatches } from '@millrace/records/internal'
import { describe, expect, test } from 'vitest'
import { testBroker } from '../test/test-broker.ts'
import { partitionForKey } from './murmur2.ts'
import { Producer } from './producer.ts'

const { bootstrapServers, newTopic, readAll } = await testBroker({ 'message.max.bytes': 200_000 })

describe('send', () => {
  test('stores strings, bytes, nulls, empty and unicode, with their headers and timestamps', async () => {
    const topic = await newTopic(1)
    await using producer = new Producer({ bootstrapServers })
    const sent = await Promise.all([
      producer.send({ topic, key: 'clé', value: 'žluťoučký 🐎', headers: { a: 'á', b: null }, timestamp: 1_700_000_000_000 }),
      producer.send({ topic, key: Buffer.from([0, 255]), value: null }),
      producer.send({
        topic,
        key: '',
        value: '',
        headers: [
          ['twice', '1'],
          ['twice', Buffer.from([2])],
        ],
      }),
      producer.send({ topic, key: null, value: new Uint8Array([1, 2, 3]) }),
    ])
    expect(sent.map(({ offset }) => offset)).toEqual([0, 1, 2, 3])
    expect(sent[0]).toEqual({ topic, partition: 0, offset: 0, timestamp: 1_700_000_000_000 })
    const [first, second, third, fourth] = await readAll(topic, 4)
    expect([first!.key!.toString(), first!.value!.toString(), first!.timestamp]).toEqual([
      'clé',
      'žluťoučký 🐎',
      1_700_000_000_000,
    ])
    expect(first!.headers.map(([name, value]) => [name, value?.toString()])).toEqual([
      ['a', 'á'],
      ['b', undefined],
    ])
    expect([[...second!.key!], second!.value]).toEqual([[0, 255], null])
    expect([third!.key!.length, third!.value!.length]).toEqual([0, 0])
    expect(third!.headers.map(([name, value]) => [name, [...value!]])).toEqual([
      ['twice', [49]],
      ['twice', [2]],
    ])
    expect([fourth!.key, [...fourth!.value!]]).toEqual([null, [1, 2, 3]])
  })

  test("puts keys where Java's partitioner puts them, strings and bytes alike", async () => {
    const topic = await newTopic(7)
    await using producer = new Producer({ bootstrapServers })
    const keys = ['a', 'order-17', 'ключ', 'x'.repeat(5000), '']
    for (const key of keys) {
      const expected = partitionForKey(Buffer.from(key), 7)
      expect((await producer.send({ topic, key, value: 'v' })).partition).toBe(expected)
      expect((await producer.send({ topic, key: Buffer.from(key), value: 'v' })).partition).toBe(expected)
    }
  })

  test('takes an explicit partition, and one from a partitioner of its own', async () => {
    const topic = await newTopic(3)
    await using producer = new Producer({
      bootstrapServers,
      partitioner: (_topic, _key, count) => count - 1,
    })
    expect((await producer.send({ topic, value: 'v', partition: 1 })).partition).toBe(1)
    expect((await producer.send({ topic, value: 'v' })).partition).toBe(2)
  })

  test('goes round robin, or by no key, when asked to', async () => {
    const topic = await newTopic(3)
    const record = { topic, key: 'always the same', value: 'v' }
    await using roundRobin = new Producer({ bootstrapServers, partitioner: 'roundRobin' })
    const placed = await Promise.all(Array.from({ length: 7 }, () => roundRobin.send(record)))
    expect(placed.map(({ partition }) => partition)).toEqual([0, 1, 2, 0, 1, 2, 0])
    await using keyless = new Producer({ bootstrapServers, partitionerIgnoreKeys: true, batchSize: 1 })
    const spread = await Promise.all(Array.from({ length: 100 }, () => keyless.send(record)))
    expect(new Set(spread.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2]))
    expect((await keyless.send({ ...record, partition: 1 })).partition).toBe(1)
  })

  test('keeps the order of each partition through many batches and requests', async () => {
    const topic = await newTopic(3)
    await using producer = new Producer({ bootstrapServers, batchSize: 500, lingerMs: 0 })
    const sent = Array.from({ length: 2_000 }, (_, index) =>
      producer.send({ topic, key: `k${index % 10}`, value: String(index) }),
    )
    const places = await Promise.all(sent)
    expect(new Set(places.map(({ partition, offset }) => `${partition}-${offset}`)).size).toBe(2_000)
    const last = new Map<string, number>()
    for (const { key, value } of await readAll(topic, 2_000)) {
      expect(Number(value)).toBeGreaterThan(last.get(String(key)) ?? -1)
      last.set(String(key), Number(value))
    }
  })

  test('creates a topic that does not exist yet, where the broker does so', async () => {
    await using producer = new Producer({ bootstrapServers })
    expect(await producer.send({ topic: 'fresh', value: 'v' })).toMatchObject({ partition: 0, offset: 0 })
  })

  test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('compresses with %s', async (compressionType) => {
    const topic = await newTopic(1)
    await using producer = new Producer({ bootstrapServers, compressionType, batchSize: 100_000 })
    const values = Array.from({ length: 500 }, (_, index) => `value ${index} `.repeat(20))
    await producer.sendAll(
      topic,
      values.map((value) => ({ value })),
    )
    expect((await readAll(topic, 500)).map(({ value }) => String(value))).toEqual(values)
  })

  test.each([
    ['gzip', { compressionGzipLevel: 1 }, { compressionGzipLevel: 9 }],
    ['lz4', { compressionLz4Level: 9 }, { compressionLz4Level: 17 }],
    ['zstd', { compressionZstdLevel: -100 }, { compressionZstdLevel: 19 }],
  ] as const)('compresses more with a higher level of %s', async (compressionType, low, high) => {
    let state = 1
    const values = Array.from({ length: 300 }, (_, index) => {
      state = (state * 48_271) % 0x7fffffff
      return `value ${index % 7} ${(state % 1_000).toString(16)} of ${(state % 9).toString(36)} and then ${index}`
    })
    const dataDir = await mkdtemp(join(tmpdir(), 'millrace-levels-'))
    try {
      await using disk = await Broker.start({ port: 0, dataDir })
      for (const [topic, level] of [
        ['low', low],
        ['high', high],
      ] as const) {
        const options = { bootstrapServers: disk.bootstrapServers, compressionType, batchSize: 100_000, ...level }
        await using producer = new Producer(options)
        await producer.sendAll(
          topic,
          values.map((value) => ({ value, timestamp: 1 })),
        )
      }
      await disk.close()
      const [lowSize, highSize] = await Promise.all(
        ['low', 'high'].map(async (topic) => {
          const bytes = await readFile(join(dataDir, `${topic}-0`, '00000000000000000000.log'))
          const [batch] = readBatches(bytes)
          expect([batch!.compression, batch!.recordCount]).toEqual([compressionType, 300])
          expect([...batch!].map(({ value }) => String(value))).toEqual(values)
          return bytes.length
        }),
      )
      expect(highSize).toBeLessThan(lowSize!)
    } finally {
      await rm(dataDir, { recursive: true })
    }
  })

  test.each([1, 0] as const)('works with acks %d', async (acks) => {
    const topic = await newTopic(1)
    await using producer = new Producer({ bootstrapServers, acks })
    const { offset } = await producer.send({ topic, value: 'v' })
    expect(offset).toBe(acks === 0 ? -1 : 0)
    expect(String((await readAll(topic, 1))[0]!.value)).toBe('v')
  })

  test('keeps what a socket still has to write with acks 0, however much it is', async () => {
    const topic = await newTopic(1)
    await using producer = new Producer({ bootstrapServers, acks: 0, lingerMs: 0 })
    const values = Array.from({ length: 8_000 }, (_, index) => String(index).padEnd(1_000, '.'))
    for (const [index, value] of values.entries()) {
      const sent = producer.send({ topic, value })
      if (index % 20 === 0) await sent
    }
    expect((await readAll(topic, 8_000)).map(({ value }) => String(value))).toEqual(values)
  })

  test('splits a batch that the broker finds too large, keeping order and offsets', async () => {
    const topic = await newTopic(1)
    const options = { bootstrapServers, batchSize: 900_000 }
    await using producer = new Producer(options)
    const values = Array.from({ length: 60 }, (_, index) => String(index).padEnd(10_000, '.'))
    const sent = await Promise.all(values.map((value) => producer.send({ topic, value })))
    expect(sent.map(({ offset }) => offset)).toEqual(values.map((_, index) => index))
    expect((await readAll(topic, 60)).map(({ value }) => String(value))).toEqual(values)
    expect((await producer.send({ topic, value: 'after' })).offset).toBe(60)
  })
})

describe('sendAll', () => {
  test('has one result for all, by partition', async () => {
    const topic = await newTopic(2)
    await using producer = new Producer({ bootstrapServers })
    const records = Array.from({ length: 10_000 }, (_, index) => ({ value: `v${index}`, partition: index % 2 }))
    const { recordCount, ranges } = await producer.sendAll(topic, records)
    expect(recordCount).toBe(10_000)
    expect(ranges.toSorted((a, b) => a.partition - b.partition)).toEqual([
      { partition: 0, firstOffset: 0, lastOffset: 4_999, recordCount: 5_000, logAppendTime: -1 },
      { partition: 1, firstOffset: 0, lastOffset: 4_999, recordCount: 5_000, logAppendTime: -1 },
    ])
    expect(await producer.sendAll(topic, [])).toEqual({ topic, recordCount: 0, ranges: [] })
  })

  test('waits for buffer memory and loses nothing', async () => {
    const topic = await newTopic(1)
    await using producer = new Producer({ bootstrapServers, bufferMemory: 50_000, batchSize: 5_000 })
    const values = Array.from({ length: 3_000 }, (_, index) => `${index} `.padEnd(100, '.'))
    const [all, one] = await Promise.all([
      producer.sendAll(
        topic,
        values.map((value) => ({ value })),
      ),
      producer.send({ topic, value: 'last' }),
    ])
    expect(all.recordCount).toBe(3_000)
    expect(one.offset).toBe(3_000)
    expect((await readAll(topic, 3_001)).map(({ value }) => String(value))).toEqual([...values, 'last'])
  })
})

describe('flush and close', () => {
  test('flush sends at once what would linger, and waits for it', async () => {
    const topic = await newTopic(1)
    await using producer = new Producer({ bootstrapServers, lingerMs: 50_000 })
    let stored = 0
    const sent = [1, 2, 3].map((value) => producer.send({ topic, value: String(value) }).then(() => stored++))
    await producer.flush()
    expect(stored).toBe(3)
    await Promise.all(sent)
  })

  test('a signal ends the wait of a flush, and nothing else', async () => {
    const options = { bootstrapServers: '127.0.0.1:1', lingerMs: 0 }
    const producer = new Producer(options)
    const failure = producer.send({ topic: 't', value: 'v' }).catch((error: unknown) => error)
    const controller = new AbortController()
    const flushed = producer.flush({ signal: controller.signal })
    controller.abort()
    await expect(flushed).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(producer.flush({ signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await producer.close({ timeoutMs: 0 })
    expect(await failure).toMatchObject({ code: 'PRODUCER_CLOSED' })
  })

  test('close stores what was sent, and then refuses', async () => {
    const topic = await newTopic(1)
    const producer = new Producer({ bootstrapServers, lingerMs: 50_000 })
    const sent = producer.send({ topic, value: 'v' })
    await producer.close()
    expect(await sent).toMatchObject({ offset: 0 })
    await expect(producer.send({ topic, value: 'v' })).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' })
    await producer.close()
  })

  test.each([-1, 0.5, Number.NaN, Infinity, 2 ** 31, '5'])(
    'close refuses %s as a time, and closes nothing',
    async (timeoutMs) => {
      const topic = await newTopic(1)
      await using producer = new Producer({ bootstrapServers })
      await expect(producer.close({ timeoutMs: timeoutMs as number })).rejects.toMatchObject({
        code: 'INVALID_CONFIG',
        option: 'timeoutMs',
      })
      expect(await producer.send({ topic, value: 'v' })).toMatchObject({ offset: 0 })
    },
  )

  test('close gives up after its timeout what cannot be stored', async () => {
    const producer = new Producer({ bootstrapServers: '127.0.0.1:1' })
    const failure = producer.send({ topic: 't', value: 'v' }).catch((error: unknown) => error)
    await producer.close({ timeoutMs: 20 })
    expect(await failure).toMatchObject({ code: expect.stringMatching(/PRODUCER_CLOSED|BOOTSTRAP_FAILED|CLIENT_CLOSED/) })
  })
})

describe('refuses, naming what is wrong', () => {
  const cases: ReadonlyArray<readonly [code: string, words: RegExp, record: object]> = [
    ['INVALID_TOPIC_EXCEPTION', /"no spaces"/, { topic: 'no spaces', value: '' }],
    ['INVALID_TOPIC_EXCEPTION', /""/, { topic: '', value: '' }],
    ['INVALID_TOPIC_EXCEPTION', /\.\./, { topic: '..', value: '' }],
    ['INVALID_TOPIC_EXCEPTION', /249/, { topic: 'x'.repeat(250), value: '' }],
    ['INVALID_TOPIC_EXCEPTION', /undefined/, { value: '' }],
    ['INVALID_RECORD', /value is 42/, { topic: 't', value: 42 }],
    ['INVALID_RECORD', /value is undefined/, { topic: 't' }],
    ['INVALID_RECORD', /key is object/, { topic: 't', key: {}, value: '' }],
    ['INVALID_RECORD', /timestamp is -5/, { topic: 't', value: '', timestamp: -5 }],
    ['INVALID_RECORD', /partition is 1\.5/, { topic: 't', value: '', partition: 1.5 }],
    ['INVALID_RECORD', /header "h"/, { topic: 't', value: '', headers: { h: 1 } }],
    ['RECORD_TOO_LARGE', /maxRequestSize, which is 1048576/, { topic: 't', value: 'x'.repeat(1_100_000) }],
    ['RECORD_TOO_LARGE', /maxRequestSize, which is 1048576/, { topic: 't', value: '', headers: { h: Buffer.alloc(1_100_000) } }],
  ]
  test.each(cases)('%s %s', async (code, words, record) => {
    await using producer = new Producer({ bootstrapServers })
    const error: unknown = await producer.send(record as never).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code, retriable: false, message: expect.stringMatching(words) })
  })

  test('a partition that the topic does not have', async () => {
    const topic = await newTopic(2)
    await using producer = new Producer({ bootstrapServers })
    const error: unknown = await producer.send({ topic, value: 'v', partition: 2 }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', message: expect.stringContaining('0 to 1') })
    await using wild = new Producer({ bootstrapServers, partitioner: () => -1 })
    await expect(wild.send({ topic, value: 'v' })).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
  })

  test('what a partitioner throws, in every way to send', async () => {
    const topic = await newTopic(1)
    const fault = new Error('mine')
    const partitioner = (): never => {
      throw fault
    }
    await using producer = new Producer({ bootstrapServers, partitioner })
    const expected = { code: 'PARTITIONER_FAILED', retriable: false, message: expect.stringContaining(topic), cause: fault }
    await expect(producer.send({ topic, value: 'v' })).rejects.toMatchObject(expected)
    await expect(producer.send({ topic, value: 'v' })).rejects.toMatchObject(expected)
    await expect(producer.sendAll(topic, [{ value: 'v' }])).rejects.toMatchObject({ code: 'PARTITIONER_FAILED', failedCount: 1 })
    expect(() => producer.post({ topic, value: 'v' })).toThrow(expect.objectContaining(expected))
    expect((await producer.send({ topic, value: 'v', partition: 0 })).offset).toBe(0)
  })

  test('an event that does not exist, and a listener that is none', async () => {
    await using producer = new Producer({ bootstrapServers })
    expect(() => producer.on('failed' as never, () => {})).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', option: 'event', message: expect.stringContaining('deliveryFailed') }),
    )
    expect(() => producer.on('deliveryFailed', 1 as never)).toThrow(expect.objectContaining({ option: 'listener' }))
  })

  test('every way to send once it is closed', async () => {
    const topic = await newTopic(1)
    const producer = new Producer({ bootstrapServers })
    const streams = [producer.writable(topic).getWriter(), producer.writable().getWriter()] as const
    const node = producer.nodeWritable(topic)
    await producer.close()
    const closed = { code: 'PRODUCER_CLOSED' }
    await expect(producer.send({ topic, value: 'v' })).rejects.toMatchObject(closed)
    await expect(producer.sendAll(topic, [{ value: 'v' }])).rejects.toMatchObject(closed)
    await expect(producer.sendAll(topic, [])).rejects.toMatchObject(closed)
    expect(() => producer.post({ topic, value: 'v' })).toThrow(expect.objectContaining(closed))
    await expect(streams[0].write({ value: 'v' })).rejects.toMatchObject(closed)
    await expect(streams[1].write({ topic, value: 'v' })).rejects.toMatchObject(closed)
    const failure = new Promise((resolve) => node.on('error', resolve))
    node.write({ value: 'v' })
    expect(await failure).toMatchObject(closed)
    await producer.flush()
    await producer.ready()
  })

  test('one record that the broker finds too large, with its code', async () => {
    const topic = await newTopic(1)
    await using producer = new Producer({ bootstrapServers })
    await expect(producer.send({ topic, value: 'x'.repeat(300_000) })).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
    expect((await producer.send({ topic, value: 'goes on' })).offset).toBe(0)
  })

  test('a topic that does not show up in maxBlockMs', async () => {
    await using strict = await Broker.start({ port: 0, autoCreateTopics: false })
    await using producer = new Producer({ bootstrapServers: strict.bootstrapServers, maxBlockMs: 150 })
    const error: unknown = await producer.send({ topic: 'nowhere', value: 'v' }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'METADATA_TIMED_OUT', topic: 'nowhere', timeoutMs: 150 })
  })
})
