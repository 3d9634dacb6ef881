import { ErrorCode } from '@millrace/protocol'
import { createTopicsApi } from '@millrace/protocol/apis/create-topics'
import { fetchApi } from '@millrace/protocol/apis/fetch'
import { heartbeatApi } from '@millrace/protocol/apis/heartbeat'
import { listOffsetsApi } from '@millrace/protocol/apis/list-offsets'
import { metadataApi } from '@millrace/protocol/apis/metadata'
import { produceApi } from '@millrace/protocol/apis/produce'
import { encodeRequestFrame } from '@millrace/protocol/internal'
import { describe, expect, test } from 'vitest'
import { startBroker, WireClient, type TestBroker } from '../../test/core-fixtures.ts'
import { batchOf } from '../../test/log-fixtures.ts'
import { fetchOne, fetchRequest, partitionsOf, produce, produceRequest } from '../../test/requests.ts'
import { sampleRequest } from '../../test/sample-requests.ts'
import { FAULTS_MAX } from '../limits.ts'
import type { FaultOptions } from './fault-options.ts'

const beat = { groupId: 'g', generationId: 0, memberId: 'm', groupInstanceId: null }

function start(partitions = 2): TestBroker & { topicId: string } {
  const broker = startBroker()
  return { ...broker, topicId: broker.createTopic('orders', partitions) }
}

/** Where the log of a partition ends. */
function end(broker: TestBroker, partition = 0): number {
  return broker.core.services.topics.partition('orders', partition)!.log.logEndOffset
}

describe('which requests are hit', () => {
  test('the first ones pass, so many are hit, and then all pass again', () => {
    const broker = start()
    const fault = broker.core.door.faults.add({ api: 'Heartbeat', skip: 2, times: 3, answer: { error: 'NOT_COORDINATOR' } })
    const codes = Array.from({ length: 7 }, () => broker.client.ask(heartbeatApi, 4, beat).errorCode)
    const passed = ErrorCode.UNKNOWN_MEMBER_ID
    const failed = ErrorCode.NOT_COORDINATOR
    expect(codes).toEqual([passed, passed, failed, failed, failed, passed, passed])
    expect([fault.hits, fault.isSpent]).toEqual([3, true])
  })

  test('once by default, without end with Infinity, and never after it was removed', () => {
    const broker = start()
    const ask = (): boolean => broker.client.ask(heartbeatApi, 4, beat).errorCode === ErrorCode.NOT_COORDINATOR
    broker.core.door.faults.add({ api: 'Heartbeat', answer: { error: 'NOT_COORDINATOR' } })
    expect([ask(), ask()]).toEqual([true, false])
    {
      using fault = broker.core.door.faults.add({ api: 'Heartbeat', times: Infinity, answer: { error: 'NOT_COORDINATOR' } })
      for (let i = 0; i < 50; i++) expect(ask()).toBe(true)
      expect([fault.hits, fault.isSpent]).toEqual([50, false])
    }
    expect(ask()).toBe(false)
  })

  test('those of one client, and those to a node that exists', () => {
    const broker = start()
    const answer = { error: 'NOT_COORDINATOR' }
    const other = broker.core.door.faults.add({ api: 'Heartbeat', clientId: 'billing', answer })
    const mine = broker.core.door.faults.add({ api: 'Heartbeat', clientId: 'test', node: 1, answer })
    broker.client.ask(heartbeatApi, 4, beat)
    expect([other.hits, mine.hits]).toEqual([0, 1])
  })

  test('of several faults the first that fits hits, and the others do not count the request', () => {
    const broker = start()
    const first = broker.core.door.faults.add({ api: 'Heartbeat', answer: { error: 'NOT_COORDINATOR' } })
    const second = broker.core.door.faults.add({ api: 'Heartbeat', skip: 1, answer: { error: 'ILLEGAL_GENERATION' } })
    const codes = Array.from({ length: 3 }, () => broker.client.ask(heartbeatApi, 4, beat).errorCode)
    expect(codes).toEqual([ErrorCode.NOT_COORDINATOR, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION])
    expect([first.hits, second.hits]).toEqual([1, 1])
  })

  test('a topic is found by its id as by its name', () => {
    const broker = start()
    const fault = broker.core.door.faults.add({
      api: 'Produce',
      topic: 'orders',
      times: 2,
      answer: { error: 'NOT_LEADER_OR_FOLLOWER' },
    })
    expect(produce(broker, 'orders', batchOf(['a']), 12).errorCode).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    expect(produce(broker, broker.topicId, batchOf(['a']), 13).errorCode).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    expect([fault.hits, end(broker)]).toEqual([2, 0])
  })

  test('an error waits for a request that has room for one', () => {
    const broker = start()
    const fault = broker.core.door.faults.add({ api: 'Metadata', answer: { error: 'LEADER_NOT_AVAILABLE' } })
    broker.client.ask(metadataApi, 12, sampleRequest('Metadata', 12) as never)
    expect(fault.hits).toBe(0)
  })
})

describe('errors', () => {
  test('chosen partitions are not written, the others are', () => {
    const broker = start()
    broker.core.door.faults.add({ api: 'Produce', topic: 'orders', partition: 1, answer: { error: 'NOT_LEADER_OR_FOLLOWER' } })
    const request = produceRequest('orders', null)
    request.topicData[0]!.partitionData = [0, 1].map((index) => ({ index, records: batchOf(['a', 'b']) }))
    const reply = broker.client.ask(produceApi, 12, request)
    expect(reply.responses).toHaveLength(1)
    expect(reply.responses[0]!.partitionResponses).toMatchObject([
      { index: 0, errorCode: 0, baseOffset: 0n },
      { index: 1, errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, baseOffset: -1n, errorMessage: expect.stringContaining('fault') },
    ])
    expect([end(broker, 0), end(broker, 1)]).toEqual([2, 0])
  })

  test('without acks the connection is cut, as Kafka does, and nothing of the chosen is written', () => {
    const broker = start()
    broker.core.door.faults.add({ api: 'Produce', answer: { error: 'NOT_LEADER_OR_FOLLOWER' } })
    broker.client.send(produceApi, 12, produceRequest('orders', batchOf(['a']), { acks: 0 }))
    expect([broker.client.isClosed, end(broker)]).toEqual([true, 0])
  })

  test('a topic whose metadata is refused is not created', () => {
    const broker = start()
    broker.core.door.faults.add({ api: 'Metadata', topic: 'new', answer: { error: 'LEADER_NOT_AVAILABLE' } })
    const request = { ...(sampleRequest('Metadata', 9) as object), topics: [{ name: 'new', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }] }
    const ask = (): number => broker.client.ask(metadataApi, 9, request as never).topics[0]!.errorCode
    expect(ask()).toBe(ErrorCode.LEADER_NOT_AVAILABLE)
    expect(broker.core.services.topics.byName('new')).toBeUndefined()
    expect(ask()).toBe(0)
  })

  test('a topic whose creation is refused is not created', () => {
    const broker = start()
    broker.core.door.faults.add({ api: 'CreateTopics', topic: 'x', answer: { error: 'NOT_CONTROLLER' } })
    const topics = ['x', 'y'].map((name) => ({ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }))
    broker.client.ask(createTopicsApi, 7, { topics, timeoutMs: 1000, validateOnly: false })
    const { byName } = { byName: (name: string) => broker.core.services.topics.byName(name)?.name }
    expect([byName('x'), byName('y')]).toEqual([undefined, 'y'])
  })

  test('in a fetch session a partition that was not named errs too, at once, and tells its records afterwards', () => {
    const broker = start()
    const ask = { maxWaitMs: 500, sessionEpoch: 0 }
    const opened = broker.client.ask(fetchApi, 12, fetchRequest([{ topic: 'orders' }], { ...ask, maxWaitMs: 0 }))
    const { sessionId } = opened
    expect(sessionId).toBeGreaterThan(0)
    broker.core.door.faults.add({ api: 'Fetch', topic: 'orders', partition: 0, answer: { error: 'KAFKA_STORAGE_ERROR' } })
    const failed = broker.client.ask(fetchApi, 12, fetchRequest([], { ...ask, sessionId, sessionEpoch: 1 }))
    expect(partitionsOf(failed)).toMatchObject([
      { partitionIndex: 0, errorCode: ErrorCode.KAFKA_STORAGE_ERROR, highWatermark: -1n },
    ])
    const after = broker.client.ask(fetchApi, 12, fetchRequest([], { maxWaitMs: 0, sessionId, sessionEpoch: 2 }))
    expect(partitionsOf(after)).toMatchObject([{ partitionIndex: 0, errorCode: 0, highWatermark: 0n }])
  })

  test('what is wrong with a fetch session is said of the request', () => {
    const broker = start()
    broker.core.door.faults.add({ api: 'Fetch', answer: { error: 'FETCH_SESSION_ID_NOT_FOUND' } })
    const reply = broker.client.ask(fetchApi, 12, fetchRequest([{ topic: 'orders' }]))
    expect(reply).toMatchObject({ errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND, responses: [] })
  })

  test('an error can be late and throttled', () => {
    const broker = start()
    broker.core.door.faults.add({ api: 'Heartbeat', answer: { error: 'NOT_COORDINATOR', delayMs: 10, throttleTimeMs: 7 } })
    const reply = broker.client.send(heartbeatApi, 4, beat)
    expect(reply()).toBeNull()
    broker.clock.advance(10)
    expect(reply()).toEqual({ errorCode: ErrorCode.NOT_COORDINATOR, throttleTimeMs: 7 })
  })
})

describe('delays and silence', () => {
  test('a delayed request is served at once; its reply and all behind it come when the time is over, in order', async () => {
    const broker = start()
    broker.core.door.faults.add({ api: 'Produce', answer: { delayMs: 200 } })
    const first = broker.client.send(produceApi, 12, produceRequest('orders', batchOf(['a'])))
    const second = broker.client.send(heartbeatApi, 4, beat)
    expect(end(broker)).toBe(1)
    broker.clock.advance(199)
    expect([first(), second()]).toEqual([null, null])
    broker.clock.advance(1)
    expect(first()?.responses[0]!.partitionResponses[0]).toMatchObject({ errorCode: 0, baseOffset: 0n })
    expect(second()?.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('a delay adds to the time that a fetch waits for records', () => {
    const broker = start()
    broker.core.door.faults.add({ api: 'Fetch', answer: { delayMs: 50 } })
    const reply = broker.client.send(fetchApi, 12, fetchRequest([{ topic: 'orders' }], { maxWaitMs: 100 }))
    broker.clock.advance(149)
    expect(reply()).toBeNull()
    broker.clock.advance(1)
    expect(reply()).not.toBeNull()
  })

  test('a connection that ends takes its delayed reply with it', () => {
    const broker = start()
    broker.core.door.faults.add({ api: 'Heartbeat', answer: { delayMs: 50 } })
    const { pending } = broker.clock
    const reply = broker.client.send(heartbeatApi, 4, beat)
    expect(broker.clock.pending).toBe(pending + 1)
    broker.client.disconnect()
    expect(broker.clock.pending).toBe(pending)
    broker.clock.advance(1000)
    expect(reply()).toBeNull()
  })

  test('never: nothing is written, nothing behind it is answered, other connections are', () => {
    const broker = start()
    const fault = broker.core.door.faults.add({ api: 'Produce', answer: 'never' })
    const first = broker.client.send(produceApi, 12, produceRequest('orders', batchOf(['a'])))
    const second = broker.client.send(heartbeatApi, 4, beat)
    broker.clock.advance(1_000_000)
    expect([first(), second(), end(broker), fault.hits]).toEqual([null, null, 0, 1])
    expect(new WireClient(broker.core).ask(heartbeatApi, 4, beat).errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })
})

describe('connections that are cut', () => {
  test.each([
    ['before', 0],
    ['after', 1],
  ] as const)('%s: %i record is written, and there is no reply', (cut, written) => {
    const broker = start()
    broker.core.door.faults.add({ api: 'Produce', answer: { cut } })
    const before = broker.client.send(heartbeatApi, 4, beat)
    const reply = broker.client.send(produceApi, 12, produceRequest('orders', batchOf(['a'])))
    expect(before()).not.toBeNull()
    expect([reply(), broker.client.isClosed, end(broker)]).toEqual([null, true, written])
  })

  test('after: also when there would be no reply', () => {
    const broker = start()
    broker.core.door.faults.add({ api: 'Produce', answer: { cut: 'after' } })
    broker.client.send(produceApi, 12, produceRequest('orders', batchOf(['a']), { acks: 0 }))
    expect([broker.client.isClosed, end(broker)]).toEqual([true, 1])
  })

  test.each([0, 1, 4, 10, 1000])('a reply cut after %i bytes', (cutReplyAfterBytes) => {
    const broker = start()
    produce(broker, 'orders', batchOf(['a'.repeat(5000)]))
    const whole = rawReply(broker)
    broker.core.door.faults.add({ api: 'Fetch', answer: { cutReplyAfterBytes } })
    const cut = rawReply(broker)
    expect(whole.closed).toBe(false)
    expect(cut).toEqual({ closed: true, bytes: whole.bytes.subarray(0, cutReplyAfterBytes) })
    expect(whole.bytes.length).toBeGreaterThan(5000)
  })
})

/** The bytes of a fetch's reply on a connection of its own. */
function rawReply(broker: TestBroker): { closed: boolean; bytes: Buffer } {
  const chunks: Buffer[] = []
  let closed = false
  const session = broker.core.connect({ write: (more) => void chunks.push(...more), close: () => void (closed = true) })
  session.receive(Buffer.concat(encodeRequestFrame(fetchApi, 12, 1, 'test', fetchRequest([{ topic: 'orders' }]))))
  return { closed, bytes: Buffer.concat(chunks) }
}

describe('an election', () => {
  test('raises the leader epoch; what names the old one is fenced, and the metadata tell the new one', () => {
    const broker = start()
    broker.core.door.faults.add({ api: 'Produce', topic: 'orders', partition: 0, answer: { electLeader: 1 } })
    expect(produce(broker, 'orders', batchOf(['a'])).errorCode).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    expect(end(broker)).toBe(0)
    const fetched = fetchOne(broker.client, { topic: 'orders', leaderEpoch: 0 })
    expect(fetched.errorCode).toBe(ErrorCode.FENCED_LEADER_EPOCH)
    const topics = [{ name: 'orders', partitions: [{ partitionIndex: 0, currentLeaderEpoch: 0, timestamp: -1n }] }]
    const listed = broker.client.ask(listOffsetsApi, 9, { replicaId: -1, isolationLevel: 0, topics, timeoutMs: 0 })
    expect(listed.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.FENCED_LEADER_EPOCH)
    const metadata = broker.client.ask(metadataApi, 9, { ...(sampleRequest('Metadata', 9) as object), topics: null } as never)
    const told = metadata.topics.find(({ name }) => name === 'orders')!.partitions
    expect(told.map(({ leaderId, leaderEpoch }) => [leaderId, leaderEpoch])).toEqual([
      [1, 1],
      [1, 0],
    ])
    // The next batch is written in the new epoch.
    expect(produce(broker, 'orders', batchOf(['a'])).errorCode).toBe(0)
    expect(fetchOne(broker.client, { topic: 'orders', leaderEpoch: 1 })).toMatchObject({ errorCode: 0, highWatermark: 1n })
    expect(broker.core.services.topics.partition('orders', 0)!.log.epochOf(0)).toBe(1)
  })

  test('without a partition each that the request names elects its leader', () => {
    const broker = start()
    broker.core.door.faults.add({ api: 'Fetch', answer: { electLeader: 1 } })
    const reply = broker.client.ask(fetchApi, 12, fetchRequest([{ topic: 'orders' }, { topic: 'orders', partition: 1 }]))
    const { NOT_LEADER_OR_FOLLOWER } = ErrorCode
    expect(partitionsOf(reply).map(({ errorCode }) => errorCode)).toEqual([NOT_LEADER_OR_FOLLOWER, NOT_LEADER_OR_FOLLOWER])
    const epochs = broker.core.services.topics.byName('orders')!.partitions.map(({ leaderEpoch }) => leaderEpoch)
    expect(epochs).toEqual([1, 1])
  })
})

describe('waiting for hits', () => {
  test('resolves at the count, not before, and at once afterwards', async () => {
    const broker = start()
    const fault = broker.core.door.faults.add({ api: 'Heartbeat', times: 3, answer: { error: 'NOT_COORDINATOR' } })
    let seen = 0
    const second = fault.hit(2).then(() => void (seen = fault.hits))
    broker.client.ask(heartbeatApi, 4, beat)
    await Promise.resolve()
    expect(seen).toBe(0)
    broker.client.ask(heartbeatApi, 4, beat)
    await second
    expect(seen).toBe(2)
    await fault.hit(2)
    await fault.hit()
  })

  test('ends with the signal, with the fault, and with the broker', async () => {
    const broker = start()
    const add = (): ReturnType<typeof broker.core.door.faults.add> =>
      broker.core.door.faults.add({ api: 'Heartbeat', answer: 'never' })
    const controller = new AbortController()
    const aborted = add().hit(1, { signal: controller.signal })
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(aborted).rejects.toBe(reason)
    await expect(add().hit(1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const fault = add()
    const removed = fault.hit()
    fault.remove()
    await expect(removed).rejects.toMatchObject({ code: 'FAULT_REMOVED' })
    const orphan = add().hit()
    broker.core.close()
    await expect(orphan).rejects.toMatchObject({ code: 'BROKER_CLOSED' })
    expect(() => add()).toThrow(expect.objectContaining({ code: 'BROKER_CLOSED' }))
  })

  test('more than it may be hit is refused, and so is a wait of another kind', () => {
    const fault = start().core.door.faults.add({ api: 'Heartbeat', times: 2, answer: 'never' })
    for (const options of [null, 5, { timeoutMs: 5 }, { signal: 5 }]) {
      const option = typeof options === 'object' && options !== null ? Object.keys(options)[0] : 'options'
      expect(() => fault.hit(1, options as never)).toThrow(expect.objectContaining({ name: 'ConfigError', option }))
    }
    for (const count of [0, -1, 1.5, 3]) expect(() => fault.hit(count)).toThrow(/^count: .* from 1 to times, which is 2$/)
  })
})

describe('faults that cannot be', () => {
  const error = { error: 'NOT_COORDINATOR' }
  const cases: [string, object, string][] = [
    ['an unknown api', { api: 'Produced', answer: error }, 'api'],
    ['an api that is not served', { api: 'EndTxn', answer: error }, 'api'],
    ['no api', { answer: error }, 'api'],
    ['an unknown option', { api: 'Produce', topics: ['a'], answer: error }, 'topics'],
    ['an unknown error', { api: 'Produce', answer: { error: 'NOT_LEADER' } }, 'error'],
    ['no error', { api: 'Produce', answer: { error: 'NONE' } }, 'error'],
    ['an inherited name as an error', { api: 'Produce', answer: { error: 'toString' } }, 'error'],
    ['an error by number', { api: 'Produce', answer: { error: 6 } }, 'error'],
    ['a topic where there is none', { api: 'Heartbeat', topic: 't', answer: error }, 'topic'],
    ['a group where there is none', { api: 'Produce', group: 'g', answer: error }, 'group'],
    ['a partition where there are topics only', { api: 'CreateTopics', topic: 't', partition: 0, answer: error }, 'partition'],
    ['a partition without its topic', { api: 'Produce', partition: 0, answer: error }, 'topic'],
    ['a negative partition', { api: 'Produce', topic: 't', partition: -1, answer: error }, 'partition'],
    ['an empty topic', { api: 'Produce', topic: '', answer: error }, 'topic'],
    ['a client id that is no text', { api: 'Produce', clientId: 7, answer: error }, 'clientId'],
    ['a group that is no text', { api: 'Heartbeat', group: 7, answer: error }, 'group'],
    ['another node', { api: 'Produce', node: 2, answer: error }, 'node'],
    ['a topic that is no text', { api: 'Produce', topic: 7, answer: error }, 'topic'],
    ['a topic of nothing', { api: 'Produce', topic: null, answer: error }, 'topic'],
    ['no skip', { api: 'Produce', skip: null, answer: error }, 'skip'],
    ['times without end, but for a skip', { api: 'Produce', skip: Infinity, answer: error }, 'skip'],
    ['no times', { api: 'Produce', times: null, answer: error }, 'times'],
    ['a negative skip', { api: 'Produce', skip: -1, answer: error }, 'skip'],
    ['zero times', { api: 'Produce', times: 0, answer: error }, 'times'],
    ['half a time', { api: 'Produce', times: 0.5, answer: error }, 'times'],
    ['no answer', { api: 'Produce' }, 'answer'],
    ['an empty answer', { api: 'Produce', answer: {} }, 'answer'],
    ['an unknown answer', { api: 'Produce', answer: 'later' }, 'answer'],
    ['a delay of a cut', { api: 'Produce', answer: { delayMs: 5, cut: 'before' } }, 'answer'],
    ['two ways to cut', { api: 'Produce', answer: { cut: 'after', cutReplyAfterBytes: 1 } }, 'answer'],
    ['an election and an error', { api: 'Produce', answer: { electLeader: 1, error: 'NOT_COORDINATOR' } }, 'answer'],
    ['a list of answers', { api: 'Produce', answer: ['never'] }, '0'],
    ['two answers', { api: 'Produce', answer: { error: 'NOT_COORDINATOR', cut: 'after' } }, 'answer'],
    ['an unknown field of an answer', { api: 'Produce', answer: { explode: true } }, 'explode'],
    ['a negative delay', { api: 'Produce', answer: { delayMs: -1 } }, 'delayMs'],
    ['a delay that is no number', { api: 'Produce', answer: { delayMs: '5' } }, 'delayMs'],
    ['a negative throttle time', { api: 'Produce', answer: { throttleTimeMs: -1 } }, 'throttleTimeMs'],
    ['a cut in the middle', { api: 'Produce', answer: { cut: 'within' } }, 'cut'],
    ['a negative number of bytes', { api: 'Produce', answer: { cutReplyAfterBytes: -1 } }, 'cutReplyAfterBytes'],
    ['an election of a node that is not there', { api: 'Produce', answer: { electLeader: 2 } }, 'electLeader'],
    ['an election where no leader is asked', { api: 'Metadata', answer: { electLeader: 1 } }, 'electLeader'],
  ]
  test.each(cases)('%s', (_, options, option) => {
    const { faults } = startBroker().core.door
    expect(() => faults.add(options as FaultOptions)).toThrow(expect.objectContaining({ name: 'ConfigError', option }))
    expect(faults.list()).toEqual([])
  })

  test.each([null, undefined, 'Produce', 7])('%s', (options) => {
    const { faults } = startBroker().core.door
    expect(() => faults.add(options as never)).toThrow(expect.objectContaining({ name: 'ConfigError', option: 'fault' }))
  })

  test('too many', () => {
    const { faults } = startBroker().core.door
    const add = (): unknown => faults.add({ api: 'Produce', answer: 'never' })
    for (let i = 0; i < FAULTS_MAX; i++) add()
    expect(add).toThrow(expect.objectContaining({ code: 'TOO_MANY_FAULTS' }))
    faults.clear()
    expect(faults.list()).toEqual([])
    add()
  })
})
