import { afterAll, beforeAll, expect, test } from 'vitest'
import { Admin } from '@millrace/admin'
import { Broker } from '@millrace/broker'
import { MAX_TIMER_MS, nodeEnvironment, type Clock } from '@millrace/client/internal'
import { Consumer, type ConsumerEvents, type ConsumerRecord, type RecordCopy } from '@millrace/consumer-group'
import { Producer } from '@millrace/producer'
import { KafkaError } from '@millrace/protocol'
import { TestBench, until } from './bench.ts'

let bench: TestBench
let groups = 0

beforeAll(async () => {
  bench = await TestBench.start()
})

afterAll(async () => {
  await bench[Symbol.asyncDispose]()
})

const newGroup = (): string => `copies-${groups++}`

/** The first records of a partition. */
async function read(topic: string, count: number): Promise<ConsumerRecord[]> {
  await using consumer = bench.consumer()
  consumer.assign([{ topic, partition: 0 }])
  const records: ConsumerRecord[] = []
  for await (const record of consumer) {
    records.push(record)
    if (records.length === count) consumer.stop()
  }
  return records
}

test('a record that keeps failing goes through the retry topics to the dead-letter topic, unchanged; the others go on', async () => {
  const topic = await bench.topic(1)
  const soon = await bench.topic(1)
  const later = await bench.topic(1)
  const deadLetterTopic = await bench.topic(1)
  const headers = [
    ['trace', Buffer.from([0xff])],
    ['trace', null],
  ] as const
  await bench.producer.sendAll(topic, [
    { key: 'a', value: 'good' },
    { key: Buffer.from([0xfe, 0]), value: 'bad', headers, timestamp: 1_700_000_000_000 },
    { key: 'c', value: 'good' },
  ])
  const groupId = newGroup()
  await using consumer = bench.consumer({ groupId, topics: [topic] })
  const events: Array<ConsumerEvents['handlerFailed']> = []
  consumer.on('handlerFailed', (event) => {
    events.push(event)
    if (event.action === 'deadLetter') consumer.stop()
  })
  const calls: string[] = []
  const dueAts: number[] = []
  await consumer.run({
    concurrency: 4,
    retry: { retries: 1, backoffMs: 1 },
    retryTopics: [
      { topic: soon, delayMs: 30 },
      { topic: later, delayMs: 60 },
    ],
    deadLetterTopic,
    producer: bench.producer,
    eachRecord: (record, { attempt }) => {
      const { topic: from, value } = record
      calls.push(`${from} ${String(value)} #${attempt}`)
      const due = new Map(record.headers).get('retry_topic-backoff-timestamp')
      if (due !== undefined) {
        dueAts.push(Number(due!.readBigInt64BE()))
        expect(Date.now()).toBeGreaterThanOrEqual(dueAts.at(-1)!)
      }
      if (String(value) === 'bad') throw new RangeError('bad indeed')
    },
  })
  const ofBad = calls.filter((call) => call.includes('bad'))
  const attempts = [topic, topic, soon, soon, later, later].map((from, index) => `${from} bad #${index + 1}`)
  expect(ofBad).toEqual(attempts)
  expect(calls.filter((call) => call.includes('good'))).toHaveLength(2)
  expect(dueAts).toHaveLength(4)
  expect(events.map(({ action, target }) => [action, target])).toEqual([
    ['retry', null],
    ['retryTopic', soon],
    ['retry', null],
    ['retryTopic', later],
    ['retry', null],
    ['deadLetter', deadLetterTopic],
  ])
  expect(await bench.committed(groupId, topic)).toEqual([3])
  expect(await bench.committed(groupId, later)).toEqual([1])
  const [letter] = await read(deadLetterTopic, 1)
  expect([letter!.key, String(letter!.value)]).toEqual([Buffer.from([0xfe, 0]), 'bad'])
  expect(letter!.headers.slice(0, 2)).toEqual(headers)
  const said = new Map(letter!.headers)
  expect(String(said.get('kafka_dlt-original-topic'))).toBe(topic)
  expect(said.get('kafka_dlt-original-offset')!.readBigInt64BE()).toBe(1n)
  expect(said.get('kafka_dlt-original-timestamp')!.readBigInt64BE()).toBe(1_700_000_000_000n)
  expect(String(said.get('kafka_dlt-original-consumer-group'))).toBe(groupId)
  expect(String(said.get('kafka_dlt-exception-fqcn'))).toBe('RangeError')
  expect(said.get('retry_topic-attempts')!.readInt32BE()).toBe(6)
  expect(said.has('retry_topic-backoff-timestamp')).toBe(false)
})

test('what is left of a batch goes to the dead-letter topic, and nothing that was resolved', async () => {
  const topic = await bench.topic(1, 6)
  const deadLetterTopic = await bench.topic(1)
  const groupId = newGroup()
  await using consumer = bench.consumer({ groupId, topics: [topic] })
  await consumer.run({
    deadLetterTopic,
    producer: bench.producer,
    eachBatch: (_batch, context) => {
      context.handled(3)
      consumer.stop()
      throw new Error('no 4')
    },
  })
  expect((await read(deadLetterTopic, 2)).map(({ value }) => String(value))).toEqual(['4', '5'])
  expect(await bench.committed(groupId, topic)).toEqual([6])
})

test.each(['retryTopics', 'deadLetterTopic'] as const)('a topic of %s that is not there is named at once', async (option) => {
  await using broker = await Broker.start({ port: 0, autoCreateTopics: false })
  const { bootstrapServers } = broker
  await using admin = new Admin({ bootstrapServers })
  await admin.createTopics([{ name: 'orders' }, { name: 'there' }])
  await using consumer = new Consumer({ bootstrapServers, groupId: 'g', topics: ['orders'] })
  await using producer = new Producer({ bootstrapServers })
  const retryTopics = ['there', ...(option === 'retryTopics' ? ['gone'] : [])].map((topic) => ({ topic, delayMs: 1 }))
  const deadLetterTopic = option === 'retryTopics' ? 'there-too' : 'gone'
  await admin.createTopics([{ name: 'there-too' }])
  const run = consumer.run({ eachRecord: () => {}, retryTopics, deadLetterTopic, producer })
  const failure = { name: 'MissingTopicError', code: 'UNKNOWN_TOPIC_OR_PARTITION', option, topic: 'gone' }
  await expect(run).rejects.toMatchObject(failure)
})

test('a copy that took long to fail, or fails for good, is not tried again', async () => {
  const topic = await bench.topic(1, 1)
  const groupId = newGroup()
  let aheadMs = 0
  const { clock } = nodeEnvironment
  const lateClock: Clock = { now: () => clock.now() + aheadMs, after: (delayMs, action) => clock.after(delayMs, action) }
  const environment = { ...nodeEnvironment, clock: lateClock }
  await using consumer = new Consumer(
    { bootstrapServers: bench.broker.bootstrapServers, groupId, topics: [topic], autoOffsetReset: 'earliest' },
    environment,
  )
  const sends: unknown[] = []
  const failing = (cause: Error, tookMs: number): Promise<unknown> => {
    const send = (): Promise<never> => {
      sends.push(cause)
      aheadMs += tookMs
      return Promise.reject(cause)
    }
    const eachRecord = (): never => {
      throw new Error('no')
    }
    return consumer.run({ eachRecord, deadLetterTopic: topic, producer: { send } })
  }
  const final = new KafkaError('TOPIC_AUTHORIZATION_FAILED', 'not you')
  await expect(failing(final, 0)).rejects.toMatchObject({ code: 'RECORD_COPY_FAILED', cause: final })
  expect(sends).toEqual([final])
  const late60 = new KafkaError('TIMEOUT', 'maxBlockMs is over', { retriable: true })
  await expect(failing(late60, 60_000)).rejects.toMatchObject({ code: 'RECORD_COPY_FAILED', cause: late60 })
  expect(sends).toEqual([final, late60])
})

test('nothing counts as handled before its copy is stored', async () => {
  const topic = await bench.topic(1, 3)
  const groupId = newGroup()
  await using consumer = bench.consumer({ groupId, topics: [topic] })
  const sent = Promise.withResolvers<RecordCopy>()
  const stored = Promise.withResolvers<void>()
  const send = (copy: RecordCopy): Promise<void> => {
    sent.resolve(copy)
    return stored.promise
  }
  const run = consumer.run({
    deadLetterTopic: 'dead',
    producer: { send },
    concurrency: 3,
    orderedBy: 'none',
    eachRecord: ({ offset }) => {
      if (offset === 1) throw new Error('no 1')
    },
  })
  expect(await sent.promise).toMatchObject({ topic: 'dead', value: Buffer.from('1') })
  await consumer.commit()
  expect(await bench.committed(groupId, topic)).toEqual([1])
  consumer.stop()
  stored.resolve()
  await run
  expect(await bench.committed(groupId, topic)).toEqual([3])
})

test('a copy that cannot be stored is tried again, and then stops the run; the record comes again', async () => {
  const topic = await bench.topic(1, 3)
  const groupId = newGroup()
  await using consumer = bench.consumer({ groupId, topics: [topic] })
  let sends = 0
  const cause = new Error('no such topic')
  const send = (): Promise<void> => {
    sends++
    return Promise.reject(cause)
  }
  const handlerError = new Error('no 1')
  const options = {
    retry: { retries: 0, backoffMs: 1 },
    deadLetterTopic: 'dead',
    eachRecord: ({ offset }: ConsumerRecord): void => {
      if (offset === 1) throw handlerError
    },
  }
  const failure = { code: 'RECORD_COPY_FAILED', topic, partition: 0, offset: 1, target: 'dead', handlerError, cause }
  await expect(consumer.run({ ...options, producer: { send } })).rejects.toMatchObject(failure)
  expect(sends).toBe(4)
  expect(await bench.committed(groupId, topic)).toEqual([1])
  // One that fails at first only is no trouble.
  const flaky = async (): Promise<void> => {
    if (++sends % 3 !== 0) throw cause
    consumer.stop()
    await Promise.resolve()
  }
  await consumer.run({ ...options, producer: { send: flaky } })
  expect((await bench.committed(groupId, topic))[0]).toBeGreaterThanOrEqual(2)
})

test('a record that says to be due in thousands of years is waited for in as long pieces as there are timers', async () => {
  const [topic, retryTopic] = [await bench.topic(1), await bench.topic(1)]
  const dueAt = Buffer.from('001fffffffffffff', 'hex')
  await bench.producer.send({ topic: retryTopic, value: 'late', headers: [['retry_topic-backoff-timestamp', dueAt]] })
  const delays: number[] = []
  const { clock } = nodeEnvironment
  const after: Clock['after'] = (delayMs, action) => {
    delays.push(delayMs)
    return clock.after(delayMs, action)
  }
  const { bootstrapServers } = bench.broker
  await using consumer = new Consumer(
    { bootstrapServers, groupId: newGroup(), topics: [topic], autoOffsetReset: 'earliest' },
    { ...nodeEnvironment, clock: { now: clock.now, after } },
  )
  const run = consumer.run({ eachRecord: () => {}, retryTopics: [{ topic: retryTopic, delayMs: 1 }], producer: bench.producer })
  await until(() => delays.some((delayMs) => delayMs >= MAX_TIMER_MS))
  expect(Math.max(...delays)).toBe(MAX_TIMER_MS)
  consumer.stop()
  await run
})
