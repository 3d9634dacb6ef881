import fc from 'fast-check'
import { expect, test } from 'vitest'
import { testBroker } from '../test/test-broker.ts'
import { SendAllError, type SendAllResult } from './delivery.ts'
import { Producer, type SendAllOptions } from './producer.ts'
import type { ProducerRecord, RecordInput } from './record.ts'

const { bootstrapServers, newTopic } = await testBroker()

function outcomeOf(promise: Promise<SendAllResult>): Promise<SendAllResult | SendAllError> {
  return promise.catch((error: unknown) => error as SendAllError)
}

/** Sends before metadata is known, when memory is short, or when neither is so. */
type Circumstance = 'unknown topic' | 'short of memory' | 'clear'

async function send(circumstance: Circumstance, topic: string, records: readonly RecordInput[], options?: SendAllOptions) {
  const memory = circumstance === 'short of memory' ? { bufferMemory: 3_000, batchSize: 1_000, maxRequestSize: 5_000 } : {}
  await using producer = new Producer({ bootstrapServers, maxRequestSize: 2_500, ...memory })
  if (circumstance !== 'unknown topic') await producer.send({ topic, value: 'first', partition: 0 })
  return { outcome: await outcomeOf(producer.sendAll(topic, records, options)), before: circumstance === 'unknown topic' ? 0 : 1 }
}

const WRONG: Readonly<Record<string, RecordInput>> = {
  INVALID_RECORD: { value: 5 as never },
  RECORD_TOO_LARGE: { value: 'x'.repeat(6_000) },
  UNKNOWN_TOPIC_OR_PARTITION: { value: 'v', partition: 1 },
}

const plan = fc.array(fc.constantFrom(null, ...Object.keys(WRONG)), { minLength: 1, maxLength: 60 })
const circumstance = fc.constantFrom<Circumstance>('unknown topic', 'short of memory', 'clear')

const recordsOf = (codes: ReadonlyArray<string | null>): RecordInput[] =>
  codes.map((code) => (code === null ? { value: 'good'.padEnd(100, '.') } : WRONG[code]!))

test('a record that is wrong is refused alone, by its place, and the others are stored', async () => {
  await fc.assert(
    fc.asyncProperty(plan, circumstance, async (codes, circumstance) => {
      const topic = await newTopic(1)
      const { outcome, before } = await send(circumstance, topic, recordsOf(codes))
      const refused = codes.flatMap((code, index) => (code === null ? [] : [{ index, code }]))
      const good = codes.length - refused.length
      const stored = good === 0 ? [] : [{ partition: 0, firstOffset: before, lastOffset: before + good - 1, recordCount: good }]
      if (refused.length === 0) {
        expect(outcome).toMatchObject({ topic, recordCount: good, ranges: stored })
        return
      }
      expect(outcome).toBeInstanceOf(SendAllError)
      const error = outcome as SendAllError
      expect(error).toMatchObject({ topic, failedCount: refused.length, retriable: false, delivered: stored })
      const told = error.refused.map(({ index, error }) => ({ index, code: error.code }))
      expect(told.toSorted((a, b) => a.index - b.index)).toEqual(refused)
      expect(error.cause).toBe(error.refused[0]!.error)
      expect(error.code).toBe(error.refused[0]!.error.code)
    }),
    { numRuns: 40 },
  )
})

test('with allOrNothing, nothing is stored when one record is wrong', async () => {
  await fc.assert(
    fc.asyncProperty(plan, circumstance, async (codes, circumstance) => {
      const topic = await newTopic(1)
      const { outcome, before } = await send(circumstance, topic, recordsOf(codes), { allOrNothing: true })
      const isGood = codes.every((code) => code === null)
      if (isGood) expect(outcome).toMatchObject({ recordCount: codes.length, ranges: [{ recordCount: codes.length }] })
      else {
        expect(outcome).toBeInstanceOf(SendAllError)
        expect(outcome).toMatchObject({ failedCount: codes.length, delivered: [] })
        for (const { index, error } of (outcome as SendAllError).refused) expect(error.code).toBe(codes[index])
        expect((outcome as SendAllError).refused.length).toBeGreaterThan(0)
      }
      await using producer = new Producer({ bootstrapServers })
      const { offset } = await producer.send({ topic, value: 'after', partition: 0 })
      expect(offset).toBe(before + (isGood ? codes.length : 0))
    }),
    { numRuns: 40 },
  )
})

test('what is wrong with the call refuses all of it', async () => {
  await using producer = new Producer({ bootstrapServers })
  const good = [{ value: 'v' }]
  const code = async (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => 'fulfilled',
      (error: Error) => [error.constructor.name, (error as SendAllError).code],
    )
  expect(await code(producer.sendAll('no spaces', good))).toEqual(['KafkaError', 'INVALID_TOPIC_EXCEPTION'])
  expect(await code(producer.sendAll('t', undefined as never))).toEqual(['KafkaError', 'INVALID_RECORD'])
  expect(await code(producer.sendAll('t', 'text' as never))).toEqual(['KafkaError', 'INVALID_RECORD'])
  expect(await code(producer.sendAll('t', { value: 'v' } as never))).toEqual(['KafkaError', 'INVALID_RECORD'])
  expect(await code(producer.sendAll('t', good, { allOrNothing: 1 as never }))).toEqual(['ConfigError', 'INVALID_CONFIG'])
})

test('what is refused once the topic is known counts as failed, and for its topic', async () => {
  const topic = await newTopic(1)
  await using producer = new Producer({ bootstrapServers })
  const records = [{ value: 'v' }, { value: 'v', partition: 1 }]
  await outcomeOf(producer.sendAll(topic, records))
  await outcomeOf(producer.sendAll(topic, records, { allOrNothing: true }))
  const metrics = producer.metrics()
  expect(metrics['record-error-total']).toBe(3)
  expect(metrics['producer-topic-metrics'].get(topic)!['record-error-total']).toBe(3)
})

test('takes any iterable, once', async () => {
  const topic = await newTopic(1)
  await using producer = new Producer({ bootstrapServers })
  function* records(): Generator<RecordInput> {
    for (let index = 0; index < 3; index++) yield { value: String(index) }
  }
  expect(await producer.sendAll(topic, records())).toMatchObject({ recordCount: 3 })
  expect(await producer.sendAll(topic, new Set([{ value: 'v' }]))).toMatchObject({ recordCount: 1 })
})

test('an array may be used again while its records wait', async () => {
  const topic = await newTopic(1)
  await using producer = new Producer({ bootstrapServers })
  const records = [{ value: 'a' }, { value: 'b' }]
  const sent = producer.sendAll(topic, records)
  records.length = 0
  records.push({ value: 'c' })
  expect(await sent).toMatchObject({ recordCount: 2, ranges: [{ firstOffset: 0, lastOffset: 1 }] })
})

test.each(['timestamp', 'value', 'key', 'headers', 'partition', 'topic'])(
  'a record whose %s throws fails alone, whenever it is read',
  async (field) => {
    const topic = await newTopic(1)
    const throwsAt = (turn: number): ProducerRecord => {
      let reads = 0
      const fields: Record<string, unknown> = { topic, value: 'v' }
      const get = (): unknown => {
        if (++reads >= turn) throw new Error('no')
        return fields[field]
      }
      return Object.defineProperty({ ...fields }, field, { get }) as unknown as ProducerRecord
    }
    for (const turn of [1, 2, 3, 4]) {
      // The first of a producer waits for metadata.
      await using producer = new Producer({ bootstrapServers })
      const outcomes = await Promise.allSettled([
        producer.sendAll(topic, [{ value: '1' }, throwsAt(turn), { value: '2' }]),
        producer.send({ topic, value: '3' }),
      ])
      expect(outcomes[1].status).toBe('fulfilled')
      const later = await Promise.allSettled([
        producer.sendAll(topic, [{ value: '4' }, throwsAt(turn), { value: '5' }]),
        producer.send(throwsAt(turn)),
        new Promise((resolve) => producer.post(throwsAt(turn), resolve)),
      ])
      if (turn === 1) for (const outcome of later.slice(1)) expect(outcome.status).toBe('rejected')
      for (const outcome of [...outcomes, ...later]) {
        if (outcome.status === 'fulfilled') continue
        expect(outcome.reason).toMatchObject({ code: 'INVALID_RECORD' })
        if (outcome.reason instanceof SendAllError) expect(outcome.reason.refused.map(({ index }) => index)).toEqual([1])
      }
    }
  },
)
