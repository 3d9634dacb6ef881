import { Admin } from '@millrace/admin'
import { Broker } from '@millrace/broker'
import { nodeEnvironment, type Environment } from '@millrace/client/internal'
import { Producer, type RecordInput } from '@millrace/producer'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ConsumerOptions } from './config.ts'
import { Consumer } from './consumer.ts'
import type { ConsumerRecord } from './consumer-record.ts'
import type { DeserializationError } from './errors.ts'
import type { ConsumerEvents } from './events.ts'

let broker: Broker
let admin: Admin
let producer: Producer
let nameCount = 0

beforeAll(async () => {
  broker = await Broker.start({ port: 0, config: { 'group.min.session.timeout.ms': 100 } })
  const { bootstrapServers } = broker
  admin = new Admin({ bootstrapServers })
  producer = new Producer({ bootstrapServers, lingerMs: 0 })
})

afterAll(async () => {
  await producer.close()
  await admin.close()
  await broker.close()
})

async function newTopic(numPartitions: number): Promise<string> {
  const name = `t${nameCount++}`
  await admin.createTopics([{ name, numPartitions }])
  return name
}

function numbered(from: number, to: number): RecordInput[] {
  return Array.from({ length: to - from }, (_, index) => ({ key: `k${from + index}`, value: String(from + index) }))
}

function newConsumer(topic: string, groupId: string, options: Partial<ConsumerOptions> = {}): Consumer {
  const { bootstrapServers } = broker
  return new Consumer({
    bootstrapServers,
    groupId,
    topics: [topic],
    autoOffsetReset: 'earliest',
    retryBackoffMs: 10,
    heartbeatIntervalMs: 50,
    ...options,
  })
}

/** Node's environment, which notes when what was written is flushed. */
function watchingFlushes(steps: string[]): Environment {
  return {
    clock: nodeEnvironment.clock,
    random: () => nodeEnvironment.random(),
    connect: (endpoint, handler) => {
      const transport = nodeEnvironment.connect(endpoint, handler)
      return {
        write: (chunks) => transport.write(chunks),
        flush: () => {
          steps.push('flush')
          transport.flush?.()
        },
        destroy: () => transport.destroy(),
      }
    },
  }
}

/** The values of the next `count` records; the last is handled too. */
async function take(consumer: Consumer, count: number): Promise<string[]> {
  const values: string[] = []
  for await (const record of consumer) {
    values.push(String(record.value))
    if (values.length === count) consumer.stop()
  }
  return values
}

function nextEvent<Name extends keyof ConsumerEvents>(consumer: Consumer, name: Name): Promise<ConsumerEvents[Name]> {
  return new Promise((resolve) => {
    const stop = consumer.on(name, (event) => {
      stop()
      resolve(event)
    })
  })
}

async function committedOf(groupId: string, topic: string): Promise<number[]> {
  const { values } = (await admin.fetchGroupOffsets(groupId)).orThrow()
  const ofTopic = [...values.values()].filter((one) => one.topic === topic)
  return ofTopic.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset ?? -1)
}

describe('reading', () => {
  test('has every record once and in order, whether one by one or in batches', async () => {
    const topic = await newTopic(3)
    await producer.sendAll(topic, numbered(0, 5_000))
    const seen = { records: new Map<number, number[]>(), batches: new Map<number, number[]>() }
    const note = (map: Map<number, number[]>, partition: number, offset: number): void => {
      if (!map.has(partition)) map.set(partition, [])
      map.get(partition)!.push(offset)
    }
    {
      await using consumer = newConsumer(topic, 'by-record')
      let count = 0
      for await (const { partition, offset } of consumer) {
        note(seen.records, partition, offset)
        if (++count === 5_000) consumer.stop()
      }
    }
    {
      await using consumer = newConsumer(topic, 'by-batch', { maxPollRecords: 70 })
      let count = 0
      for await (const batch of consumer.batches()) {
        const offsets = [...batch.records].map(({ offset }) => offset)
        expect(offsets.length).toBeLessThanOrEqual(70)
        expect([offsets[0], offsets.at(-1), batch.topic]).toEqual([batch.firstOffset, batch.lastOffset, topic])
        expect(batch.highWatermark).toBeGreaterThan(batch.lastOffset)
        for (const offset of offsets) note(seen.batches, batch.partition, offset)
        count += offsets.length
        if (count === 5_000) consumer.stop()
      }
    }
    for (const map of [seen.records, seen.batches]) {
      expect([...map.values()].flat()).toHaveLength(5_000)
      for (const offsets of map.values()) expect(offsets).toEqual(offsets.map((_, index) => index))
    }
  })

  test('records give their memory back once they were handled, to a loop that says so, and not before', async () => {
    const topic = await newTopic(1)
    const values = Array.from({ length: 40 }, (_, index) => String(index).padEnd(50_000))
    await producer.sendAll(
      topic,
      values.map((value) => ({ value, headers: [['h', Buffer.from(value)]] })),
    )
    await using consumer = newConsumer(topic, 'disposing', { fetchMinBytes: 1_000_000 })
    const seen: string[] = []
    const kept: ConsumerRecord[] = []
    const views: Buffer[] = []
    for await (const record of consumer.records({ disposeHandled: true })) {
      kept.push(record)
      views.push(record.value!)
      seen.push(String(record.value))
      expect(String(record.headers[0]![1])).toBe(seen.at(-1))
      if (seen.length === 39) break
    }
    expect(seen).toEqual(values.slice(0, 39))
    // The last one was in hand.
    expect(String(views.at(-1))).toBe(values[38])
    for await (const record of consumer.records({ disposeHandled: true })) {
      kept.push(record)
      if (record.offset === 39) consumer.stop()
    }
    expect(kept.slice(39).map(({ offset }) => offset)).toEqual([38, 39])
    await consumer.unsubscribe()
    expect([views[0]!.length, kept[0]!.offset]).toEqual([0, 0])
    expect(() => kept[0]!.value).toThrow(expect.objectContaining({ code: 'BATCH_DISPOSED' }))
  })

  test('where much came, the next fetch leaves before it is handed out; where little came, it does not', async () => {
    const read = async (values: readonly string[]): Promise<readonly string[]> => {
      const topic = await newTopic(1)
      await producer.sendAll(
        topic,
        values.map((value) => ({ value })),
      )
      const steps: string[] = []
      const { bootstrapServers } = broker
      const options = { bootstrapServers, groupId: topic, topics: [topic], autoOffsetReset: 'earliest' } as const
      await using consumer = new Consumer(options, watchingFlushes(steps))
      for await (const batch of consumer.batches()) {
        steps.push('batch')
        if (batch.lastOffset === values.length - 1) consumer.stop()
      }
      return steps
    }
    const steps = await read(Array.from({ length: 300 }, () => 'v'.repeat(10_000)))
    expect(steps.join(' ')).toContain('flush batch')
    expect(new Set(await read(['small', 'ones']))).toEqual(new Set(['batch']))
  })

  test('disposeHandled is true or false', async () => {
    await using consumer = newConsumer(await newTopic(1), 'wrong')
    expect(() => consumer.records({ disposeHandled: 'yes' as never })).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', option: 'disposeHandled' }),
    )
  })

  test('a record that could not be deserialized stays for its error, and is not given back to the others', async () => {
    const topic = await newTopic(1)
    const values = Array.from({ length: 40 }, (_, index) => String(index).padEnd(50_000))
    await producer.sendAll(
      topic,
      values.map((value) => ({ value })),
    )
    const { bootstrapServers } = broker
    await using consumer = new Consumer({
      bootstrapServers,
      groupId: 'poisoned',
      topics: [topic],
      autoOffsetReset: 'earliest',
      fetchMinBytes: 1_000_000,
      valueDeserializer: (value) => {
        if (Number(value) === 3) throw new Error('not wanted')
        return Number(value)
      },
      onDeserializationError: 'skip',
    })
    const failed: DeserializationError[] = []
    consumer.on('deserializationFailed', ({ error }) => failed.push(error))
    const seen: number[] = []
    for await (const { value } of consumer.records({ disposeHandled: true })) {
      seen.push(value)
      if (value === 39) consumer.stop()
    }
    await consumer.unsubscribe()
    expect(seen).toEqual(values.map(Number).filter((value) => value !== 3))
    expect(failed.map(({ record }) => String(record.value))).toEqual([values[3]])
  })

  test('waits for records that come later, and begins at the end by default', async () => {
    const topic = await newTopic(1)
    await producer.send({ topic, value: 'before' })
    await using consumer = newConsumer(topic, 'latest', { autoOffsetReset: 'latest' })
    const positioned = nextEvent(consumer, 'committed')
    const values = take(consumer, 2)
    await nextEvent(consumer, 'assigned')
    // With nothing read yet, the position itself is what is committed: it is known by then.
    for (let done = false; !done;) {
      await consumer.commit()
      done = await Promise.race([positioned.then(() => true), new Promise<false>((resolve) => setImmediate(resolve, false))])
    }
    await producer.sendAll(topic, [{ value: 'one' }, { value: 'two' }])
    expect(await values).toEqual(['one', 'two'])
  })

  test('finds a topic that is created after it joined', async () => {
    const topic = `late-${nameCount++}`
    await using consumer = newConsumer(topic, 'early-bird')
    const values = take(consumer, 1)
    expect((await nextEvent(consumer, 'assigned')).partitions).toEqual([])
    await producer.send({ topic, value: 'here' })
    expect(await values).toEqual(['here'])
  })

  test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'reads %s, in batches large enough to be unpacked off the loop too',
    async (compressionType) => {
      const topic = await newTopic(1)
      const options = { bootstrapServers: broker.bootstrapServers, compressionType, batchSize: 900_000 }
      await using compressing = new Producer(options)
      let seed = 7
      const noise = (): string => (seed = (seed * 48271) % 0x7fffffff).toString(36)
      const values = Array.from({ length: 2_000 }, () => Array.from({ length: 40 }, noise).join(''))
      await compressing.sendAll(
        topic,
        values.map((value) => ({ value })),
      )
      await using consumer = newConsumer(topic, `zip-${compressionType}`)
      expect(await take(consumer, 2_000)).toEqual(values)
    },
  )

  test('goes through more than fits in its buffers', async () => {
    const topic = await newTopic(2)
    const values = numbered(0, 400).map(({ key, value }) => ({ key: key!, value: String(value).padEnd(5_000, '.') }))
    await producer.sendAll(topic, values)
    await using consumer = newConsumer(topic, 'small-buffers', { maxPartitionFetchBytes: 20_000, fetchMaxBytes: 30_000 })
    expect((await take(consumer, 400)).map((value) => Number.parseInt(value)).sort((a, b) => a - b)).toEqual(
      values.map((_, index) => index),
    )
  })

  test('a signal ends the loop, waiting or not, with what was in hand handled', async () => {
    const topic = await newTopic(1)
    await producer.sendAll(topic, numbered(0, 2))
    await using consumer = newConsumer(topic, 'signal')
    const first = new AbortController()
    const impatient = async (): Promise<void> => {
      for await (const { offset } of consumer.records({ signal: first.signal })) if (offset === 0) first.abort('enough')
    }
    await expect(impatient()).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' })
    const second = new AbortController()
    const loop = consumer.batches({ signal: second.signal })
    expect([...(await loop.next()).value!].map(({ offset }) => offset)).toEqual([1])
    const waiting = loop.next()
    second.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await loop.next()).toEqual({ done: true, value: undefined })
    await consumer.commit()
    expect(await committedOf('signal', topic)).toEqual([2])
  })

  test('only one loop at a time, and none after close', async () => {
    const topic = await newTopic(1)
    const consumer = newConsumer(topic, 'busy')
    const loop = consumer[Symbol.asyncIterator]()
    expect(() => consumer.batches()).toThrow(expect.objectContaining({ code: 'CONSUMER_BUSY' }))
    const waiting = loop.next()
    await expect(loop.next()).rejects.toMatchObject({ code: 'CONSUMER_BUSY' })
    await consumer.close()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(() => consumer[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code: 'CONSUMER_CLOSED' }))
    await expect(consumer.commit()).rejects.toMatchObject({ code: 'CONSUMER_CLOSED' })
  })
})

describe('what counts as handled', () => {
  test('a restart goes on after the last handled record', async () => {
    const topic = await newTopic(1)
    await producer.sendAll(topic, numbered(0, 30))
    {
      await using consumer = newConsumer(topic, 'restart')
      expect(await take(consumer, 10)).toEqual(numbered(0, 10).map(({ value }) => value))
    }
    expect(await committedOf('restart', topic)).toEqual([10])
    await using consumer = newConsumer(topic, 'restart')
    expect(await take(consumer, 20)).toEqual(numbered(10, 30).map(({ value }) => value))
  })

  test('a record whose handler throws is not handled: the next loop, or the next consumer, gets it again', async () => {
    const topic = await newTopic(1)
    await producer.sendAll(topic, numbered(0, 5))
    {
      await using consumer = newConsumer(topic, 'throws')
      const failing = async (): Promise<void> => {
        for await (const { offset } of consumer) if (offset === 3) throw new Error('no')
      }
      await expect(failing()).rejects.toThrow('no')
      expect(await take(consumer, 1)).toEqual(['3'])
      await expect(async () => {
        for await (const { offset } of consumer) throw new Error(`again ${offset}`)
      }).rejects.toThrow('again 4')
    }
    expect(await committedOf('throws', topic)).toEqual([4])
    await using consumer = newConsumer(topic, 'throws')
    expect(await take(consumer, 1)).toEqual(['4'])
  })

  test('a batch counts as a whole', async () => {
    const topic = await newTopic(1)
    await producer.sendAll(topic, numbered(0, 20))
    {
      await using consumer = newConsumer(topic, 'whole', { maxPollRecords: 10 })
      for await (const { firstOffset } of consumer.batches()) if (firstOffset === 10) break
    }
    expect(await committedOf('whole', topic)).toEqual([10])
  })

  test('nothing is committed by itself without enableAutoCommit', async () => {
    const topic = await newTopic(1)
    await producer.sendAll(topic, numbered(0, 9))
    const consumer = newConsumer(topic, 'manual', { enableAutoCommit: false })
    for await (const { offset } of consumer) {
      if (offset === 4) await consumer.commit()
      if (offset === 7) await consumer.commit([{ topic, partition: 0, offset: 6 }])
      if (offset === 8) break
    }
    await expect(consumer.commit([{ topic, partition: 3, offset: 1 }])).rejects.toMatchObject({ code: 'NOT_ASSIGNED' })
    await expect(consumer.commit([{ topic, partition: 0, offset: -1 }])).rejects.toMatchObject({ code: 'INVALID_OFFSET' })
    expect(await committedOf('manual', topic)).toEqual([6])
    await consumer.close()
    expect(await committedOf('manual', topic)).toEqual([6])
  })

  test('the interval commits what was handled by then, not the record in hand', async () => {
    const topic = await newTopic(1)
    await producer.sendAll(topic, numbered(0, 3))
    await using consumer = newConsumer(topic, 'interval', { autoCommitIntervalMs: 20 })
    const offsets: number[] = []
    consumer.on('committed', (event) => offsets.push(...event.offsets.map(({ offset }) => offset)))
    for await (const { offset } of consumer) {
      if (offset < 2) continue
      await nextEvent(consumer, 'committed')
      break
    }
    expect(offsets).toContain(2)
    expect(Math.max(...offsets)).toBe(2)
  })
})

describe('members of a group', () => {
  test.each([['range'], ['cooperative-sticky']] as const)(
    'share the partitions by %s, and take over from who leaves',
    async (assignor) => {
      const topic = await newTopic(4)
      const groupId = `shared-${assignor}`
      const options = { partitionAssignors: [assignor] }
      const seen: string[] = []
      const consumers = [newConsumer(topic, groupId, options), newConsumer(topic, groupId, options)]
      const run = async (consumer: Consumer): Promise<void> => {
        for await (const { value } of consumer) seen.push(String(value))
      }
      const loops = [run(consumers[0]!)]
      await nextEvent(consumers[0]!, 'assigned')
      expect(consumers[0]!.assignment).toHaveLength(4)
      await producer.sendAll(topic, numbered(0, 500))
      loops.push(run(consumers[1]!))
      await until(() => consumers.every(({ assignment }) => assignment.length === 2))
      await producer.sendAll(topic, numbered(500, 1_000))
      await until(() => seen.length >= 1_000)
      await consumers[0]!.close()
      await until(() => consumers[1]!.assignment.length === 4)
      await producer.sendAll(topic, numbered(1_000, 1_200))
      await until(() => seen.length >= 1_200)
      await consumers[1]!.close()
      await Promise.all(loops)
      expect(seen.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 1_200 }, (_, index) => index))
      expect((await committedOf(groupId, topic)).reduce((sum, offset) => sum + offset, 0)).toBe(1_200)
    },
  )

  test('a rebalance lets the record in hand be finished, and commits it', async () => {
    const topic = await newTopic(2)
    await producer.sendAll(topic, numbered(0, 10))
    await using first = newConsumer(topic, 'in-hand')
    await using second = newConsumer(topic, 'in-hand')
    const handled: string[] = []
    const joined = Promise.withResolvers<void>()
    const secondLoop = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const loop = (async () => {
      for await (const { partition, offset } of first) {
        if (handled.length === 0) {
          joined.resolve()
          await release.promise
        }
        handled.push(`${partition}-${offset}`)
      }
    })()
    await joined.promise
    const others: string[] = []
    void (async () => {
      for await (const { partition, offset } of second) others.push(`${partition}-${offset}`)
      secondLoop.resolve()
    })()
    let isRevoked = false
    first.on('revoked', () => (isRevoked = true))
    const assignments = nextEvent(second, 'assigned')
    // Heartbeats go on meanwhile, and the coordinator waits.
    await until(() => first.assignment.length === 0)
    expect(isRevoked).toBe(false)
    release.resolve()
    await assignments
    expect(isRevoked).toBe(true)
    await until(() => handled.length + others.length >= 10)
    await first.close()
    await second.close()
    await Promise.all([loop, secondLoop.promise])
    expect(new Set([...handled, ...others]).size).toBe(10)
    expect(handled.length + others.length).toBe(10)
  })

  test('one that stops asking loses its partitions to others, and comes back when it asks again', async () => {
    const topic = await newTopic(1)
    await producer.sendAll(topic, numbered(0, 2))
    await using stuck = newConsumer(topic, 'stuck', { maxPollIntervalMs: 200 })
    await using other = newConsumer(topic, 'stuck')
    const loop = stuck[Symbol.asyncIterator]()
    expect(String((await loop.next()).value!.value)).toBe('0')
    const lost = nextEvent(stuck, 'lost')
    const values = take(other, 2)
    expect((await lost).reason).toContain('maxPollIntervalMs')
    expect(await values).toEqual(['0', '1'])
    await other.close()
    const again = loop.next()
    await producer.send({ topic, value: 'new' })
    expect(String((await again).value!.value)).toBe('new')
  })

  test('a static member comes back to its partitions without a rebalance', async () => {
    const topic = await newTopic(2)
    const one = newConsumer(topic, 'static', { groupInstanceId: 'a' })
    await using two = newConsumer(topic, 'static', { groupInstanceId: 'b' })
    const loops = [take(one, 1_000), take(two, 1_000)]
    await until(() => one.assignment.length === 1 && two.assignment.length === 1)
    const before = one.assignment
    await one.close()
    let isDisturbed = false
    two.on('revoked', () => (isDisturbed = true))
    await using back = newConsumer(topic, 'static', { groupInstanceId: 'a' })
    loops.push(take(back, 1_000))
    await until(() => back.assignment.length === 1)
    expect(back.assignment).toEqual(before)
    expect(isDisturbed).toBe(false)
  })
})

describe('failures', () => {
  test("an offset that was never committed, or is gone, throws with autoOffsetReset 'none'", async () => {
    const topic = await newTopic(1)
    await producer.sendAll(topic, numbered(0, 10))
    await using fresh = newConsumer(topic, 'none', { autoOffsetReset: 'none' })
    await expect(take(fresh, 1)).rejects.toMatchObject({ code: 'NO_OFFSET_FOR_PARTITION', topic, partition: 0 })
    await fresh.close()
    {
      await using consumer = newConsumer(topic, 'none')
      await take(consumer, 3)
    }
    const deleted = await admin.deleteRecords([{ topic, partition: 0, beforeOffset: 8 }])
    deleted.orThrow()
    await using late = newConsumer(topic, 'none', { autoOffsetReset: 'none' })
    await expect(take(late, 1)).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE', topic, partition: 0, offset: 3 })
    await late.close()
    await using reset = newConsumer(topic, 'none', { autoOffsetReset: 'earliest' })
    expect(await take(reset, 1)).toEqual(['8'])
  })

  test('a group that speaks another protocol refuses us, and the loop throws that', async () => {
    const topic = await newTopic(1)
    await using ranged = newConsumer(topic, 'mixed', { partitionAssignors: ['range'] })
    void take(ranged, 1)
    await nextEvent(ranged, 'assigned')
    await using sticky = newConsumer(topic, 'mixed', { partitionAssignors: ['cooperative-sticky'] })
    const failure: unknown = await take(sticky, 1).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'INCONSISTENT_GROUP_PROTOCOL', message: expect.stringContaining('group mixed') })
    await ranged.close()
  })

  test('a session timeout that the broker does not allow', async () => {
    const topic = await newTopic(1)
    await using consumer = newConsumer(topic, 'too-short', { sessionTimeoutMs: 99 })
    await expect(take(consumer, 1)).rejects.toMatchObject({ code: 'INVALID_SESSION_TIMEOUT' })
  })

  test('no broker at all', async () => {
    const options = {
      bootstrapServers: '127.0.0.1:1',
      groupId: 'g',
      topics: ['t'],
      defaultApiTimeoutMs: 100,
      requestTimeoutMs: 50,
    }
    await using consumer = new Consumer(options)
    const loop = consumer[Symbol.asyncIterator]().next()
    await consumer.close()
    expect((await loop).done).toBe(true)
  })
})

/** Waits for the condition, one turn of the event loop after another. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
