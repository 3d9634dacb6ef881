import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeEnvironment, type Clock, type Timer } from '@millrace/client/internal'
import {
  Consumer,
  HandlerError,
  RecordCopyError,
  type BatchContext,
  type ConsumerBatch,
  type ConsumerEvents,
  type ConsumerRecord,
  type RecordContext,
} from '@millrace/consumer-group'
import { nextEvent, range, TestBench, until } from './bench.ts'

let bench: TestBench
let groups = 0

beforeAll(async () => {
  bench = await TestBench.start()
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
})

const newGroup = (): string => `run-${groups++}`
const noted = ({ partition, offset }: { partition: number; offset: number }): string => `${partition}:${offset}`

/** A topic of one partition with a record per key, in this order; an empty key for none. */
async function keyed(keys: readonly string[]): Promise<string> {
  const topic = await bench.topic(1)
  const records = keys.map((key, index) => ({ key: key === '' ? null : key, value: String(index), partition: 0 }))
  await bench.producer.sendAll(topic, records)
  return topic
}

/** Handlers that end when they are told to. */
class Gates {
  readonly began: string[] = []
  readonly #gates = new Map<string, PromiseWithResolvers<void>>()
  readonly contexts = new Map<string, RecordContext>()

  readonly handle = (record: ConsumerRecord, context: RecordContext): Promise<void> => {
    const name = noted(record)
    this.began.push(name)
    this.contexts.set(name, context)
    return this.#gate(name).promise
  }

  open(...names: string[]): void {
    for (const name of names) this.#gate(name).resolve()
  }

  fail(name: string, error: Error): void {
    this.#gate(name).reject(error)
  }

  #gate(name: string): PromiseWithResolvers<void> {
    let gate = this.#gates.get(name)
    if (gate === undefined) this.#gates.set(name, (gate = Promise.withResolvers<void>()))
    return gate
  }
}

/** The machine's clock, but for timers of a second or more, which wait to be told of time that has passed. */
class HeldClock implements Clock {
  #aheadMs = 0
  readonly #held = new Set<{ readonly at: number; readonly action: () => void }>()

  now(): number {
    return nodeEnvironment.clock.now() + this.#aheadMs
  }

  after(delayMs: number, action: () => void): Timer {
    if (delayMs < 1_000) return nodeEnvironment.clock.after(delayMs, action)
    const timer = { at: this.now() + delayMs, action }
    this.#held.add(timer)
    return { cancel: () => this.#held.delete(timer) }
  }

  advance(delayMs: number): void {
    this.#aheadMs += delayMs
    for (const timer of this.#held) {
      if (timer.at > this.now()) continue
      this.#held.delete(timer)
      timer.action()
    }
  }
}

describe('order', () => {
  test.each(['partition', 'key', 'none'] as const)('by %s, with handlers that wait and such that do not', async (orderedBy) => {
    const topic = await bench.topic(3)
    const records = range(0, 3_000).map((index) => ({ partition: index % 3, key: `k${index % 7}`, value: String(index) }))
    await bench.producer.sendAll(topic, records)
    const groupId = newGroup()
    await using consumer = bench.consumer({ groupId, topics: [topic] })
    const ended = new Map<string, number[]>()
    let running = 0
    let most = 0
    let count = 0
    const busy = new Set<string>()
    const handle = async (record: ConsumerRecord): Promise<void> => {
      const { partition, offset } = record
      const line =
        orderedBy === 'partition' ? String(partition) : orderedBy === 'key' ? `${partition} ${String(record.key)}` : noted(record)
      expect(busy.has(line)).toBe(false)
      busy.add(line)
      most = Math.max(most, ++running)
      for (let turns = (offset * 7) % 5; turns > 0; turns--) await Promise.resolve()
      running--
      busy.delete(line)
      if (!ended.has(line)) ended.set(line, [])
      ended.get(line)!.push(offset)
      if (++count === 3_000) consumer.stop()
    }
    const eachRecord = (record: ConsumerRecord): unknown => {
      if (record.offset % 3 > 0) return handle(record)
      const line =
        orderedBy === 'partition'
          ? String(record.partition)
          : orderedBy === 'key'
            ? `${record.partition} ${String(record.key)}`
            : ''
      if (!ended.has(line)) ended.set(line, [])
      ended.get(line)!.push(record.offset)
      if (++count === 3_000) consumer.stop()
      return undefined
    }
    await consumer.run({ eachRecord, concurrency: 8, orderedBy })
    expect(most).toBeLessThanOrEqual(8)
    expect(most).toBeGreaterThanOrEqual(orderedBy === 'partition' ? 3 : 8)
    expect([...ended.values()].flat()).toHaveLength(3_000)
    if (orderedBy !== 'none') for (const offsets of ended.values()) expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
    expect(await bench.committed(groupId, topic)).toEqual([1_000, 1_000, 1_000])
  })

  test('of one key; other keys, and records without one, go on; what is committed is only what lies before the first that runs', async () => {
    const topic = await keyed(['a', 'b', 'a', '', '', 'b'])
    const groupId = newGroup()
    await using consumer = bench.consumer({ groupId, topics: [topic] })
    const gates = new Gates()
    const run = consumer.run({ eachRecord: gates.handle, concurrency: 10, orderedBy: 'key' })
    await until(() => gates.began.length === 4)
    expect(gates.began).toEqual(['0:0', '0:1', '0:3', '0:4'])
    gates.open('0:1')
    await until(() => gates.began.length === 5)
    expect(gates.began.at(-1)).toBe('0:5')
    gates.open('0:3', '0:4', '0:5')
    await consumer.commit()
    expect(await bench.committed(groupId, topic)).toEqual([0])
    gates.open('0:0')
    await until(() => gates.began.length === 6)
    await consumer.commit()
    expect(await bench.committed(groupId, topic)).toEqual([2])
    consumer.stop()
    gates.open('0:2')
    await run
    expect(await bench.committed(groupId, topic)).toEqual([6])
  })

  test('a partition whose handler never ends holds no other up', async () => {
    const topic = await bench.topic(3, 500)
    const groupId = newGroup()
    await using consumer = bench.consumer({ groupId, topics: [topic] })
    const counts = [0, 0, 0]
    let stuck: AbortSignal | null = null
    const run = consumer.run({
      concurrency: 2,
      drainTimeoutMs: 10,
      eachRecord: ({ partition }, context) => {
        if (partition === 1) {
          stuck = context.signal
          return new Promise(() => {})
        }
        counts[partition]!++
        return undefined
      },
    })
    await until(() => counts[0] === 500 && counts[2] === 500)
    consumer.stop()
    expect(stuck!.aborted).toBe(false)
    await run
    expect(stuck!.aborted).toBe(true)
    expect(await bench.committed(groupId, topic)).toEqual([500, 0, 500])
  })
})

describe('batches', () => {
  test('are handled as a whole, one after another in a partition', async () => {
    const topic = await bench.topic(2, 300)
    const groupId = newGroup()
    await using consumer = bench.consumer({ groupId, topics: [topic], maxPollRecords: 40 })
    const seen: [number[], number[]] = [[], []]
    let running = [0, 0]
    await consumer.run({
      concurrency: 4,
      eachBatch: async (batch: ConsumerBatch) => {
        const partition = batch.partition as 0 | 1
        expect(++running[partition]!).toBe(1)
        await Promise.resolve()
        for (const { offset } of batch) seen[partition].push(offset)
        running[partition]!--
        if (seen[0].length + seen[1].length === 600) consumer.stop()
      },
    })
    expect(seen).toEqual([range(0, 300), range(0, 300)])
    expect(await bench.committed(groupId, topic)).toEqual([300, 300])
  })

  test('a failure in the middle repeats nothing that was resolved', async () => {
    const topic = await bench.topic(1, 50)
    const groupId = newGroup()
    await using consumer = bench.consumer({ groupId, topics: [topic] })
    const seen: number[] = []
    const attempts: number[] = []
    await consumer.run({
      retry: { retries: 1, backoffMs: 1 },
      eachBatch: async (batch, context) => {
        attempts.push(context.attempt)
        for (const record of batch) {
          if (record.offset === 20 && context.attempt === 1) throw new Error('no 20')
          seen.push(record.offset)
          context.handled(record.offset % 2 === 0 ? record : record.offset)
        }
        expect(() => context.handled(50)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', option: 'handled' }))
        consumer.stop()
        await Promise.resolve()
      },
    })
    expect(seen).toEqual(range(0, 50))
    expect(attempts).toEqual([1, 2])
    expect(await bench.committed(groupId, topic)).toEqual([50])
  })

  test('one that its handler has disposed of can be handled again', async () => {
    const value = Buffer.alloc(50_000, 'v')
    const topic = await bench.topic(1)
    await bench.producer.sendAll(
      topic,
      range(0, 20).map(() => ({ value })),
    )
    await using consumer = bench.consumer({ groupId: newGroup(), topics: [topic] })
    const read: boolean[] = []
    await consumer.run({
      retry: { retries: 1, backoffMs: 1 },
      eachBatch: (disposed, context) => {
        using batch = disposed
        const sound = Array.from(batch, (record) => record.value!.equals(value))
        if (context.attempt === 1) throw new Error('once more')
        read.push(...sound)
        if (read.length === 20) consumer.stop()
      },
    })
    expect(read).toEqual(range(0, 20).map(() => true))
  })

  test('an offset that was never in the batch is refused: an index, say', async () => {
    const topic = await bench.topic(1, 10)
    await using consumer = bench.consumer({ groupId: newGroup(), topics: [topic], maxPollRecords: 5 })
    const firsts: number[] = []
    await consumer.run({
      eachBatch: (batch, context) => {
        firsts.push(batch.firstOffset)
        for (const wrong of [batch.firstOffset - 1, batch.lastOffset + 1, 5.5])
          expect(() => context.handled(wrong)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', option: 'handled' }))
        if (batch.lastOffset === 9) consumer.stop()
      },
    })
    expect(firsts).toEqual([0, 5])
  })

  test('what was resolved before the failure that stops is committed, and the error names the next', async () => {
    const topic = await bench.topic(1, 10)
    const groupId = newGroup()
    await using consumer = bench.consumer({ groupId, topics: [topic] })
    const run = consumer.run({
      eachBatch: (_batch, context) => {
        context.handled(3)
        throw new TypeError('no 4')
      },
    })
    await expect(run).rejects.toMatchObject({ name: 'HandlerError', topic, partition: 0, offset: 4, attempts: 1 })
    expect(await bench.committed(groupId, topic)).toEqual([4])
  })
})

describe('a batch that is left early', () => {
  test('comes again from where it was left: at once here', async () => {
    const topic = await bench.topic(1, 10)
    const groupId = newGroup()
    await using consumer = bench.consumer({ groupId, topics: [topic] })
    const calls: Array<readonly [number, number, boolean]> = []
    await consumer.run({
      eachBatch: (batch, context) => {
        calls.push([batch.firstOffset, context.attempt, context.isEnding])
        if (batch.firstOffset === 8) consumer.stop()
        else context.handled(batch.firstOffset + 3)
        if (batch.firstOffset < 8) context.leaveRest()
        return batch.firstOffset === 4 ? Promise.resolve() : undefined
      },
    })
    expect(calls).toEqual([
      [0, 1, false],
      [4, 1, false],
      [8, 1, false],
    ])
    expect(await bench.committed(groupId, topic)).toEqual([10])
  })

  test('because the run ends, or its partition is given up, counts up to where it was left', async () => {
    const topic = await bench.topic(2, 10)
    const groupId = newGroup()
    const options = { groupId, topics: [topic], partitionAssignors: ['cooperative-sticky'] as const }
    await using first = bench.consumer(options)
    await using second = bench.consumer(options)
    const seen: string[] = []
    const eachBatch = async (batch: ConsumerBatch, context: BatchContext): Promise<void> => {
      for (const record of batch) {
        seen.push(noted(record))
        context.handled(record)
        while (record.offset === 4 && !context.isEnding) await new Promise((resolve) => setImmediate(resolve))
        if (context.isEnding) return context.leaveRest()
      }
    }
    const run = first.run({ eachBatch, concurrency: 2 })
    await until(() => seen.length === 10)
    const others: string[] = []
    const run2 = second.run({ eachRecord: (record) => void others.push(noted(record)) })
    await until(() => others.length === 5)
    first.stop()
    await run
    expect(seen).toHaveLength(10)
    expect(new Set([...seen, ...others]).size).toBe(15)
    expect(await bench.committed(groupId, topic)).toContain(5)
    second.stop()
    await run2
  })
})

describe('failures', () => {
  test('stop, by default: the error names the record, and nothing from it on is committed', async () => {
    const topic = await keyed(['a', 'b', 'c', 'd'])
    const groupId = newGroup()
    await using consumer = bench.consumer({ groupId, topics: [topic] })
    const gates = new Gates()
    const cause = new RangeError('no b')
    const run = consumer.run({ eachRecord: gates.handle, concurrency: 3, orderedBy: 'key' })
    await until(() => gates.began.length === 3)
    gates.open('0:2', '0:0')
    await until(() => gates.began.length === 4)
    gates.fail('0:1', cause)
    gates.open('0:3')
    await expect(run).rejects.toMatchObject({ code: 'HANDLER_FAILED', topic, partition: 0, offset: 1, attempts: 1, cause })
    expect(await bench.committed(groupId, topic)).toEqual([1])
    // The next way to consume goes on there.
    const loop = consumer.records()
    expect((await loop.next()).value.offset).toBe(1)
    await loop.return!()
  })

  test('are tried again in place, as often as it says, then passed over with an event', async () => {
    const topic = await keyed(['a', 'a', 'b'])
    const groupId = newGroup()
    await using consumer = bench.consumer({ groupId, topics: [topic] })
    const events: Array<ConsumerEvents['handlerFailed']> = []
    consumer.on('handlerFailed', (event) => events.push(event))
    const began: string[] = []
    await consumer.run({
      concurrency: 4,
      orderedBy: 'key',
      retry: { retries: 2, backoffMs: 1 },
      onExhausted: 'skip',
      eachRecord: async (record, { attempt }) => {
        began.push(`${record.offset}#${attempt}`)
        await Promise.resolve()
        if (record.offset === 0) throw new Error('never')
        if (record.offset === 1) consumer.stop()
      },
    })
    expect(began.filter((one) => !one.startsWith('2'))).toEqual(['0#1', '0#2', '0#3', '1#1'])
    expect(events.map(({ offset, attempt, action }) => [offset, attempt, action])).toEqual([
      [0, 1, 'retry'],
      [0, 2, 'retry'],
      [0, 3, 'skip'],
    ])
    expect(events[0]).toMatchObject({ topic, partition: 0, target: null, error: new Error('never') })
    expect(await bench.committed(groupId, topic)).toEqual([3])
  })

  test('that are not retriable are not tried again; what retriable throws stops the run', async () => {
    const topic = await bench.topic(1, 2)
    await using consumer = bench.consumer({ groupId: newGroup(), topics: [topic] })
    const eachRecord = (): never => {
      throw new TypeError('for good')
    }
    const retriable = (error: unknown): boolean => !(error instanceof TypeError)
    const run = consumer.run({ eachRecord, retry: { retries: 9, backoffMs: 1, retriable } })
    await expect(run).rejects.toMatchObject({ offset: 0, attempts: 1 })
    const broken = (): never => {
      throw new Error('broken')
    }
    const again = consumer.run({ eachRecord, retry: { retries: 9, backoffMs: 1, retriable: broken } })
    await expect(again).rejects.toMatchObject({ offset: 0, cause: new Error('broken') })
  })

  test('a poison record goes to the dead-letter topic with its bytes', async () => {
    const topic = await bench.topic(1, 3)
    const deadLetterTopic = await bench.topic(1)
    const groupId = newGroup()
    await using consumer = bench.consumer<Buffer | null, number>({
      groupId,
      topics: [topic],
      valueDeserializer: (bytes) => {
        if (String(bytes) === '1') throw new SyntaxError('no number')
        return Number(bytes)
      },
    })
    const values: number[] = []
    await consumer.run({
      deadLetterTopic,
      producer: bench.producer,
      retry: { retries: 5 },
      eachRecord: ({ value }) => {
        values.push(value)
        if (value === 2) consumer.stop()
      },
    })
    expect(values).toEqual([0, 2])
    await using dead = bench.consumer()
    dead.assign([{ topic: deadLetterTopic, partition: 0 }])
    const letter = ((await dead.records().next()) as IteratorYieldResult<ConsumerRecord>).value
    expect(String(letter.value)).toBe('1')
    const headers = new Map(letter.headers)
    expect(String(headers.get('kafka_dlt-exception-fqcn'))).toBe('DeserializationError')
    expect(String(headers.get('kafka_dlt-exception-cause-fqcn'))).toBe('SyntaxError')
    expect(String(headers.get('kafka_dlt-exception-code'))).toBe('DESERIALIZATION_FAILED')
  })

  test('with what has no text, and with a promise that is none, stop the run as any other', async () => {
    const topic = await bench.topic(1, 1)
    await using consumer = bench.consumer({ groupId: newGroup(), topics: [topic] })
    const textless: unknown = Object.create(null)
    const thenless = new Proxy(Promise.resolve(), {
      get: () => {
        throw new Error('no then')
      },
    })
    const throwing = consumer.run({ eachRecord: () => Promise.reject(textless) })
    await expect(throwing).rejects.toMatchObject({ code: 'HANDLER_FAILED', offset: 0, cause: textless })
    const giving = consumer.run({ eachRecord: () => thenless })
    await expect(giving).rejects.toMatchObject({ code: 'HANDLER_FAILED', offset: 0, cause: new Error('no then') })
  })

  test('with an object that throws at every touch, whatever is chosen for failures', async () => {
    const topic = await bench.topic(1, 3)
    const deadLetterTopic = await bench.topic(1)
    const touch = (): never => {
      throw new Error('do not touch')
    }
    const hostile: unknown = new Proxy(new Error('x'), { get: touch, getPrototypeOf: touch, has: touch, ownKeys: touch })
    const eachRecord = (): never => {
      throw hostile
    }
    await using consumer = bench.consumer({ groupId: newGroup(), topics: [topic] })
    const causes: unknown[] = []
    consumer.on('handlerFailed', ({ error, action }) => {
      causes.push(error)
      if (action === 'deadLetter') consumer.stop()
    })
    const isHostile = (error: Error): boolean => error.cause === hostile
    const error = await consumer.run({ eachRecord }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(HandlerError)
    expect(isHostile(error as HandlerError)).toBe(true)
    await consumer.run({ eachRecord, deadLetterTopic, producer: bench.producer })
    const send = (): Promise<never> => Promise.reject(hostile)
    const options = { deadLetterTopic, producer: { send }, retry: { retries: 0, backoffMs: 0 } }
    const copying = await consumer
      .run({ ...options, eachRecord: () => Promise.reject(hostile as Error) })
      .catch((one: unknown) => one)
    expect(copying).toBeInstanceOf(RecordCopyError)
    expect(isHostile(copying as RecordCopyError)).toBe(true)
    expect(causes.every((one) => one === hostile)).toBe(true)
    expect(causes).toHaveLength(3)
  })

  test('without a policy a poison record stops the run by its own error', async () => {
    const topic = await bench.topic(1, 3)
    const groupId = newGroup()
    const valueDeserializer = (bytes: Buffer | null): unknown => {
      if (String(bytes) === '1') throw new SyntaxError('no number')
      return bytes
    }
    await using consumer = bench.consumer({ groupId, topics: [topic], valueDeserializer })
    const run = consumer.run({ eachRecord: () => {} })
    await expect(run).rejects.toMatchObject({ code: 'DESERIALIZATION_FAILED', topic, partition: 0, offset: 1 })
    expect(await bench.committed(groupId, topic)).toEqual([1])
  })
})

describe('commits', () => {
  test('by the handler: the partition up to the first that is not handled, and nothing by itself', async () => {
    const topic = await keyed(['a', 'b', 'c'])
    const groupId = newGroup()
    await using consumer = bench.consumer({ groupId, topics: [topic], enableAutoCommit: false })
    const gates = new Gates()
    const run = consumer.run({ eachRecord: gates.handle, concurrency: 3, orderedBy: 'key' })
    await until(() => gates.began.length === 3)
    await gates.contexts.get('0:1')!.commit()
    expect(await bench.committed(groupId, topic)).toEqual([0])
    await gates.contexts.get('0:0')!.commit()
    expect(await bench.committed(groupId, topic)).toEqual([2])
    gates.open('0:0', '0:1', '0:2')
    consumer.stop()
    await run
    expect(await bench.committed(groupId, topic)).toEqual([2])
  })

  test('of a batch: what was resolved', async () => {
    const topic = await bench.topic(1, 6)
    const groupId = newGroup()
    await using consumer = bench.consumer({ groupId, topics: [topic], enableAutoCommit: false })
    await consumer.run({
      eachBatch: async (_batch, context) => {
        context.handled(2)
        await context.commit()
        expect(await bench.committed(groupId, topic)).toEqual([3])
        consumer.stop()
      },
    })
    expect(await bench.committed(groupId, topic)).toEqual([3])
  })

  test('come by themselves meanwhile', async () => {
    const topic = await bench.topic(1, 10)
    const groupId = newGroup()
    await using consumer = bench.consumer({ groupId, topics: [topic], autoCommitIntervalMs: 20 })
    const gates = new Gates()
    gates.open(...range(0, 5).map((offset) => `0:${offset}`))
    const run = consumer.run({ eachRecord: gates.handle })
    await until(() => gates.began.length === 6)
    for (let offset = 0; offset < 5;) offset = (await nextEvent(consumer, 'committed')).offsets[0]!.offset
    expect(await bench.committed(groupId, topic)).toEqual([5])
    gates.open(...range(5, 10).map((offset) => `0:${offset}`))
    consumer.stop()
    await run
  })
})

describe('rebalances', () => {
  test('wait for the handlers of a partition that is given up, and for nothing else; nothing is repeated', async () => {
    const topic = await bench.topic(2, 20)
    const groupId = newGroup()
    await using first = bench.consumer({ groupId, topics: [topic], partitionAssignors: ['cooperative-sticky'] })
    await using second = bench.consumer({ groupId, topics: [topic], partitionAssignors: ['cooperative-sticky'] })
    const handled: string[] = []
    const hold = Promise.withResolvers<void>()
    let running = 0
    let isRevoked = false
    first.on('revoked', () => (isRevoked = true))
    const run = first.run({
      concurrency: 6,
      orderedBy: 'none',
      eachRecord: async (record) => {
        running++
        if (record.offset !== 1) await hold.promise
        handled.push(noted(record))
      },
    })
    await until(() => running === 8 && handled.length === 2)
    const others: string[] = []
    const assigned = nextEvent(second, 'assigned')
    const run2 = second.run({ eachRecord: (record) => void others.push(noted(record)) })
    await assigned
    await until(() => first.assignment.length === 1)
    expect(isRevoked).toBe(false)
    hold.resolve()
    await until(() => handled.length + others.length >= 40)
    first.stop()
    second.stop()
    await Promise.all([run, run2])
    expect(isRevoked).toBe(true)
    expect(others.length).toBeGreaterThan(0)
    expect(new Set([...handled, ...others]).size).toBe(40)
    expect(handled.length + others.length).toBe(40)
    expect(await bench.committed(groupId, topic)).toEqual([20, 20])
  })

  test.each([
    ['classic', ['range']],
    ['classic', ['cooperative-sticky']],
    ['consumer', undefined],
  ] as const)(
    'under %s %s what was taken before the last record that began is handled before its partition is given up, retries included; nothing is repeated',
    async (groupProtocol, partitionAssignors) => {
      const topic = await bench.topic(2)
      const keys = ['a', 'a', 'b', 'a', 'c']
      for (const partition of [0, 1]) {
        const records = keys.map((key, index) => ({ key, partition, value: String(index) }))
        await bench.producer.sendAll(topic, records)
      }
      const groupId = newGroup()
      const options = {
        groupId,
        topics: [topic],
        groupProtocol,
        ...(partitionAssignors === undefined ? {} : { partitionAssignors }),
      }
      await using first = bench.consumer(options)
      await using second = bench.consumer(options)
      const gates = new Gates()
      const handled: string[] = []
      let isRevoked = false
      let failures = 0
      const run = first.run({
        concurrency: 10,
        orderedBy: 'key',
        retry: { retries: 1, backoffMs: 1 },
        eachRecord: async (record, context) => {
          await gates.handle(record, context)
          if (record.offset === 1 && context.attempt === 1) {
            failures++
            throw new Error('once more')
          }
          handled.push(noted(record))
        },
      })
      // Of each partition 'a' at 0 runs, and 'b' and 'c' beyond are handled, with two of 'a' before them in line.
      gates.open('0:2', '0:4', '1:2', '1:4')
      await until(() => handled.length === 4 && gates.began.length === 6)
      first.on('revoked', () => (isRevoked = true))
      const others: string[] = []
      const run2 = second.run({ eachRecord: (record) => void others.push(noted(record)) })
      await until(() => first.assignment.length < 2)
      expect(isRevoked).toBe(false)
      gates.open(...['0', '1'].flatMap((partition) => ['0', '1', '3'].map((offset) => `${partition}:${offset}`)))
      await until(() => handled.length === 10 && second.assignment.length === 1)
      expect(failures).toBe(2)
      await bench.fill(topic, 0, 5, 6)
      await bench.fill(topic, 1, 5, 6)
      gates.open('0:5', '1:5')
      await until(() => handled.length + others.length === 12)
      first.stop()
      second.stop()
      await Promise.all([run, run2])
      expect(new Set([...handled, ...others]).size).toBe(12)
      expect(await bench.committed(groupId, topic)).toEqual([6, 6])
    },
  )

  test('a handler that is stuck makes the member leave, as in Java; its signal is aborted, and it is back when that ends', async () => {
    const topic = await bench.topic(1, 4)
    const groupId = newGroup()
    await using stuck = bench.consumer({ groupId, topics: [topic], maxPollIntervalMs: 200 })
    await using other = bench.consumer({ groupId, topics: [topic] })
    const zombie = nextEvent(stuck, 'zombie')
    const lost = nextEvent(stuck, 'lost')
    const release = Promise.withResolvers<void>()
    const aborts: boolean[] = []
    const mine: number[] = []
    const run = stuck.run({
      concurrency: 4,
      eachRecord: async ({ offset }, { signal }) => {
        if (offset === 0 && mine.length === 0) {
          await release.promise
          aborts.push(signal.aborted)
        }
        mine.push(offset)
      },
    })
    expect((await zombie).cause).toBe('poll')
    await lost
    const others: number[] = []
    const run2 = other.run({ eachRecord: ({ offset }) => void others.push(offset) })
    await until(() => others.length === 4)
    expect(stuck.assignment).toEqual([])
    other.stop()
    await run2
    await other.close()
    const back = nextEvent(stuck, 'assigned')
    release.resolve()
    await back
    await bench.fill(topic, 0, 4, 6)
    await until(() => mine.length === 3)
    expect(aborts).toEqual([true])
    // What the handler did after the loss counts for nothing.
    expect(mine).toEqual([0, 4, 5])
    stuck.stop()
    await run
    expect(await bench.committed(groupId, topic)).toEqual([6])
  })

  test('a handler that does not end is named before the member leaves; other partitions go on', async () => {
    const topic = await bench.topic(2)
    await bench.fill(topic, 0, 0, 3)
    await using consumer = bench.consumer({ groupId: newGroup(), topics: [topic], maxPollIntervalMs: 2_000 })
    const events: string[] = []
    consumer.on('zombie', () => events.push('zombie'))
    const stuck = nextEvent(consumer, 'handlerStuck')
    const release = Promise.withResolvers<void>()
    const others: number[] = []
    const run = consumer.run({
      concurrency: 2,
      eachRecord: ({ partition, offset }) => (partition === 0 && offset === 1 ? release.promise : void others.push(partition)),
    })
    const event = await stuck
    expect(event).toMatchObject({ topic, partition: 0, offset: 1, attempt: 1, isAbandoned: false })
    expect(event.runningMs).toBeGreaterThanOrEqual(1_000)
    expect(events).toEqual([])
    await bench.fill(topic, 1, 0, 5)
    await until(() => others.filter((partition) => partition === 1).length === 5)
    release.resolve()
    await until(() => others.filter((partition) => partition === 0).length === 2)
    consumer.stop()
    await run
  })

  test('a commit by the handler of a partition that was lost is refused', async () => {
    const topic = await bench.topic(1, 1)
    await using consumer = bench.consumer({ groupId: newGroup(), topics: [topic], maxPollIntervalMs: 100 })
    const failure = Promise.withResolvers<unknown>()
    const run = consumer.run({
      eachRecord: async (_record, context) => {
        consumer.stop()
        await new Promise((resolve) => context.signal.addEventListener('abort', resolve))
        failure.resolve(await context.commit().catch((error: unknown) => error))
      },
    })
    expect(await failure.promise).toMatchObject({ code: 'NOT_ASSIGNED' })
    await run
  })
})

describe('the event loop', () => {
  test.each(['do not wait', 'wait for what is there'])('has its turn while handlers %s', async (what) => {
    const topic = await bench.topic(1, 2_000)
    await using consumer = bench.consumer({ groupId: newGroup(), topics: [topic] })
    let turns = 0
    let count = 0
    let isOver = false
    const turn = (): void => {
      turns++
      if (!isOver) setImmediate(turn)
    }
    const work = (): void => {
      // Busy for longer than a slice in every few hundred records.
      if (count === 0) setImmediate(turn)
      for (const end = performance.now() + 0.1; performance.now() < end;);
      if (++count < 2_000) return
      isOver = true
      consumer.stop()
    }
    const eachRecord = what === 'do not wait' ? work : (): Promise<void> => Promise.resolve(work())
    await consumer.run({ eachRecord })
    // 200 ms of work in slices of 10.
    expect(turns).toBeGreaterThanOrEqual(10)
  })
})

describe('positions', () => {
  test('a seek in a handler goes on from there; what was in hand is of no account', async () => {
    const topic = await bench.topic(1, 10)
    const groupId = newGroup()
    await using consumer = bench.consumer({ groupId, topics: [topic] })
    const seen: number[] = []
    await consumer.run({
      concurrency: 4,
      orderedBy: 'key',
      eachRecord: async (record) => {
        seen.push(record.offset)
        await Promise.resolve()
        if (record.offset === 3 && seen.filter((offset) => offset === 3).length === 1) consumer.seek(record, 8)
        if (record.offset === 9 && seen.includes(3)) consumer.stop()
      },
    })
    expect(seen.slice(-2)).toEqual([8, 9])
    expect(await bench.committed(groupId, topic)).toEqual([10])
  })

  test('nothing more of a paused partition begins, whatever was taken already', async () => {
    const topic = await keyed(['a', 'a', 'a', 'b'])
    await using consumer = bench.consumer({ groupId: newGroup(), topics: [topic] })
    const gates = new Gates()
    const run = consumer.run({ eachRecord: gates.handle, concurrency: 4, orderedBy: 'key' })
    await until(() => gates.began.length === 2)
    consumer.pause([{ topic, partition: 0 }])
    gates.open('0:0', '0:3')
    await bench.fill(await bench.topic(1), 0, 0, 50)
    expect(gates.began).toEqual(['0:0', '0:3'])
    consumer.resume([{ topic, partition: 0 }])
    await until(() => gates.began.length === 3)
    gates.open('0:1', '0:2')
    await until(() => gates.began.length === 4)
    consumer.stop()
    await run
  })
})

describe('the end', () => {
  test('by a signal: handlers that run may end, what they handled is committed, nothing else begins', async () => {
    const topic = await bench.topic(1, 10)
    const groupId = newGroup()
    await using consumer = bench.consumer({ groupId, topics: [topic] })
    const gates = new Gates()
    const controller = new AbortController()
    const run = consumer.run({ eachRecord: gates.handle, concurrency: 2, orderedBy: 'none', signal: controller.signal })
    await until(() => gates.began.length === 2)
    controller.abort()
    gates.open('0:0', '0:1')
    await run
    expect(gates.began).toEqual(['0:0', '0:1'])
    expect(await bench.committed(groupId, topic)).toEqual([2])
    await consumer.run({ eachRecord: gates.handle, signal: AbortSignal.abort() })
    expect(gates.began).toHaveLength(2)
  })

  test('what was taken before the last record that began is handled first, so that nothing is repeated', async () => {
    const topic = await keyed(['a', 'a', 'b', 'a'])
    const groupId = newGroup()
    await using consumer = bench.consumer({ groupId, topics: [topic] })
    const gates = new Gates()
    const run = consumer.run({ eachRecord: gates.handle, concurrency: 4, orderedBy: 'key' })
    gates.open('0:2')
    await until(() => gates.began.length === 2)
    consumer.stop()
    gates.open('0:0', '0:1', '0:3')
    await run
    // Not the last, beyond which nothing was handled.
    expect(gates.began).toEqual(['0:0', '0:2', '0:1'])
    expect(await bench.committed(groupId, topic)).toEqual([3])
  })

  test('by close, which waits for handlers', async () => {
    const topic = await bench.topic(1, 10)
    const groupId = newGroup()
    const consumer = bench.consumer({ groupId, topics: [topic] })
    const gates = new Gates()
    const run = consumer.run({ eachRecord: gates.handle })
    await until(() => gates.began.length === 1)
    const closed = consumer.close()
    gates.open('0:0')
    await Promise.all([run, closed])
    expect(await bench.committed(groupId, topic)).toEqual([1])
    await expect(consumer.run({ eachRecord: gates.handle })).rejects.toMatchObject({ code: 'CONSUMER_CLOSED' })
  })

  test('by close in so much time: a handler that does not end is named, told by its signal, and its record comes again', async () => {
    const topic = await bench.topic(1, 3)
    const groupId = newGroup()
    const consumer = bench.consumer({ groupId, topics: [topic] })
    await expect(consumer.close({ timeoutMs: -1 })).rejects.toMatchObject({ code: 'INVALID_CONFIG', option: 'timeoutMs' })
    await expect(consumer.close({ timeout: 20 } as object)).rejects.toMatchObject({ code: 'INVALID_CONFIG', option: 'timeout' })
    await expect(consumer.close(null as never)).rejects.toMatchObject({ code: 'INVALID_CONFIG', option: 'options' })
    const abandoned: Array<ConsumerEvents['handlerStuck']> = []
    consumer.on('handlerStuck', (event) => abandoned.push(event))
    let signal: AbortSignal | null = null
    const run = consumer.run({
      eachRecord: ({ offset }, context) => {
        if (offset === 0) return undefined
        signal = context.signal
        return new Promise(() => {})
      },
    })
    await until(() => signal !== null)
    await consumer.close({ timeoutMs: 20 })
    await run
    expect(signal!.aborted).toBe(true)
    expect(abandoned).toMatchObject([{ topic, partition: 0, offset: 1, isAbandoned: true }])
    expect(await bench.committed(groupId, topic)).toEqual([1])
  })

  test('close gives handlers no more time than the run that is ending has left', async () => {
    const topic = await bench.topic(1, 1)
    const clock = new HeldClock()
    const { bootstrapServers } = bench.broker
    const options = { bootstrapServers, groupId: newGroup(), topics: [topic], autoOffsetReset: 'earliest' } as const
    await using consumer = new Consumer(options, { ...nodeEnvironment, clock })
    const gates = new Gates()
    const run = consumer.run({ eachRecord: gates.handle, drainTimeoutMs: 8_000 })
    await until(() => gates.began.length === 1)
    consumer.stop()
    clock.advance(6_000)
    const closed = consumer.close({ timeoutMs: 7_000 })
    expect(gates.contexts.get('0:0')!.signal.aborted).toBe(false)
    clock.advance(2_000)
    await run
    await closed
    expect(gates.contexts.get('0:0')!.signal.aborted).toBe(true)
  })

  test('one way to consume at a time', async () => {
    const topic = await bench.topic(1, 1)
    await using consumer = bench.consumer({ groupId: newGroup(), topics: [topic] })
    const gates = new Gates()
    const run = consumer.run({ eachRecord: gates.handle })
    await expect(consumer.run({ eachRecord: gates.handle })).rejects.toMatchObject({ code: 'CONSUMER_BUSY' })
    expect(() => consumer.records()).toThrow(expect.objectContaining({ code: 'CONSUMER_BUSY' }))
    await until(() => gates.began.length === 1)
    gates.open('0:0')
    consumer.stop()
    await run
    const loop = consumer.records()
    await expect(consumer.run({ eachRecord: gates.handle })).rejects.toMatchObject({ code: 'CONSUMER_BUSY' })
    await loop.return!()
    await using idle = bench.consumer({ groupId: newGroup() })
    await expect(idle.run({ eachRecord: gates.handle })).rejects.toMatchObject({ code: 'NOT_SUBSCRIBED' })
  })

  test('when the consumer fails', async () => {
    const topic = await bench.topic(1, 1)
    await using consumer = bench.consumer({ groupId: newGroup(), topics: [topic], autoOffsetReset: 'none' })
    const run = consumer.run({ eachRecord: () => {} })
    await expect(run).rejects.toMatchObject({ code: 'NO_OFFSET_FOR_PARTITION', topic, partition: 0 })
  })
})
