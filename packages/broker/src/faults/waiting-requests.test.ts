import { ErrorCode } from '@millrace/protocol'
import { apiVersionsApi } from '@millrace/protocol/apis/api-versions'
import { describeGroupsApi } from '@millrace/protocol/apis/describe-groups'
import { fetchApi } from '@millrace/protocol/apis/fetch'
import { heartbeatApi } from '@millrace/protocol/apis/heartbeat'
import { joinGroupApi } from '@millrace/protocol/apis/join-group'
import { produceApi } from '@millrace/protocol/apis/produce'
import { encodeRequestFrame } from '@millrace/protocol/internal'
import { describe, expect, test } from 'vitest'
import { startBroker, WireClient, type TestBroker } from '../../test/core-fixtures.ts'
import { joinRequest, TestMember } from '../../test/group-requests.ts'
import { batchOf } from '../../test/log-fixtures.ts'
import { fetchRequest, partitionsOf, produce, produceRequest } from '../../test/requests.ts'
import { QUEUED_REQUESTS_MAX } from '../limits.ts'

const beat = { groupId: 'g', generationId: 0, memberId: 'm', groupInstanceId: null }

function start(): TestBroker {
  const broker = startBroker()
  broker.createTopic('orders', 2)
  return broker
}

describe('a Fetch that waits for records', () => {
  const wait = ({ client }: TestBroker): ReturnType<typeof client.send<unknown, ReturnType<typeof fetchApi.decodeResponse>>> =>
    client.send(fetchApi, 12, fetchRequest([{ topic: 'orders' }], { maxWaitMs: 60_000 })) as never

  test('is cut once it has something to say', () => {
    const broker = start()
    broker.core.door.faults.add({ api: 'Fetch', answer: { cut: 'after' } })
    const reply = wait(broker)
    expect(broker.client.isClosed).toBe(false)
    const writer = new WireClient(broker.core)
    writer.ask(produceApi, 12, produceRequest('orders', batchOf(['a'])))
    expect([reply(), broker.client.isClosed]).toEqual([null, true])
  })

  test('does not wait when it is to fail', () => {
    const broker = start()
    broker.core.door.faults.add({ api: 'Fetch', topic: 'orders', answer: { error: 'KAFKA_STORAGE_ERROR' } })
    expect(partitionsOf(wait(broker)()!)).toMatchObject([{ errorCode: ErrorCode.KAFKA_STORAGE_ERROR }])
  })

  test('is delayed from then on when it has its records, and holds back what is behind it', () => {
    const broker = start()
    broker.core.door.faults.add({ api: 'Fetch', answer: { delayMs: 40 } })
    const [reply, behind] = [wait(broker), broker.client.send(heartbeatApi, 4, beat)]
    broker.clock.advance(1000)
    new WireClient(broker.core).ask(produceApi, 12, produceRequest('orders', batchOf(['a'])))
    broker.clock.advance(39)
    expect([reply(), behind()]).toEqual([null, null])
    broker.clock.advance(1)
    expect([reply() === null, behind() === null]).toEqual([false, false])
  })
})

describe('a JoinGroup that waits for the other members', () => {
  /** A stable member, and another one that waits for it to rejoin, having met the fault. */
  function rebalance(answer: object): { broker: TestBroker; first: TestMember; second: WireClient; reply: () => unknown } {
    const broker = start()
    const first = new TestMember(broker.core)
    expect(first.join()()!.errorCode).toBe(0)
    broker.core.door.faults.add({ api: 'JoinGroup', skip: 1, group: 'g', answer: answer as never })
    const second = new WireClient(broker.core)
    const { memberId } = second.ask(joinGroupApi, 9, joinRequest())
    return { broker, first, second, reply: second.send(joinGroupApi, 9, joinRequest({ memberId })) }
  }

  test('is cut once the others are there', () => {
    const { first, second, reply } = rebalance({ cut: 'after' })
    expect(second.isClosed).toBe(false)
    expect(first.join()()).toMatchObject({ errorCode: 0, members: { length: 2 } })
    expect([reply(), second.isClosed]).toEqual([null, true])
  })

  test('is no member when it is to fail: the group does not notice', () => {
    const { broker, reply } = rebalance({ error: 'COORDINATOR_NOT_AVAILABLE' })
    expect(reply()).toMatchObject({ errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE })
    const described = broker.client.ask(describeGroupsApi, 5, { groups: ['g'], includeAuthorizedOperations: false })
    expect(described.groups).toMatchObject([{ groupState: 'CompletingRebalance', members: { length: 1 } }])
  })

  test('is answered late', () => {
    const { broker, first, reply } = rebalance({ delayMs: 50 })
    first.join()
    broker.clock.advance(49)
    expect(reply()).toBeNull()
    broker.clock.advance(1)
    expect(reply()).toMatchObject({ errorCode: 0 })
  })
})

describe('a Produce without acks', () => {
  test('that is delayed is written at once, and holds back what is behind it', () => {
    const { core, client, clock } = start()
    const { faults, requests } = core.door
    requests.start()
    faults.add({ api: 'Produce', answer: { delayMs: 50 } })
    client.send(produceApi, 12, produceRequest('orders', batchOf(['a']), { acks: 0 }))
    const behind = client.send(heartbeatApi, 4, beat)
    expect(core.services.topics.partition('orders', 0)!.log.logEndOffset).toBe(1)
    expect(requests.list().map(({ outcome }) => outcome)).toEqual(['waiting'])
    clock.advance(49)
    expect(behind()).toBeNull()
    clock.advance(1)
    expect(behind()).not.toBeNull()
    expect(requests.list().map(({ outcome }) => outcome)).toEqual(['no reply', 'answered'])
  })

  test.each([{ cut: 'before' }, { cutReplyAfterBytes: 3 }, { electLeader: 1 }] as const)('%j cuts its connection', (answer) => {
    const { core, client } = start()
    core.door.faults.add({ api: 'Produce', answer })
    client.send(produceApi, 12, produceRequest('orders', batchOf(['a']), { acks: 0 }))
    expect(client.isClosed).toBe(true)
  })

  test('is lost in silence with never, and so is what is behind it', () => {
    const { core, client } = start()
    core.door.faults.add({ api: 'Produce', answer: 'never' })
    for (let i = 0; i < 2; i++) client.send(produceApi, 12, produceRequest('orders', batchOf(['a']), { acks: 0 }))
    expect([client.isClosed, core.services.topics.partition('orders', 0)!.log.logEndOffset]).toEqual([false, 0])
  })
})

test('behind a request that is never answered, input is neither kept nor held back, so that its end is noticed', () => {
  const { core, client } = start()
  core.door.faults.add({ api: 'Heartbeat', answer: 'never' })
  for (let i = 0; i < QUEUED_REQUESTS_MAX * 3; i++) client.send(heartbeatApi, 4, beat)
  expect(client.isPaused).toBe(false)
})

test('ApiVersions of a version that is not known yet is a request like the others', () => {
  const { core } = start()
  const { faults, requests } = core.door
  requests.start()
  const newer = { ...apiVersionsApi, maxVersion: 9, encodeRequest: () => {} }
  const request = { clientSoftwareName: 'a', clientSoftwareVersion: '1', clusterId: null, nodeId: -1 }
  const frame = Buffer.concat(encodeRequestFrame(newer as never, 9, 1, 'newer', request as never))
  const sent: Buffer[] = []
  const connect = (): { isClosed: boolean } => {
    const end = { isClosed: false }
    core.connect({ write: (chunks) => void sent.push(...chunks), close: () => void (end.isClosed = true) }).receive(frame)
    return end
  }
  faults.add({ api: 'ApiVersions', clientId: 'newer', answer: { cut: 'before' } })
  expect([connect().isClosed, sent]).toEqual([true, []])
  expect(connect().isClosed).toBe(false)
  // Length, correlation id, error code: v0 has no header to speak of.
  expect(Buffer.concat(sent).readInt16BE(8)).toBe(ErrorCode.UNSUPPORTED_VERSION)
  expect(requests.list({ api: 'ApiVersions' })).toMatchObject([
    { clientId: 'newer', outcome: 'cut' },
    { clientId: 'newer', outcome: 'answered' },
  ])
})

test('a Fetch reply of several chunks is cut at each of its bytes', () => {
  const broker = start()
  for (const partition of [0, 1]) produce(broker, 'orders', batchOf(['a'.repeat(1200), 'b']), 12, partition)
  const frame = Buffer.concat(
    encodeRequestFrame(fetchApi, 12, 1, 'test', fetchRequest([{ topic: 'orders' }, { topic: 'orders', partition: 1 }])),
  )
  const ask = (): { chunks: Buffer[]; isClosed: boolean } => {
    const end = { chunks: [] as Buffer[], isClosed: false }
    const channel = {
      write: (chunks: readonly Buffer[]) => void end.chunks.push(...chunks),
      close: () => void (end.isClosed = true),
    }
    broker.core.connect(channel).receive(Buffer.from(frame))
    return end
  }
  const whole = ask()
  expect(whole.chunks.length).toBeGreaterThan(3)
  const bytes = Buffer.concat(whole.chunks)
  for (let size = 0; size <= bytes.length; size++) {
    broker.core.door.faults.add({ api: 'Fetch', answer: { cutReplyAfterBytes: size } })
    const cut = ask()
    expect(cut.isClosed).toBe(true)
    expect(Buffer.concat(cut.chunks).equals(bytes.subarray(0, size))).toBe(true)
    broker.core.door.faults.clear()
  }
})

test('a broker that closes leaves no timer behind, whatever its requests wait for', () => {
  const broker = start()
  const { core, clock } = broker
  const { faults, requests } = core.door
  requests.start()
  const send = (api: string, answer?: object): WireClient => {
    if (answer !== undefined) faults.add({ api, answer: answer as never })
    return new WireClient(core)
  }
  send('Heartbeat', { delayMs: 5000 }).send(heartbeatApi, 4, beat)
  send('Heartbeat', { throttleTimeMs: 5000 }).ask(heartbeatApi, 4, beat)
  faults.add({ api: 'Heartbeat', answer: 'never' })
  new WireClient(core).send(heartbeatApi, 4, beat)
  new WireClient(core).send(fetchApi, 12, fetchRequest([{ topic: 'orders' }], { maxWaitMs: 5000 }))
  new TestMember(core).join()
  new TestMember(core).join()
  expect(clock.pending).toBeGreaterThan(3)
  core.close()
  expect(clock.pending).toBe(0)
  expect(requests.list({ outcome: 'waiting' })).toEqual([])
  expect(requests.list({ outcome: 'cut' }).map(({ api }) => api)).toEqual(['Heartbeat', 'Heartbeat', 'Fetch', 'JoinGroup'])
})
