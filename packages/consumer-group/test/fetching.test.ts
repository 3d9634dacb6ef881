import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker } from '@millrace/broker'
import { Consumer, type ConsumerRecord } from '@millrace/consumer-group'
import { Producer } from '@millrace/producer'
import { batchBytes } from '@millrace/records/internal'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nextEvent, range, take, TestBench, until } from './bench.ts'

let bench: TestBench

beforeAll(async () => {
  bench = await TestBench.start()
})

afterAll(() => bench[Symbol.asyncDispose]())

describe('what cannot be fetched', () => {
  test('of one topic is an error that names it, while the other topic goes on; and it goes on itself once it can', async () => {
    const [fine, refused] = [await bench.topic(1, 20), await bench.topic(1, 20)]
    await using consumer = bench.consumer()
    const fault = bench.broker.faults.add({
      api: 'Fetch',
      topic: refused,
      times: Infinity,
      answer: { error: 'TOPIC_AUTHORIZATION_FAILED' },
    })
    consumer.assign([
      { topic: fine, partition: 0 },
      { topic: refused, partition: 0 },
    ])
    const seen: Record<string, number[]> = { [fine]: [], [refused]: [] }
    const failures: unknown[] = []
    while (seen[refused]!.length < 20 || seen[fine]!.length < 20) {
      try {
        for await (const { topic, offset } of consumer) {
          seen[topic]!.push(offset)
          if (seen[refused]!.length === 20 && seen[fine]!.length === 20) consumer.stop()
        }
      } catch (error) {
        failures.push(error)
        if (seen[fine]!.length === 20) fault.remove()
      }
    }
    expect(failures.length).toBeGreaterThan(0)
    for (const failure of failures) {
      expect(failure).toMatchObject({
        code: 'TOPIC_AUTHORIZATION_FAILED',
        message: expect.stringContaining(`${refused}-0 at offset 0`) as string,
      })
    }
    expect(seen).toEqual({ [fine]: range(0, 20), [refused]: range(0, 20) })
  })

  test.each([
    'UNKNOWN_SERVER_ERROR',
    'KAFKA_STORAGE_ERROR',
    'OFFSET_NOT_AVAILABLE',
    'UNKNOWN_LEADER_EPOCH',
    'UNKNOWN_TOPIC_OR_PARTITION',
  ])('%s passes: nothing is reset, skipped or repeated', async (error) => {
    const topic = await bench.topic(1, 10)
    bench.broker.faults.add({ api: 'Fetch', topic, times: 3, answer: { error } })
    await using consumer = bench.consumer({ autoOffsetReset: 'latest' })
    consumer.assign([{ topic, partition: 0, offset: 4 }])
    expect(await take(consumer, 6)).toEqual(range(4, 10))
  })

  test.each([{ offset: 0 }, {}])('a topic that we may not see is an error that names it, from %o; others go on', async (from) => {
    const [fine, hidden] = [await bench.topic(1, 3), await bench.topic(1, 3)]
    await using consumer = bench.consumer({ clientId: 'outsider' })
    const fault = bench.broker.faults.add({
      api: 'Metadata',
      clientId: 'outsider',
      topic: hidden,
      times: Infinity,
      answer: { error: 'TOPIC_AUTHORIZATION_FAILED' },
    })
    consumer.assign([
      { topic: hidden, partition: 0, ...from },
      { topic: fine, partition: 0 },
    ])
    const seen: string[] = []
    const failures: unknown[] = []
    while (seen.length < 6) {
      try {
        for await (const { topic, offset } of consumer) {
          seen.push(`${topic}:${offset}`)
          if (seen.length === 6) consumer.stop()
        }
      } catch (error) {
        failures.push(error)
        if (seen.length === 3) fault.remove()
      }
    }
    expect(failures[0]).toMatchObject({
      code: 'TOPIC_AUTHORIZATION_FAILED',
      message: expect.stringContaining(hidden) as string,
    })
    expect(seen).toEqual([
      ...range(0, 3).map((offset) => `${fine}:${offset}`),
      ...range(0, 3).map((offset) => `${hidden}:${offset}`),
    ])
  })

  test('a broker that cannot read its own log says where', async () => {
    const topic = await bench.topic(1, 10)
    bench.broker.faults.add({ api: 'Fetch', topic, times: 1, answer: { error: 'CORRUPT_MESSAGE' } })
    await using consumer = bench.consumer()
    consumer.assign([{ topic, partition: 0, offset: 4 }])
    await expect(take(consumer, 6)).rejects.toMatchObject({
      name: 'UnreadableRecordError',
      topic,
      partition: 0,
      offset: 4,
      nextOffset: -1,
    })
    expect(await take(consumer, 6)).toEqual(range(4, 10))
  })

  test('a leader that moves is followed, whoever says so', async () => {
    const topic = await bench.topic(1, 10)
    bench.broker.faults.add({ api: 'Fetch', topic, skip: 1, times: 2, answer: { electLeader: 1 } })
    await using consumer = bench.consumer()
    consumer.assign([{ topic, partition: 0 }])
    const offsets = take(consumer, 30)
    for (let from = 10; from < 30; from += 5) await bench.fill(topic, 0, from, from + 5)
    expect(await offsets).toEqual(range(0, 30))
  })
})

describe('where to begin', () => {
  test.each(['COORDINATOR_NOT_AVAILABLE', 'COORDINATOR_LOAD_IN_PROGRESS', 'UNSTABLE_OFFSET_COMMIT', 'NOT_COORDINATOR'])(
    '%s is waited out: it never looks like "nothing was committed"',
    async (error) => {
      const topic = await bench.topic(1, 10)
      const groupId = `patient-${error}`
      {
        await using consumer = bench.consumer({ groupId })
        consumer.assign([{ topic, partition: 0 }])
        await take(consumer, 4)
      }
      const fault = bench.broker.faults.add({ api: 'OffsetFetch', group: groupId, times: 4, answer: { error } })
      await using consumer = bench.consumer({ groupId, autoOffsetReset: 'latest' })
      consumer.assign([{ topic, partition: 0 }])
      expect(await take(consumer, 6)).toEqual(range(4, 10))
      expect(fault.hits).toBe(4)
    },
  )

  test('an offset that the group may not see is an error that names it; other partitions go on', async () => {
    const topic = await bench.topic(2, 3)
    bench.broker.faults.add({
      api: 'OffsetFetch',
      topic,
      partition: 1,
      times: Infinity,
      answer: { error: 'TOPIC_AUTHORIZATION_FAILED' },
    })
    await using consumer = bench.consumer({ groupId: 'blind' })
    consumer.assign(range(0, 2).map((partition) => ({ topic, partition })))
    const failures: unknown[] = []
    const seen: number[] = []
    while (seen.length < 3) {
      try {
        for await (const { partition, offset } of consumer) {
          expect(partition).toBe(0)
          seen.push(offset)
          if (seen.length === 3) consumer.stop()
        }
      } catch (error) {
        failures.push(error)
      }
    }
    expect(seen).toEqual([0, 1, 2])
    await expect(take(consumer, 1)).rejects.toMatchObject({
      code: 'TOPIC_AUTHORIZATION_FAILED',
      message: expect.stringContaining(`${topic}-1`) as string,
    })
    // The application says where, and needs no committed offset then.
    consumer.seek({ topic, partition: 1 }, 1)
    expect(await take(consumer, 2)).toEqual([1, 2])
  })

  test('by_duration begins with the first record that is recent enough, or at the end when none is', async () => {
    const topic = await bench.topic(2)
    const now = Date.now()
    const hours = (ago: number): { partition: number; value: string; timestamp: number } => {
      return { partition: 0, value: `${ago}`, timestamp: now - ago * 3_600_000 }
    }
    await bench.producer.sendAll(topic, [...[50, 30, 20, 10].map(hours), { ...hours(100), partition: 1 }])
    await using consumer = bench.consumer({ autoOffsetReset: 'by_duration:P1D' })
    consumer.assign(range(0, 2).map((partition) => ({ topic, partition })))
    expect(await consumer.position({ topic, partition: 1 })).toBe(1)
    expect(await take(consumer, 2)).toEqual([2, 3])
  })
})

describe('connections and sizes', () => {
  test('fetches have a connection apart from that of the coordinator', async () => {
    const topic = await bench.topic(1, 5)
    await using consumer = bench.consumer({ clientId: 'apart', groupId: 'apart', topics: [topic] })
    await take(consumer, 5)
    await consumer.commit()
    const connections = (api: string): Set<number> =>
      new Set(bench.broker.requests.list({ api, clientId: 'apart' }).map(({ connection }) => connection))
    expect(connections('Fetch').size).toBe(1)
    for (const api of ['JoinGroup', 'OffsetCommit']) {
      expect(connections(api).size).toBe(1)
      expect(connections('Fetch').has([...connections(api)][0]!)).toBe(false)
    }
  })

  test('a record larger than every limit is read nevertheless', async () => {
    const topic = await bench.topic(1)
    await bench.producer.sendAll(topic, [
      { partition: 0, value: 'x'.repeat(50_000) },
      { partition: 0, value: 'after' },
    ])
    await using consumer = bench.consumer({ maxPartitionFetchBytes: 100, fetchMaxBytes: 100 })
    consumer.assign([{ topic, partition: 0 }])
    expect(await take(consumer, 2)).toEqual([0, 1])
  })

  test('fetchMinBytes waits for more, for up to fetchMaxWaitMs', async () => {
    const topic = await bench.topic(1, 1)
    await using consumer = bench.consumer({ clientId: 'greedy', fetchMinBytes: 1_000_000, fetchMaxWaitMs: 150 })
    consumer.assign([{ topic, partition: 0 }])
    await take(consumer, 1)
    const [first] = bench.broker.requests.list({ api: 'Fetch', clientId: 'greedy', topic })
    expect(first!.answeredAt! - first!.at).toBeGreaterThanOrEqual(149)
  })
})

describe('damage', () => {
  let dataDir: string
  let broker: Broker

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'millrace-damage-'))
    broker = await Broker.start({ port: 0, dataDir, numPartitions: 2 })
    await using producer = new Producer({ bootstrapServers: broker.bootstrapServers, lingerMs: 0 })
    for (const partition of [0, 1]) {
      for (let index = 0; index < 6; index++) await producer.send({ topic: 't', partition, value: `value-${index}` })
    }
    // One byte of the value of the third record, which is a batch of its own.
    const log = await open(join(dataDir, 't-0', '00000000000000000000.log'), 'r+')
    const size = batchBytes((await log.read(Buffer.alloc(61), 0, 61, 0)).buffer, 0)
    await log.write(Buffer.from('!'), 0, 1, 3 * size - 4)
    await log.close()
  })

  afterAll(async () => {
    await broker.close()
    await rm(dataDir, { recursive: true })
  })

  async function readAll(consumer: Consumer, failed: (error: unknown) => void): Promise<string[]> {
    const seen: string[] = []
    while (seen.length < 11) {
      try {
        for await (const { partition, offset } of consumer) {
          seen.push(`${partition}:${offset}`)
          if (seen.length === 11) consumer.stop()
        }
      } catch (error) {
        failed(error)
      }
    }
    return seen.sort()
  }

  test('is an error that names topic, partition and offset, skips nothing, and says where to go on; the other partition does anyway', async () => {
    await using consumer = new Consumer({ bootstrapServers: broker.bootstrapServers, autoOffsetReset: 'earliest' })
    consumer.assign([
      { topic: 't', partition: 0 },
      { topic: 't', partition: 1 },
    ])
    const failures: unknown[] = []
    const seen = await readAll(consumer, (error) => {
      failures.push(error)
      // Twice, to see that it does not go away by itself.
      if (failures.length === 2) consumer.seek({ topic: 't', partition: 0 }, (error as { nextOffset: number }).nextOffset)
    })
    const expected = {
      name: 'UnreadableRecordError',
      code: 'CORRUPT_MESSAGE',
      topic: 't',
      partition: 0,
      offset: 2,
      nextOffset: 3,
    }
    expect(failures).toMatchObject([expected, expected])
    expect(seen).toEqual([...[0, 1, 3, 4, 5].map((offset) => `0:${offset}`), ...range(0, 6).map((offset) => `1:${offset}`)])
  })

  test('goes unnoticed without checkCrcs, as told', async () => {
    await using consumer = new Consumer({
      bootstrapServers: broker.bootstrapServers,
      autoOffsetReset: 'earliest',
      checkCrcs: false,
    })
    consumer.assign([{ topic: 't', partition: 0 }])
    const records: ConsumerRecord[] = []
    for await (const record of consumer) {
      records.push(record)
      if (records.length === 6) consumer.stop()
    }
    expect(records.map(({ value }) => String(value)).filter((value) => !/^value-\d$/.test(value))).toHaveLength(1)
  })
})

test('what is in hand is given back to nobody when the partition is lost, and the loop over it ends', async () => {
  const topic = await bench.topic(1, 3)
  await using consumer = bench.consumer({ groupId: 'loser', topics: [topic], maxPollIntervalMs: 150 })
  const outer = consumer.partitions()
  const { value: stream } = await outer.next()
  const loop = stream.records()
  await loop.next()
  const lost = nextEvent(consumer, 'lost')
  const zombie = nextEvent(consumer, 'zombie')
  expect((await lost).partitions).toEqual([{ topic, partition: 0 }])
  expect((await zombie).cause).toBe('poll')
  expect((await loop.next()).done).toBe(true)
  expect(await bench.committed('loser', topic)).toEqual([])
  // It asks again, so it is a member again.
  const next = outer.next()
  await until(() => consumer.assignment.length === 1)
  expect(((await next).value as { partition: number }).partition).toBe(0)
  await outer.return!()
})
