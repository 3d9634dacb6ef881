import { afterEach, beforeEach, expect, test } from 'vitest'
import { Admin, Broker, Consumer, Producer, type FaultOptions } from '../src/index.ts'

/** The broker's faults met by the real clients, over sockets. */
let broker: Broker
let producer: Producer

beforeEach(async () => {
  broker = await Broker.start({ port: 0 })
  broker.requests.start()
  await using admin = new Admin({ bootstrapServers: broker.bootstrapServers })
  await admin.createTopics([{ name: 'orders', numPartitions: 1 }])
  producer = new Producer({ bootstrapServers: broker.bootstrapServers, clientId: 'billing', retryBackoffMs: 10 })
})

afterEach(async () => {
  await producer.close()
  await broker.close()
})

/** What the topic holds in the end. */
async function records(count: number): Promise<(string | undefined)[]> {
  const { bootstrapServers } = broker
  await using consumer = new Consumer({ bootstrapServers, groupId: 'check', topics: ['orders'], autoOffsetReset: 'earliest' })
  const values: (string | undefined)[] = []
  for await (const record of consumer) {
    values.push(record.value?.toString())
    if (values.length === count) break
  }
  return values
}

const answers: [string, FaultOptions['answer'], number][] = [
  ['an error that passes', { error: 'NOT_LEADER_OR_FOLLOWER' }, 2],
  ['a connection cut before the write', { cut: 'before' }, 2],
  ['a connection cut after the write', { cut: 'after' }, 2],
  ['a reply cut within its length', { cutReplyAfterBytes: 2 }, 2],
  ['a reply cut within its body', { cutReplyAfterBytes: 20 }, 2],
  ['a late reply', { delayMs: 50 }, 1],
  ['an election', { electLeader: 1 }, 2],
]

test.each(answers)('%s costs a send nothing but time: the record is there once', async (_, answer, attempts) => {
  const fault = broker.faults.add({ api: 'Produce', topic: 'orders', clientId: 'billing', answer })
  expect(await producer.send({ topic: 'orders', value: 'a' })).toMatchObject({ partition: 0, offset: 0 })
  expect(await producer.send({ topic: 'orders', value: 'b' })).toMatchObject({ partition: 0, offset: 1 })
  expect(fault.hits).toBe(1)
  const attempted = broker.requests.list({ api: 'Produce' })
  expect(attempted.map(({ fault: id }) => id)).toEqual([fault.id, ...Array.from({ length: attempts }, () => null)])
  expect(await records(2)).toEqual(['a', 'b'])
})

test('an error that does not pass ends the send with that error', async () => {
  broker.faults.add({ api: 'Produce', topic: 'orders', times: Infinity, answer: { error: 'TOPIC_AUTHORIZATION_FAILED' } })
  await expect(producer.send({ topic: 'orders', value: 'a' })).rejects.toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED' })
})

test('a fetch that fails goes on where it was', async () => {
  await producer.sendAll('orders', [{ value: 'a' }, { value: 'b' }])
  const fault = broker.faults.add({ api: 'Fetch', topic: 'orders', times: 2, answer: { error: 'NOT_LEADER_OR_FOLLOWER' } })
  expect(await records(2)).toEqual(['a', 'b'])
  expect(fault.hits).toBe(2)
})
