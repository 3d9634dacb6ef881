import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CompressionType } from '@millrace/records/internal'
import type { BatchContext, ConsumerBatch, ConsumerRecord, DeserializationError, RecordContext } from '@millrace/consumer-group'
import { Producer } from '@millrace/producer'
import { range, TestBench, until } from './bench.ts'

let bench: TestBench
let groups = 0

beforeAll(async () => {
  bench = await TestBench.start()
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
})

/** So large that answers have memory of their own, which can be seen to go. */
const COUNT = 40
/** They come with one answer, which is neither the first, a small one, nor the last, whose end nothing asks for. */
const MIDDLE = range(18, 24)
const valueOf = (offset: number): string => String(offset).padEnd(50_000)
const disposed = expect.objectContaining({ code: 'BATCH_DISPOSED' })

async function filled(compression: CompressionType = 'none'): Promise<string> {
  const topic = await bench.topic(1)
  const { bootstrapServers } = bench.broker
  const producer = new Producer({ bootstrapServers, lingerMs: 0, compressionType: compression })
  await producer.sendAll(
    topic,
    range(0, COUNT).map((offset) => ({ key: `key ${offset}`, value: valueOf(offset) })),
  )
  await producer.close()
  return topic
}

const options = (topic: string) => ({ groupId: `memory-${groups++}`, topics: [topic], fetchMinBytes: 1_000_000 })

/** What handlers saw and kept, though they should not. */
class Kept {
  readonly values: string[] = []
  readonly records: ConsumerRecord[] = []
  readonly views: Buffer[] = []

  readonly note = (record: ConsumerRecord): void => {
    this.records.push(record)
    this.views.push(record.value!)
    this.values.push(String(record.value))
  }

  /** Which of `MIDDLE`. */
  get gone(): number[] {
    return MIDDLE.filter((offset) => this.views[offset]!.length === 0)
  }
}

test.each([
  ['soon', (): Promise<void> => Promise.resolve()],
  ['later', (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))],
])('records that handlers end %s give their memory back to a run that says so', async (_name, end) => {
  const topic = await filled()
  await using consumer = bench.consumer(options(topic))
  const kept = new Kept()
  await consumer.run({
    disposeHandled: true,
    concurrency: 3,
    orderedBy: 'none',
    eachRecord: async (record) => {
      const { length } = kept.records
      kept.note(record)
      await end()
      expect(String(record.value)).toBe(kept.values[length])
      if (record.offset === COUNT - 1) consumer.stop()
    },
  })
  expect(kept.values).toEqual(range(0, COUNT).map(valueOf))
  expect(kept.gone).toEqual(MIDDLE)
  for (const offset of MIDDLE) expect(() => kept.records[offset]!.value).toThrow(disposed)
})

test('handlers that do not wait give it back too, and nothing of it goes where nobody said so', async () => {
  const topic = await filled()
  for (const disposeHandled of [true, false]) {
    await using consumer = bench.consumer(options(topic))
    const kept = new Kept()
    await consumer.run({
      disposeHandled,
      eachRecord: (record) => {
        kept.note(record)
        if (record.offset === COUNT - 1) consumer.stop()
      },
    })
    expect(kept.values).toEqual(range(0, COUNT).map(valueOf))
    expect(kept.gone).toEqual(disposeHandled ? MIDDLE : [])
    expect(kept.views.every((view, offset) => String(view) === valueOf(offset))).toBe(!disposeHandled)
  }
})

test('a record in hand keeps its memory while those around it are over, committed or not', async () => {
  const topic = await filled()
  await using consumer = bench.consumer(options(topic))
  const kept = new Kept()
  const gate = Promise.withResolvers<void>()
  let ended = 0
  const running = consumer.run({
    disposeHandled: true,
    concurrency: 4,
    orderedBy: 'none',
    eachRecord: async (record: ConsumerRecord, context: RecordContext) => {
      kept.note(record)
      if (record.offset === MIDDLE[0]) {
        await context.commit()
        await gate.promise
        expect(String(record.value)).toBe(valueOf(record.offset))
      }
      ended++
    },
  })
  await until(() => ended === COUNT - 1)
  expect(kept.gone).toEqual([])
  gate.resolve()
  await until(() => ended === COUNT)
  consumer.stop()
  await running
  expect(kept.gone).toEqual(MIDDLE)
})

test.each(['none', 'lz4'] as const)(
  'batches give it back once their handler is done, not when it disposes of them; %s',
  async (compression) => {
    const topic = await filled(compression)
    await using consumer = bench.consumer({ ...options(topic), maxPollRecords: 7 })
    const kept = new Kept()
    const batches: ConsumerBatch[] = []
    await consumer.run({
      disposeHandled: true,
      eachBatch: async (batch: ConsumerBatch) => {
        batches.push(batch)
        {
          using again = batch
          for (const record of again) kept.note(record)
        }
        await new Promise((resolve) => void setImmediate(resolve))
        expect(Array.from(batch, ({ value }) => String(value))).toEqual(
          range(batch.firstOffset, batch.lastOffset + 1).map(valueOf),
        )
        if (batch.lastOffset === COUNT - 1) consumer.stop()
      },
    })
    expect(kept.values).toEqual(range(0, COUNT).map(valueOf))
    for (const batch of batches) expect(() => [...batch]).toThrow(disposed)
    if (compression === 'none') expect(kept.gone).toEqual(MIDDLE)
  },
)

test('the rest of a batch that was left is read like all of it, and goes with it', async () => {
  const topic = await filled()
  await using consumer = bench.consumer({ ...options(topic), maxPollRecords: 10 })
  const kept = new Kept()
  const batches: ConsumerBatch[] = []
  await consumer.run({
    disposeHandled: true,
    eachBatch: (batch: ConsumerBatch, context: BatchContext) => {
      batches.push(batch)
      for (const record of batch) {
        kept.note(record)
        context.handled(record)
        if (record.offset % 4 === 0) return context.leaveRest()
      }
      if (batch.lastOffset === COUNT - 1) consumer.stop()
    },
  })
  expect(kept.values).toEqual(range(0, COUNT).map(valueOf))
  expect(kept.gone).toEqual(MIDDLE)
  for (const batch of batches) expect(() => [...batch]).toThrow(disposed)
})

test.each(['eachRecord', 'eachBatch'] as const)('what failed is there for the next attempt and for its copy: %s', async (way) => {
  const topic = await filled()
  const deadLetterTopic = await bench.topic(1)
  await using consumer = bench.consumer(options(topic))
  const attempts: string[] = []
  const handle = (records: Iterable<ConsumerRecord>): void => {
    for (const record of records) {
      if (record.offset % 10 === 3) {
        attempts.push(String(record.value))
        throw new Error(`not ${record.offset}`)
      }
      if (record.offset === COUNT - 1) consumer.stop()
    }
  }
  consumer.on('handlerFailed', ({ action, offset }) => {
    if (way === 'eachBatch' && action === 'deadLetter' && offset >= COUNT - 20) consumer.stop()
  })
  await consumer.run({
    disposeHandled: true,
    retry: { retries: 1, backoffMs: 1 },
    deadLetterTopic,
    producer: bench.producer,
    ...(way === 'eachRecord'
      ? { eachRecord: (record: ConsumerRecord) => handle([record]) }
      : { eachBatch: (batch: ConsumerBatch) => handle(batch) }),
  })
  expect(attempts.length).toBeGreaterThan(2)
  for (const [index, value] of attempts.entries()) expect(value).toBe(attempts[index - (index % 2)])
  await using reader = bench.consumer()
  reader.assign([{ topic: deadLetterTopic, partition: 0 }])
  const copies: string[] = []
  const expected = way === 'eachRecord' ? attempts.length / 2 : 1
  for await (const record of reader) {
    copies.push(String(record.value))
    if (copies.length >= expected) reader.stop()
  }
  if (way === 'eachRecord') expect(copies).toEqual(attempts.filter((_, index) => index % 2 === 0))
  else expect(copies[0]).toBe(valueOf(Number(copies[0])))
})

test.each(['skip', 'throw'] as const)(
  'a record that could not be deserialized stays for its error, policy %s',
  async (policy) => {
    const topic = await filled()
    const bad = MIDDLE[2]!
    await using consumer = bench.consumer<Buffer | null, number>({
      ...options(topic),
      valueDeserializer: (value) => {
        const offset = Number(String(value))
        if (offset === bad) throw new RangeError('bad')
        return offset
      },
      onDeserializationError: policy,
    })
    const failed: DeserializationError[] = []
    consumer.on('deserializationFailed', ({ error }) => failed.push(error))
    consumer.on('handlerFailed', ({ error }) => failed.push(error as DeserializationError))
    const seen: number[] = []
    await consumer.run({
      disposeHandled: true,
      onExhausted: 'skip',
      eachRecord: ({ value }) => {
        seen.push(value)
        if (value === COUNT - 1) consumer.stop()
      },
    })
    expect(seen).toEqual(range(0, COUNT).filter((offset) => offset !== bad))
    expect(failed.map(({ record }) => String(record.value))).toEqual([valueOf(bad)])
  },
)
