import { setImmediate as turn } from 'node:timers/promises'
import type { Consumer, PartitionStream } from '@millrace/consumer-group'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nextEvent, range, TestBench, until } from './bench.ts'

let bench: TestBench

beforeAll(async () => {
  bench = await TestBench.start()
})

afterAll(() => bench[Symbol.asyncDispose]())

function assigned(topic: string, partitions: number, groupId?: string): Consumer {
  const consumer = bench.consumer({ ...(groupId === undefined ? {} : { groupId }), autoCommitIntervalMs: 10 })
  consumer.assign(range(0, partitions).map((partition) => ({ topic, partition })))
  return consumer
}

describe('streams of partitions', () => {
  test('go side by side: one that is stuck holds nobody up, each is in order, and what each handled is committed', async () => {
    const topic = await bench.topic(3, 30)
    await using consumer = assigned(topic, 3, 'side-by-side')
    const seen: number[][] = [[], [], []]
    const stuck = Promise.withResolvers<void>()
    const handle = async (stream: PartitionStream): Promise<void> => {
      for await (const { partition, offset } of stream) {
        if (partition === 1 && offset === 5) await stuck.promise
        await turn()
        seen[partition]!.push(offset)
      }
    }
    const handlers: Promise<void>[] = []
    const outer = (async () => {
      for await (const stream of consumer.partitions()) handlers.push(handle(stream))
    })()
    await until(() => seen[0]!.length === 30 && seen[2]!.length === 30)
    expect(seen).toEqual([range(0, 30), range(0, 5), range(0, 30)])
    const caughtUp = (committed: Array<number | null>): boolean => committed[0] === 30 && committed[2] === 30
    for (let done = false; !done;) {
      await nextEvent(consumer, 'committed')
      done = caughtUp(await bench.committed('side-by-side', topic))
    }
    expect(await bench.committed('side-by-side', topic)).toEqual([30, 5, 30])
    stuck.resolve()
    await until(() => seen[1]!.length === 30)
    consumer.stop()
    await Promise.all([outer, ...handlers])
    expect(seen[1]).toEqual(range(0, 30))
  })

  test('end when their partition is given up, after the record in hand, which is committed first; others go on', async () => {
    const topic = await bench.topic(2, 10)
    const options = { groupId: 'rebalanced', topics: [topic], partitionAssignors: ['cooperative-sticky'] as const }
    await using first = bench.consumer(options)
    await using second = bench.consumer(options)
    const log: string[] = []
    const hold = Promise.withResolvers<void>()
    const inHand = new Set<number>()
    const handle = async (stream: PartitionStream): Promise<void> => {
      for await (const { partition, offset } of stream) {
        if (offset === 3) {
          inHand.add(partition)
          await hold.promise
        }
        log.push(`${partition}:${offset}`)
      }
      log.push(`end ${stream.partition}`)
    }
    void (async () => {
      for await (const stream of first.partitions()) void handle(stream)
    })()
    await until(() => inHand.size === 2)
    const others: string[] = []
    const loop = (async () => {
      for await (const { partition, offset } of second) {
        others.push(`${partition}:${offset}`)
        if (offset === 9) second.stop()
      }
    })()
    await until(() => first.assignment.length === 1)
    const [kept] = first.assignment
    const gone = 1 - kept!.partition
    expect(log.some((entry) => entry.startsWith('end'))).toBe(false)
    hold.resolve()
    await loop
    await until(() => log.filter((entry) => entry.startsWith(`${kept!.partition}:`)).length === 10)
    expect(log).toContain(`end ${gone}`)
    expect(log).not.toContain(`end ${kept!.partition}`)
    expect(others).toEqual(range(4, 10).map((offset) => `${gone}:${offset}`))
  })

  test('breaking the outer loop ends them all, and gives back what is in hand', async () => {
    const topic = await bench.topic(2, 4)
    await using consumer = assigned(topic, 2)
    let waiting: Promise<IteratorResult<unknown>> | null = null
    const loops: AsyncIterableIterator<unknown>[] = []
    for await (const stream of consumer.partitions()) {
      const loop = stream[Symbol.asyncIterator]()
      loops.push(loop)
      await loop.next()
      if (loops.length === 2) {
        for (let count = 1; count < 4; count++) await loop.next()
        waiting = loop.next()
        break
      }
    }
    expect(await waiting).toEqual({ done: true, value: undefined })
    await loops[0]!.return!()
    const offsets: string[] = []
    for await (const { partition, offset } of consumer) {
      offsets.push(`${partition}:${offset}`)
      if (offsets.length === 4) consumer.stop()
    }
    // The one that asked for more had handled its last; the other had one in hand.
    expect(new Set(offsets.map((entry) => entry.split(':')[0])).size).toBe(1)
    expect(offsets.map((entry) => Number(entry.split(':')[1]))).toEqual([0, 1, 2, 3])
  })

  test.each(['stop', 'abort'] as const)('%s of the outer loop ends them for good', async (end) => {
    const topic = await bench.topic(1, 4)
    await using consumer = assigned(topic, 1)
    const abort = new AbortController()
    const outer = consumer.partitions({ signal: abort.signal })
    const { value: stream } = (await outer.next()) as { value: PartitionStream }
    const loop = stream.records()
    expect((await loop.next()).value.offset).toBe(0)
    if (end === 'stop') {
      consumer.stop()
      expect(await outer.next()).toMatchObject({ done: true })
    } else {
      abort.abort()
      await expect(outer.next()).rejects.toMatchObject({ code: 'ABORTED' })
    }
    expect(await loop.next()).toMatchObject({ done: true })
    const other = consumer.records()
    expect((await other.next()).value.offset).toBe(1)
    // What the other loop has in hand is not touched.
    expect(await stream.records().next()).toMatchObject({ done: true })
    await other.return!()
    const last = consumer.records()
    expect((await last.next()).value.offset).toBe(1)
    await last.return!()
  })

  test('damage stops one stream only, which can be iterated again behind it', async () => {
    const topic = await bench.topic(2, 6)
    await using consumer = bench.consumer({ valueDeserializer: (bytes, { partition }) => poison(String(bytes), partition) })
    consumer.assign([
      { topic, partition: 0 },
      { topic, partition: 1 },
    ])
    const seen: [string[], string[]] = [[], []]
    const failures: unknown[] = []
    const handle = async (stream: PartitionStream<Buffer | null, string>): Promise<void> => {
      try {
        for await (const { partition, value } of stream) seen[partition as 0 | 1].push(value)
      } catch (error) {
        failures.push(error)
        consumer.seek(stream, (error as { offset: number }).offset + 1)
        return handle(stream)
      }
    }
    void (async () => {
      for await (const stream of consumer.partitions()) void handle(stream)
    })()
    await until(() => seen[0].length === 6 && seen[1].length === 5)
    expect(failures).toMatchObject([{ code: 'DESERIALIZATION_FAILED', topic, partition: 1, offset: 3, part: 'value' }])
    expect(seen).toEqual([range(0, 6).map(String), ['0', '1', '2', '4', '5']])
  })

  test('one loop per stream, one way to consume per consumer', async () => {
    const topic = await bench.topic(1, 2)
    await using consumer = assigned(topic, 1)
    const outer = consumer.partitions()
    const { value: stream } = (await outer.next()) as { value: PartitionStream }
    const loop = stream.batches()
    expect(() => stream.records()).toThrow(
      expect.objectContaining({ code: 'CONSUMER_BUSY', message: expect.stringContaining(`${topic}-0`) as string }),
    )
    expect(() => consumer.records()).toThrow(expect.objectContaining({ code: 'CONSUMER_BUSY' }))
    expect((await loop.next()).value.lastOffset).toBe(1)
    await loop.return!()
    expect((await stream.records().next()).value.offset).toBe(0)
    await outer.return!()
  })
})

function poison(value: string, partition: number): string {
  if (value === '3' && partition === 1) throw new Error('no 3')
  return value
}

describe('Web and Node streams', () => {
  const kinds = ['readable', 'nodeReadable'] as const

  test.each(kinds)(
    '%s gives the records; one counts as handled when the next is read, not because it was read ahead',
    async (kind) => {
      const topic = await bench.topic(1, 10)
      const groupId = `stream-${kind}`
      await using consumer = assigned(topic, 1, groupId)
      const stream = consumer[kind]() as AsyncIterable<{ offset: number }>
      const offsets: number[] = []
      for await (const { offset } of stream) {
        offsets.push(offset)
        if (offset < 6) continue
        // Long enough for a stream that reads ahead to do so.
        for (let turns = 0; turns < 50; turns++) await turn()
        await consumer.commit()
        expect(await bench.committed(groupId, topic)).toEqual([6])
        break
      }
      expect(offsets).toEqual(range(0, 7))
      await consumer.commit()
      expect(await bench.committed(groupId, topic)).toEqual([6])
      // What was in hand when the stream was broken off comes again.
      const loop = consumer.records()
      expect((await loop.next()).value.offset).toBe(6)
      await loop.return!()
    },
  )

  test.each(kinds)('%s of a partition ends with stop, and fails with what stops it', async (kind) => {
    const topic = await bench.topic(1, 3)
    await using consumer = bench.consumer({ autoOffsetReset: 'none' })
    consumer.assign([{ topic, partition: 0, offset: 1 }])
    const outer = consumer.partitions()
    const { value } = (await outer.next()) as { value: PartitionStream }
    const read = async (): Promise<number[]> => {
      const offsets: number[] = []
      for await (const { offset } of value[kind]() as AsyncIterable<{ offset: number }>) {
        offsets.push(offset)
        if (offset === 2) consumer.seek({ topic, partition: 0 }, 77)
      }
      return offsets
    }
    await expect(read()).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE', topic, partition: 0, offset: 77 })
    consumer.seek({ topic, partition: 0 }, 0)
    const ending = (value[kind]() as AsyncIterable<{ offset: number }>)[Symbol.asyncIterator]()
    expect((await ending.next()).value.offset).toBe(0)
    consumer.stop()
    expect((await ending.next()).done).toBe(true)
  })
})
