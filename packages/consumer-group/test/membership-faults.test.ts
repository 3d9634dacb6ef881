import { Admin } from '@millrace/admin'
import { Broker } from '@millrace/broker'
import { Producer } from '@millrace/producer'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { allOf, fillTopic, Member, PROTOCOLS, until, type Protocol } from './member.ts'

/** Members whose coordinator refuses, is silent or is cut off: each goes on, or stops with an error that says why. */

const RECORDS = 100
const HEARTBEAT = { classic: 'Heartbeat', consumer: 'ConsumerGroupHeartbeat' } as const

let broker: Broker
let admin: Admin
let producer: Producer
let names = 0

beforeAll(async () => {
  const config = {
    'group.min.session.timeout.ms': 100,
    'group.consumer.heartbeat.interval.ms': 50,
    'group.consumer.session.timeout.ms': 30_000,
  }
  broker = await Broker.start({ port: 0, config })
  const { bootstrapServers } = broker
  admin = new Admin({ bootstrapServers })
  producer = new Producer({ bootstrapServers, lingerMs: 0 })
})

afterEach(() => broker.faults.clear())

afterAll(async () => {
  await producer.close()
  await admin.close()
  await broker.close()
})

async function newTopic(): Promise<string> {
  const name = `f-${names++}`
  await admin.createTopics([{ name, numPartitions: 4 }])
  await fillTopic(producer, name, RECORDS)
  return name
}

function member(protocol: Protocol, topic: string, options: ConstructorParameters<typeof Member>[4] = {}): Member {
  // A fault makes nobody leave: whom the coordinator still believes in, the others wait for until its session ends.
  const timing = protocol === 'classic' ? { sessionTimeoutMs: 2_000, heartbeatIntervalMs: 50 } : {}
  return new Member(broker.bootstrapServers, protocol, topic, [topic], { ...timing, ...options })
}

/** It reads what is there and what comes. */
async function expectToGoOn(one: Member, topic: string): Promise<void> {
  await until(() => one.partitions.length === 4)
  const before = new Set(one.seen).size
  await fillTopic(producer, topic, RECORDS)
  await until(() => new Set(one.seen).size >= before + RECORDS)
  expect([one.error, one.partitions]).toEqual([null, allOf(topic)])
}

describe.each(PROTOCOLS)('a member (%s)', (protocol) => {
  const api = HEARTBEAT[protocol]

  test.each(['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE', 'COORDINATOR_LOAD_IN_PROGRESS'])(
    'keeps everything when a heartbeat is answered %s',
    async (error) => {
      const topic = await newTopic()
      await using one = member(protocol, topic)
      await until(() => one.seen.length === RECORDS)
      const fault = broker.faults.add({ api, group: topic, times: 2, answer: { error } })
      await fault.hit(2)
      await expectToGoOn(one, topic)
      expect(one.event('lost')).toBeUndefined()
    },
  )

  test.each(protocol === 'classic' ? ['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION'] : ['UNKNOWN_MEMBER_ID', 'FENCED_MEMBER_EPOCH'])(
    'loses its partitions and joins again when a heartbeat is answered %s',
    async (error) => {
      const topic = await newTopic()
      await using one = member(protocol, topic)
      await until(() => one.seen.length === RECORDS)
      broker.faults.add({ api, group: topic, answer: { error } })
      await until(() => one.event('lost') !== undefined)
      expect(one.event('zombie')).toMatchObject({ cause: 'fenced' })
      await expectToGoOn(one, topic)
    },
  )

  test.each(['before', 'after'] as const)('goes on when its connection is cut %s a heartbeat', async (cut) => {
    const topic = await newTopic()
    await using one = member(protocol, topic)
    await until(() => one.seen.length === RECORDS)
    await broker.faults.add({ api, group: topic, times: 3, answer: { cut } }).hit(3)
    await expectToGoOn(one, topic)
    expect(one.event('lost')).toBeUndefined()
  })

  test.each(protocol === 'classic' ? ['JoinGroup', 'SyncGroup'] : ['ConsumerGroupHeartbeat'])(
    'joins in the end when the connection is cut at each %s',
    async (joinApi) => {
      const topic = await newTopic()
      for (const cut of ['before', 'after'] as const) broker.faults.add({ api: joinApi, group: topic, answer: { cut } })
      await using one = member(protocol, topic)
      await expectToGoOn(one, topic)
      expect(one.error).toBeNull()
    },
  )

  test.each(['GROUP_AUTHORIZATION_FAILED', 'FENCED_INSTANCE_ID'])('stops with %s, which names the group', async (error) => {
    const topic = await newTopic()
    const one = member(protocol, topic)
    await until(() => one.seen.length === RECORDS)
    broker.faults.add({ api, group: topic, answer: { error } })
    await until(() => one.error !== null)
    expect(one.error).toMatchObject({ code: error })
    expect(String(one.error)).toContain(`group ${topic}`)
    expect(one.event('lost')!.partitions).toHaveLength(4)
    await one.close()
  })

  test('says which subscribed topic it may not read, and reads the others', async () => {
    const [open, secret] = [await newTopic(), await newTopic()]
    const answer = { error: 'TOPIC_AUTHORIZATION_FAILED' }
    broker.faults.add({ api: 'Metadata', topic: secret, times: Infinity, answer })
    await using one = new Member(broker.bootstrapServers, protocol, `${open}-both`, [open, secret])
    await until(() => one.seen.length === RECORDS)
    expect(one.event('topicRefused')).toMatchObject({ topic: secret, error: { code: 'TOPIC_AUTHORIZATION_FAILED' } })
    broker.faults.clear()
    await until(() => one.seen.length === 2 * RECORDS)
  })
})

test('a classic member whose heartbeats are not answered for a session is a zombie', async () => {
  const topic = await newTopic()
  await using one = member('classic', topic, { sessionTimeoutMs: 500, requestTimeoutMs: 2_000 })
  await until(() => one.seen.length === RECORDS)
  broker.faults.add({ api: 'Heartbeat', group: topic, answer: 'never' })
  await until(() => one.event('zombie') !== undefined)
  expect(one.event('zombie')).toMatchObject({ cause: 'session' })
  expect(one.event('zombie')!.silentMs).toBeGreaterThanOrEqual(500)
})

describe('a consumer member whose heartbeats are not answered', () => {
  /** Nothing tells a member how long its session is but the configuration of its group. */
  async function memberWithSession(sessionTimeoutMs: number): Promise<{ topic: string; one: Member }> {
    const topic = await newTopic()
    const ops = [{ name: 'consumer.session.timeout.ms', value: String(sessionTimeoutMs) }]
    await admin.incrementalAlterConfigs([{ type: 'group', name: topic, ops }])
    return { topic, one: member('consumer', topic, { clientId: topic, requestTimeoutMs: 2_000 }) }
  }

  const asked = (topic: string): Promise<unknown> =>
    until(() => broker.requests.list({ api: 'DescribeConfigs', clientId: topic, outcome: 'answered' }).length === 1)

  test("is a zombie when the session of its group's configuration is over", async () => {
    broker.requests.start()
    const { topic, one } = await memberWithSession(500)
    await asked(topic)
    await until(() => one.seen.length === RECORDS)
    broker.faults.add({ api: 'ConsumerGroupHeartbeat', group: topic, answer: 'never' })
    await until(() => one.event('zombie') !== undefined)
    expect(one.event('zombie')).toMatchObject({ cause: 'session' })
    expect(one.event('zombie')!.silentMs).toBeGreaterThanOrEqual(500)
    broker.faults.clear()
    await one.close()
  })

  test('is none before, and goes on, when it may not know the configuration', async () => {
    broker.requests.start()
    broker.faults.add({ api: 'DescribeConfigs', times: Infinity, answer: { error: 'GROUP_AUTHORIZATION_FAILED' } })
    const { topic, one } = await memberWithSession(60_000)
    await asked(topic)
    await expectToGoOn(one, topic)
    expect(one.event('zombie')).toBeUndefined()
    await one.close()
  })
})

describe('a commit under the consumer protocol', () => {
  test('that meets a newer epoch is tried again with it, and nothing is skipped', async () => {
    const topic = await newTopic()
    const one = member('consumer', topic, { enableAutoCommit: false })
    await until(() => one.seen.length === RECORDS)
    const fault = broker.faults.add({ api: 'OffsetCommit', group: topic, times: 2, answer: { error: 'STALE_MEMBER_EPOCH' } })
    await one.consumer.commit([{ topic, partition: 0, offset: 5 }])
    expect(fault.hits).toBe(2)
    await one.close()
    await using next = member('consumer', topic)
    await until(() => next.seen.length === RECORDS - 5)
    expect(next.seen).toContain(`${topic}-0@5`)
  })
})

test('a broker without KIP-848 is told from a failure', async () => {
  const topic = await newTopic()
  broker.faults.add({ api: 'ConsumerGroupHeartbeat', group: topic, answer: { error: 'UNSUPPORTED_VERSION' } })
  const one = member('consumer', topic)
  await until(() => one.error !== null)
  expect(one.error).toMatchObject({ code: 'UNSUPPORTED_VERSION' })
  expect(String(one.error)).toMatch(/KIP-848.*groupProtocol 'classic'/)
  await one.close()
})

// Under KIP-848 members name themselves.
test('a member of the classic protocol that closes while it is given its first name leaves, and the group does not wait for it', async () => {
  const topic = await newTopic()
  await using zero = member('classic', topic)
  await until(() => zero.seen.length === RECORDS)
  const fault = broker.faults.add({ api: 'JoinGroup', group: topic, answer: { delayMs: 100 } })
  const one = member('classic', topic, { sessionTimeoutMs: 300_000 })
  await fault.hit(1)
  await one.close()
  await using two = member('classic', topic)
  await until(() => two.consumer.assignment.length === 2)
  expect([zero.error, one.error, two.error]).toEqual([null, null, null])
})
