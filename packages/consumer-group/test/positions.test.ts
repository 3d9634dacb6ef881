import { ConfigError } from '@millrace/protocol'
import type { Consumer } from '@millrace/consumer-group'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nextEvent, range, take, TestBench, until } from './bench.ts'

let bench: TestBench

beforeAll(async () => {
  bench = await TestBench.start()
})

afterAll(() => bench[Symbol.asyncDispose]())

describe('assign', () => {
  test('reads partitions without a group, from where it is told or by autoOffsetReset', async () => {
    const topic = await bench.topic(3, 10)
    await using consumer = bench.consumer()
    consumer.assign([
      { topic, partition: 0, offset: 7 },
      { topic, partition: 2 },
    ])
    expect(consumer.assignment).toEqual([
      { topic, partition: 0 },
      { topic, partition: 2 },
    ])
    const seen: string[] = []
    for await (const { partition, offset } of consumer) {
      seen.push(`${partition}:${offset}`)
      if (seen.length === 13) consumer.stop()
    }
    expect(seen.sort()).toEqual(
      [...range(7, 10).map((offset) => `0:${offset}`), ...range(0, 10).map((offset) => `2:${offset}`)].sort(),
    )
    await expect(consumer.commit()).rejects.toMatchObject({ code: 'NO_GROUP' })
    await expect(consumer.committed([{ topic, partition: 0 }])).rejects.toMatchObject({ code: 'NO_GROUP' })
    expect(() => consumer.subscribe([topic])).toThrow(expect.objectContaining({ code: 'NO_GROUP' }))
  })

  test('with a groupId begins at the committed offset, and commits', async () => {
    const topic = await bench.topic(1, 10)
    {
      await using consumer = bench.consumer({ groupId: 'by-hand' })
      consumer.assign([{ topic, partition: 0 }])
      expect(await take(consumer, 4)).toEqual(range(0, 4))
    }
    expect(await bench.committed('by-hand', topic)).toEqual([4])
    await using consumer = bench.consumer({ groupId: 'by-hand' })
    consumer.assign([{ topic, partition: 0 }])
    expect(await take(consumer, 2)).toEqual([4, 5])
  })

  test('anew keeps the place in partitions that stay, commits those that go, and reads none of them', async () => {
    const topic = await bench.topic(2, 5)
    await using consumer = bench.consumer({ groupId: 'reassign' })
    consumer.assign([{ topic, partition: 0 }])
    expect(await take(consumer, 2)).toEqual([0, 1])
    consumer.assign([
      { topic, partition: 0 },
      { topic, partition: 1, offset: 5 },
    ])
    expect(await take(consumer, 3)).toEqual([2, 3, 4])
    const committed = nextEvent(consumer, 'committed')
    consumer.assign([{ topic, partition: 1 }])
    expect((await committed).offsets).toEqual([{ topic, partition: 0, offset: 5 }])
    await bench.fill(topic, 0, 5, 6)
    await bench.fill(topic, 1, 5, 6)
    expect(await take(consumer, 1)).toEqual([5])
    expect(consumer.assignment).toEqual([{ topic, partition: 1 }])
  })

  test('is not mixed with a subscription, and neither goes without what to read', async () => {
    const topic = await bench.topic(1, 3)
    await using consumer = bench.consumer({ groupId: 'mixed-up' })
    expect(() => consumer.records()).toThrow(expect.objectContaining({ code: 'NOT_SUBSCRIBED' }))
    consumer.assign([{ topic, partition: 0 }])
    expect(() => consumer.subscribe([topic])).toThrow(expect.objectContaining({ code: 'MIXED_SUBSCRIPTION' }))
    await consumer.unsubscribe()
    expect(consumer.assignment).toEqual([])
    consumer.subscribe([topic])
    expect(() => consumer.assign([])).toThrow(expect.objectContaining({ code: 'MIXED_SUBSCRIPTION' }))
    expect(await take(consumer, 3)).toEqual([0, 1, 2])
  })

  test('refuses what is no partition or offset, naming it', async () => {
    await using consumer = bench.consumer()
    for (const wrong of [
      null,
      {},
      [null],
      [{ topic: 'a b', partition: 0 }],
      [{ topic: 'a', partition: -1 }],
      [{ topic: 'a', partition: 0.5 }],
    ]) {
      expect(() => consumer.assign(wrong as never)).toThrow(ConfigError)
    }
    expect(() => consumer.assign([{ topic: 'a', partition: 0, offset: -1 }])).toThrow(
      expect.objectContaining({ code: 'INVALID_OFFSET', message: expect.stringContaining('a-0') as string }),
    )
  })
})

describe('subscriptions', () => {
  test('change at run time: what is dropped is committed and given up, what is new is read', async () => {
    const [first, second] = [await bench.topic(1, 3), await bench.topic(1, 2)]
    await using consumer = bench.consumer({ groupId: 'changing', topics: [first] })
    const seen: string[] = []
    for await (const { topic, offset } of consumer) {
      seen.push(`${topic}:${offset}`)
      if (seen.length === 3) consumer.subscribe([second])
      if (seen.length === 5) consumer.stop()
    }
    expect(seen).toEqual([...range(0, 3).map((n) => `${first}:${n}`), ...range(0, 2).map((n) => `${second}:${n}`)])
    expect(consumer.subscription).toEqual([second])
    expect(consumer.assignment).toEqual([{ topic: second, partition: 0 }])
    expect(await bench.committed('changing', first)).toEqual([3])
  })

  test('unsubscribe commits, leaves the group and reads no more', async () => {
    const topic = await bench.topic(1, 5)
    await using consumer = bench.consumer({ groupId: 'leaver', topics: [topic] })
    await take(consumer, 2)
    await consumer.unsubscribe()
    expect([consumer.assignment, consumer.subscription]).toEqual([[], []])
    expect(await bench.committed('leaver', topic)).toEqual([2])
    const group = (await bench.admin.describeGroups(['leaver'])).orThrow().values.get('leaver')!
    expect(group.members).toEqual([])
    expect(() => consumer.batches()).toThrow(expect.objectContaining({ code: 'NOT_SUBSCRIBED' }))
    consumer.subscribe([topic])
    expect(await take(consumer, 3)).toEqual([2, 3, 4])
  })

  test('after what ended the membership for good, unsubscribe leaves that behind', async () => {
    const topic = await bench.topic(1, 2)
    await using consumer = bench.consumer({ groupId: 'second-try', topics: /(?=never)/, groupProtocol: 'consumer' })
    await expect(take(consumer, 1)).rejects.toMatchObject({ code: 'INVALID_REGULAR_EXPRESSION' })
    await expect(take(consumer, 1)).rejects.toMatchObject({ code: 'INVALID_REGULAR_EXPRESSION' })
    await consumer.unsubscribe()
    consumer.subscribe([topic])
    expect(await take(consumer, 2)).toEqual([0, 1])
  })
})

describe('a rebalance listener', () => {
  test('may seek in what it is given before anything is read, and commit what it is about to give up', async () => {
    const topic = await bench.topic(1, 10)
    const groupId = 'listening'
    const calls: string[] = []
    const consumer: Consumer = bench.consumer({
      groupId,
      topics: [topic],
      enableAutoCommit: false,
      rebalanceListener: {
        assigned: async (partitions) => {
          calls.push('assigned')
          for (const one of partitions) consumer.seek(one, 6)
        },
        revoked: async (partitions) => {
          calls.push('revoked')
          await consumer.commit(partitions.map((one) => ({ ...one, offset: 8, metadata: 'by the listener' })))
        },
      },
    })
    expect(await take(consumer, 3)).toEqual([6, 7, 8])
    await consumer.unsubscribe()
    expect(calls).toEqual(['assigned', 'revoked'])
    expect(await consumer.committed([{ topic, partition: 0 }])).toMatchObject([{ offset: 8, metadata: 'by the listener' }])
    await consumer.close()
  })

  test('unsubscribe from within a loop does not wait for what that has in hand, and gives it back', async () => {
    const topic = await bench.topic(1, 5)
    await using consumer = bench.consumer({ groupId: 'within', topics: [topic] })
    for await (const { offset } of consumer) {
      if (offset !== 2) continue
      await consumer.unsubscribe()
      break
    }
    expect(await bench.committed('within', topic)).toEqual([2])
  })
})

describe('seek', () => {
  test('within a loop goes on from there, throws away what was fetched of that partition only, and may go back', async () => {
    const topic = await bench.topic(2, 20)
    await using consumer = bench.consumer()
    consumer.assign([
      { topic, partition: 0 },
      { topic, partition: 1 },
    ])
    const seen: [number[], number[]] = [[], []]
    for await (const { partition, offset } of consumer) {
      seen[partition as 0 | 1].push(offset)
      if (partition === 0 && offset === 4 && seen[0].length === 5) consumer.seek({ topic, partition: 0 }, 17)
      if (partition === 0 && offset === 19 && seen[0].length === 8) consumer.seek({ topic, partition: 0 }, 2)
      if (seen[0].length >= 10 && seen[1].length === 20) consumer.stop()
    }
    expect(seen[0].slice(0, 10)).toEqual([...range(0, 5), 17, 18, 19, 2, 3])
    expect(seen[1]).toEqual(range(0, 20))
  })

  test('moves what is committed, back too; nothing else does', async () => {
    const topic = await bench.topic(1, 10)
    await using consumer = bench.consumer({ groupId: 'backwards', topics: [topic] })
    for await (const record of consumer) {
      // Committed ahead of being handled, by the application's own word.
      if (record.offset === 5) {
        await consumer.commit(record)
        break
      }
    }
    expect(await bench.committed('backwards', topic)).toEqual([6])
    await consumer.commit()
    expect(await bench.committed('backwards', topic)).toEqual([6])
    consumer.seek({ topic, partition: 0 }, 3)
    await consumer.commit()
    expect(await bench.committed('backwards', topic)).toEqual([3])
    expect(await take(consumer, 1)).toEqual([3])
  })

  test('to the beginning and to the end, and position says where', async () => {
    const topic = await bench.topic(2, 10)
    await bench.admin.deleteRecords([{ topic, partition: 0, beforeOffset: 4 }])
    await using consumer = bench.consumer()
    const [zero, one] = [
      { topic, partition: 0 },
      { topic, partition: 1 },
    ]
    consumer.assign([
      { ...zero, offset: 6 },
      { ...one, offset: 2 },
    ])
    expect(await consumer.position(zero)).toBe(6)
    consumer.seekToEnd([one])
    consumer.seekToBeginning([zero])
    expect([await consumer.position(zero), await consumer.position(one)]).toEqual([4, 10])
    consumer.seekToEnd()
    expect([await consumer.position(zero), await consumer.position(one)]).toEqual([10, 10])
    await bench.fill(topic, 1, 10, 11)
    expect(await take(consumer, 1)).toEqual([10])
  })

  test('passes a record by when it is done from its handler, and what committed gives can be sought', async () => {
    const topic = await bench.topic(1, 6)
    await using consumer = bench.consumer({ groupId: 'seeker', topics: [topic] })
    await take(consumer, 2)
    await consumer.commit([{ topic, partition: 0, offset: 1, metadata: 'half' }])
    const [committed] = await consumer.committed([{ topic, partition: 0 }])
    expect(committed).toEqual({ topic, partition: 0, offset: 1, leaderEpoch: -1, metadata: 'half' })
    consumer.seek({ topic, partition: 0 }, { ...committed!, offset: committed!.offset! })
    expect(await take(consumer, 1)).toEqual([1])
  })

  test('of a partition that is not ours, or to what is no offset, is refused, and the rest goes on', async () => {
    const topic = await bench.topic(1, 2)
    await using consumer = bench.consumer()
    consumer.assign([{ topic, partition: 0 }])
    const foreign = { topic, partition: 7 }
    const refused = expect.objectContaining({ code: 'NOT_ASSIGNED', message: expect.stringContaining(`${topic}-7`) as string })
    expect(() => consumer.seek(foreign, 0)).toThrow(refused)
    for (const call of ['seekToBeginning', 'seekToEnd', 'pause', 'resume'] as const) {
      expect(() => consumer[call]([foreign])).toThrow(refused)
    }
    expect(() => consumer.currentLag(foreign)).toThrow(refused)
    await expect(consumer.position(foreign)).rejects.toThrow(refused)
    for (const offset of [-1, 1.5, Number.NaN, '3', 2 ** 53]) {
      expect(() => consumer.seek({ topic, partition: 0 }, offset as number)).toThrow(
        expect.objectContaining({ code: 'INVALID_OFFSET' }),
      )
    }
    for (const leaderEpoch of [-2, 0.5, 2 ** 31]) {
      expect(() => consumer.seek({ topic, partition: 0 }, { offset: 0, leaderEpoch })).toThrow(ConfigError)
    }
    expect(await take(consumer, 2)).toEqual([0, 1])
  })
})

describe('pause', () => {
  test('keeps what is buffered and lets the others go on; resume hands it out without fetching it again', async () => {
    const topic = await bench.topic(2, 50)
    await using consumer = bench.consumer({ clientId: 'pauser' })
    const [zero, one] = [
      { topic, partition: 0 },
      { topic, partition: 1 },
    ]
    consumer.assign([zero, one])
    const seen: [number[], number[]] = [[], []]
    for await (const { partition, offset } of consumer) {
      seen[partition as 0 | 1].push(offset)
      if (partition === 0 && offset === 9) consumer.pause([zero])
      if (seen[1].length === 50) consumer.stop()
    }
    expect(seen).toEqual([range(0, 10), range(0, 50)])
    expect(consumer.paused).toEqual([zero])
    bench.broker.faults.add({ api: 'Fetch', clientId: 'pauser', times: Infinity, answer: 'never' })
    consumer.resume([zero])
    expect(consumer.paused).toEqual([])
    expect(await take(consumer, 40)).toEqual(range(10, 50))
  })

  test('does not stop heartbeats: all partitions paused, the member stays', async () => {
    const topic = await bench.topic(1, 3)
    await using consumer = bench.consumer({
      groupId: 'asleep',
      topics: [topic],
      sessionTimeoutMs: 300,
      maxPollIntervalMs: 60_000,
    })
    let losses = 0
    consumer.on('lost', () => losses++)
    const values: number[] = []
    const loop = (async () => {
      for await (const { offset } of consumer) {
        values.push(offset)
        if (offset === 0) {
          consumer.pause(consumer.assignment)
        }
        if (offset === 2) consumer.stop()
      }
    })()
    await until(() => consumer.paused.length === 1)
    const since = bench.broker.requests.list({ api: 'Heartbeat', group: 'asleep' }).length
    // More heartbeats than fit into a session without any.
    await until(() => bench.broker.requests.list({ api: 'Heartbeat', group: 'asleep' }).length >= since + 10)
    expect([values, losses]).toEqual([[0], 0])
    consumer.resume(consumer.assignment)
    await loop
    expect([values, losses]).toEqual([[0, 1, 2], 0])
  })
})

describe('questions', () => {
  test('beginning and end offsets, offsets for times and lag', async () => {
    const topic = await bench.topic(2)
    const base = 1_700_000_000_000
    await bench.producer.sendAll(
      topic,
      range(0, 10).map((index) => ({ partition: 0, value: 'x', timestamp: base + index * 1000 })),
    )
    await bench.admin.deleteRecords([{ topic, partition: 0, beforeOffset: 2 }])
    await using consumer = bench.consumer()
    const both = [
      { topic, partition: 0 },
      { topic, partition: 1 },
    ]
    expect((await consumer.beginningOffsets(both)).map(({ offset }) => offset)).toEqual([2, 0])
    expect(await consumer.endOffsets(both)).toEqual([
      { topic, partition: 0, offset: 10 },
      { topic, partition: 1, offset: 0 },
    ])
    expect(
      await consumer.offsetsForTimes([
        { topic, partition: 0, timestamp: base + 4_500 },
        { topic, partition: 1, timestamp: base },
      ]),
    ).toEqual([
      { topic, partition: 0, offset: 5, timestamp: base + 5_000, leaderEpoch: 0 },
      { topic, partition: 1, offset: null, timestamp: -1, leaderEpoch: -1 },
    ])
    consumer.assign([{ topic, partition: 0 }])
    expect(consumer.currentLag({ topic, partition: 0 })).toBeNull()
    await take(consumer, 3)
    expect(consumer.currentLag({ topic, partition: 0 })).toBe(5)
  })

  test('of what does not exist are refused by name', async () => {
    const topic = await bench.topic(1)
    await using consumer = bench.consumer()
    await expect(consumer.endOffsets([{ topic, partition: 3 }])).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      message: expect.stringContaining(`${topic}-3`) as string,
    })
    await expect(consumer.beginningOffsets([{ topic: 'nowhere', partition: 0 }], { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'API_TIMED_OUT',
      message: expect.stringContaining('nowhere') as string,
    })
    await expect(consumer.offsetsForTimes([{ topic, partition: 0, timestamp: -5 }])).rejects.toThrow(ConfigError)
    const controller = new AbortController()
    const waiting = consumer.endOffsets([{ topic: 'nowhere', partition: 0 }], { signal: controller.signal })
    controller.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' })
  })

  test('end in time and by their signal, whether or not the broker answers', async () => {
    const topic = await bench.topic(1)
    const place = { topic, partition: 0 }
    await using consumer = bench.consumer({ groupId: 'no-answer' })
    await consumer.endOffsets([place])
    using silence = bench.broker.faults.add({ api: 'ListOffsets', topic, times: Infinity, answer: 'never' })
    await expect(consumer.endOffsets([place], { timeoutMs: 50 })).rejects.toMatchObject({ code: 'API_TIMED_OUT', timeoutMs: 50 })
    const controller = new AbortController()
    const waiting = consumer.beginningOffsets([place], { signal: controller.signal })
    await silence.hit(1)
    controller.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(consumer.committed([place], { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    consumer.assign([place])
    for (const timeoutMs of [Number.NaN, -1]) {
      await expect(consumer.endOffsets([place], { timeoutMs })).rejects.toThrow(ConfigError)
      await expect(consumer.position(place, { timeoutMs })).rejects.toThrow(ConfigError)
    }
  })
})

/** Each request is cut off before it is served, or after. */
function cutEach(api: string, group: string, cut: 'before' | 'after') {
  return bench.broker.faults.add({ api, group, times: Infinity, answer: { cut } })
}

describe('commits', () => {
  test('per record and per batch, with metadata and leader epoch', async () => {
    const topic = await bench.topic(1, 10)
    const place = [{ topic, partition: 0 }]
    await using consumer = bench.consumer({ groupId: 'each', topics: [topic], enableAutoCommit: false, maxPollRecords: 4 })
    for await (const record of consumer) {
      await consumer.commit(record, { metadata: `after ${record.offset}` })
      if (record.offset === 2) consumer.stop()
    }
    expect(await consumer.committed(place)).toEqual([{ topic, partition: 0, offset: 3, leaderEpoch: 0, metadata: 'after 2' }])
    for await (const batch of consumer.batches()) {
      await consumer.commit(batch)
      consumer.stop()
    }
    expect(await consumer.committed(place)).toEqual([{ topic, partition: 0, offset: 7, leaderEpoch: 0, metadata: '' }])
    expect(await consumer.committed([{ topic, partition: 0 }])).toHaveLength(1)
    await consumer.commit([{ topic, partition: 0, offset: 1, leaderEpoch: 0, metadata: 'back' }])
    expect(await consumer.committed(place)).toEqual([{ topic, partition: 0, offset: 1, leaderEpoch: 0, metadata: 'back' }])
    for (const wrong of [7, 'x', null, {}, { topic, partition: 0 }]) {
      await expect(consumer.commit(wrong as never)).rejects.toMatchObject({ code: expect.stringMatching(/INVALID_/) as string })
    }
    await expect(consumer.commit([{ topic, partition: 0, offset: 1, metadata: 3 as never }])).rejects.toThrow(ConfigError)
  })

  test('a break in a revoked partition commits nothing of what was in hand', async () => {
    const topic = await bench.topic(1, 5)
    await using first = bench.consumer({ groupId: 'broken-off', topics: [topic] })
    const loop = first[Symbol.asyncIterator]()
    await loop.next()
    const record = await loop.next()
    expect(record.value!.offset).toBe(1)
    const revoked = nextEvent(first, 'revoked')
    const change = first.subscribe([await bench.topic(1)])
    expect(change).toBeUndefined()
    await until(() => first.assignment.length === 0)
    await loop.return!()
    await revoked
    expect(await bench.committed('broken-off', topic)).toEqual([1])
  })

  test('whose answer was lost may be made: what was handled before it does not take the group back', async () => {
    const topic = await bench.topic(1, 3)
    const options = { groupId: 'unanswered', topics: [topic], enableAutoCommit: false, requestTimeoutMs: 300 }
    await using consumer = bench.consumer(options)
    const committed: unknown[] = []
    for await (const record of consumer) {
      const fault = cutEach('OffsetCommit', 'unanswered', 'after')
      await expect(consumer.commit(record)).rejects.toMatchObject({ name: 'CommitError' })
      fault.remove()
      await consumer.commit()
      committed.push(await bench.committed('unanswered', topic))
      if (record.offset === 1) consumer.stop()
    }
    expect(committed).toEqual([[1], [2]])
    await consumer.commit()
    expect(await bench.committed('unanswered', topic)).toEqual([2])
    consumer.seek({ topic, partition: 0 }, 1)
    await consumer.commit()
    expect(await bench.committed('unanswered', topic)).toEqual([1])
  })

  test('that was not answered, and not made, holds up none of what was handled before it', async () => {
    const topic = await bench.topic(1, 5)
    const options = { groupId: 'lost', topics: [topic], enableAutoCommit: false, requestTimeoutMs: 300 }
    await using consumer = bench.consumer(options)
    await take(consumer, 2)
    const fault = cutEach('OffsetCommit', 'lost', 'before')
    await expect(consumer.commit([{ topic, partition: 0, offset: 5 }])).rejects.toMatchObject({ name: 'CommitError' })
    // As long as nobody knows, this is no success.
    const unknown = cutEach('OffsetFetch', 'lost', 'before')
    await expect(consumer.commit()).rejects.toMatchObject({ name: 'CommitError' })
    unknown.remove()
    fault.remove()
    await consumer.commit()
    expect(await bench.committed('lost', topic)).toEqual([2])
  })

  test('of a lower offset whose answer was lost is followed by those of what was handled, as an answered one is', async () => {
    const topic = await bench.topic(1, 5)
    const options = { groupId: 'lower', topics: [topic], enableAutoCommit: false, requestTimeoutMs: 300 }
    await using consumer = bench.consumer(options)
    await take(consumer, 4)
    await consumer.commit()
    const fault = cutEach('OffsetCommit', 'lower', 'after')
    await expect(consumer.commit([{ topic, partition: 0, offset: 1 }])).rejects.toMatchObject({ name: 'CommitError' })
    fault.remove()
    expect(await bench.committed('lower', topic)).toEqual([1])
    await consumer.commit()
    expect(await bench.committed('lower', topic)).toEqual([4])
  })

  test('that was made and then refused when it was sent again is not taken back', async () => {
    const topic = await bench.topic(1, 3)
    await using consumer = bench.consumer({ groupId: 'twice', topics: [topic], enableAutoCommit: false })
    for await (const record of consumer) {
      bench.broker.faults.add({ api: 'OffsetCommit', group: 'twice', answer: { cut: 'after' } })
      bench.broker.faults.add({ api: 'OffsetCommit', group: 'twice', answer: { error: 'TOPIC_AUTHORIZATION_FAILED' } })
      await expect(consumer.commit(record)).rejects.toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED' })
      await consumer.commit()
      expect(await bench.committed('twice', topic)).toEqual([1])
      consumer.stop()
    }
  })

  test('of several partitions of which one is refused counts for the others', async () => {
    const topic = await bench.topic(2, 3)
    await using consumer = bench.consumer({ groupId: 'partly', topics: [topic], enableAutoCommit: false })
    for await (const { partition } of consumer) {
      const offsets = [
        { topic, partition, offset: 1 },
        { topic, partition: 1 - partition, offset: 1, metadata: 'x'.repeat(5_000) },
      ]
      await expect(consumer.commit(offsets)).rejects.toMatchObject({ code: 'OFFSET_METADATA_TOO_LARGE' })
      await consumer.commit()
      const committed = await consumer.committed([{ topic, partition }])
      expect(committed).toMatchObject([{ offset: 1 }])
      consumer.stop()
    }
  })

  test('that the broker cannot explain is an error by its name, once, and may be made', async () => {
    const topic = await bench.topic(1, 3)
    await using consumer = bench.consumer({ groupId: 'unknown', topics: [topic], enableAutoCommit: false })
    await take(consumer, 2)
    const fault = bench.broker.faults.add({ api: 'OffsetCommit', group: 'unknown', answer: { error: 'UNKNOWN_SERVER_ERROR' } })
    await expect(consumer.commit()).rejects.toMatchObject({ code: 'UNKNOWN_SERVER_ERROR' })
    expect(fault.hits).toBe(1)
    await consumer.commit()
    expect(await bench.committed('unknown', topic)).toEqual([2])
  })

  test.each(['is late', 'is lost'])(
    'nobody waited for is not taken back when the loop is left, and its answer %s',
    async (how) => {
      const topic = await bench.topic(1, 3)
      const groupId = `left, ${how}`
      const consumer = bench.consumer({ groupId, topics: [topic], requestTimeoutMs: 300 })
      const fault = bench.broker.faults.add({
        api: 'OffsetCommit',
        group: groupId,
        answer: how === 'is late' ? { delayMs: 100 } : { cut: 'after' },
      })
      for await (const record of consumer) {
        consumer.commit(record).catch(() => {})
        await until(() => fault.hits > 0)
        break
      }
      await consumer.close()
      expect(await bench.committed(groupId, topic)).toEqual([1])
    },
  )

  test('that is on its way when the application seeks back does not keep the next one from going back', async () => {
    const topic = await bench.topic(1, 10)
    await using consumer = bench.consumer({ groupId: 'overtaken', topics: [topic], enableAutoCommit: false })
    await take(consumer, 8)
    bench.broker.faults.add({ api: 'OffsetCommit', group: 'overtaken', answer: { delayMs: 100 } })
    const first = consumer.commit()
    await until(() => bench.broker.requests.list({ api: 'OffsetCommit', group: 'overtaken' }).length > 0)
    consumer.seek({ topic, partition: 0 }, 3)
    await first
    expect(await bench.committed('overtaken', topic)).toEqual([8])
    await consumer.commit()
    expect(await bench.committed('overtaken', topic)).toEqual([3])
  })

  test('that waits for its turn when the application seeks back does not keep the next one from going back either', async () => {
    for (const what of ['all that was handled', 'an offset']) {
      const topic = await bench.topic(1, 10)
      await using consumer = bench.consumer({ groupId: topic, topics: [topic], enableAutoCommit: false })
      await take(consumer, 8)
      const first = consumer.commit([{ topic, partition: 0, offset: 1 }])
      const second = what === 'an offset' ? consumer.commit([{ topic, partition: 0, offset: 8 }]) : consumer.commit()
      consumer.seek({ topic, partition: 0 }, 3)
      await Promise.all([first, second])
      expect(await bench.committed(topic, topic)).toEqual([8])
      await consumer.commit()
      expect([what, await bench.committed(topic, topic)]).toEqual([what, [3]])
    }
  })

  test('of all that was handled leave out what was in hand when the application sought the beginning, before that is found', async () => {
    const topic = await bench.topic(1, 5)
    await using consumer = bench.consumer({ groupId: 'rewound', topics: [topic], enableAutoCommit: false })
    for await (const { offset } of consumer) {
      if (offset < 2) continue
      const fault = bench.broker.faults.add({ api: 'ListOffsets', topic, answer: { delayMs: 200 } })
      consumer.seekToBeginning([{ topic, partition: 0 }])
      await until(() => fault.hits > 0)
      await consumer.commit()
      expect(await bench.committed('rewound', topic)).toEqual([])
      break
    }
    expect(await take(consumer, 5)).toEqual(range(0, 5))
    await consumer.commit()
    expect(await bench.committed('rewound', topic)).toEqual([5])
  })

  test('asked for one after another without waiting leave in that order', async () => {
    const topic = await bench.topic(1, 1)
    await using consumer = bench.consumer({ groupId: 'ordered', topics: [topic], enableAutoCommit: false })
    await take(consumer, 1)
    bench.broker.faults.add({ api: 'OffsetCommit', group: 'ordered', answer: { error: 'COORDINATOR_LOAD_IN_PROGRESS' } })
    const commits = range(1, 6).map((offset) => consumer.commit([{ topic, partition: 0, offset }]))
    await Promise.all(commits)
    expect(await bench.committed('ordered', topic)).toEqual([5])
  })

  test('of all that was handled does not overtake those of single records that were asked for before it was handled', async () => {
    const topic = await bench.topic(1, 6)
    await using consumer = bench.consumer({ groupId: 'overtaken', topics: [topic], enableAutoCommit: false })
    const committed: number[] = []
    consumer.on('committed', ({ offsets }) => committed.push(...offsets.map(({ offset }) => offset)))
    bench.broker.faults.add({ api: 'OffsetCommit', group: 'overtaken', answer: { delayMs: 50 } })
    const commits: Promise<void>[] = []
    for await (const record of consumer) {
      if (record.offset === 1) commits.push(consumer.commit(), consumer.commit())
      commits.push(consumer.commit(record))
      if (record.offset === 5) consumer.stop()
    }
    await Promise.all(commits)
    expect(committed).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('that waits while its partition is given up is refused: it is not made in the name of a later generation', async () => {
    const topic = await bench.topic(1, 2)
    const other = await bench.topic(1)
    await using consumer = bench.consumer({ groupId: 'late', topics: [topic], enableAutoCommit: false })
    const assigned = (name: string): Promise<void> =>
      new Promise((resolve) =>
        consumer.on('assigned', ({ partitions }) => partitions.some((one) => one.topic === name) && resolve()),
      )
    await take(consumer, 1)
    const fault = bench.broker.faults.add({ api: 'OffsetCommit', group: 'late', answer: { delayMs: 300 } })
    const ahead = consumer.commit([{ topic, partition: 0, offset: 0 }])
    const late = consumer.commit([{ topic, partition: 0, offset: 1 }]).catch((error: unknown) => error)
    const moved = assigned(other)
    consumer.subscribe([other])
    const moving = take(consumer, 1)
    await moved
    await ahead
    expect(await late).toMatchObject({ code: 'NOT_ASSIGNED' })
    expect(fault.hits).toBe(1)
    expect(await bench.committed('late', topic)).toEqual([0])
    await bench.fill(other, 0, 0, 1)
    await moving
  })

  test('under a member epoch that went on meanwhile goes out again, and one that is refused for good says why', async () => {
    const topic = await bench.topic(1, 4)
    await using consumer = bench.consumer({
      groupId: 'epochs',
      groupProtocol: 'consumer',
      topics: [topic],
      enableAutoCommit: false,
    })
    await take(consumer, 4)
    const fault = bench.broker.faults.add({
      api: 'OffsetCommit',
      group: 'epochs',
      times: 2,
      answer: { error: 'STALE_MEMBER_EPOCH' },
    })
    await consumer.commit()
    expect(fault.hits).toBe(2)
    expect(await bench.committed('epochs', topic)).toEqual([4])
    const tooLong = consumer.commit([{ topic, partition: 0, offset: 2, metadata: 'x'.repeat(5_000) }])
    await expect(tooLong).rejects.toMatchObject({ name: 'CommitError', code: 'OFFSET_METADATA_TOO_LARGE', groupId: 'epochs' })
    expect(await bench.committed('epochs', topic)).toEqual([4])
  })
})
