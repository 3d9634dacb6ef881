import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import { deleteGroupsApi } from '@millrace/protocol/apis/delete-groups'
import { deleteTopicsApi } from '@millrace/protocol/apis/delete-topics'
import { describeGroupsApi } from '@millrace/protocol/apis/describe-groups'
import { findCoordinatorApi } from '@millrace/protocol/apis/find-coordinator'
import { listGroupsApi } from '@millrace/protocol/apis/list-groups'
import { offsetCommitApi, type OffsetCommitRequest } from '@millrace/protocol/apis/offset-commit'
import { offsetDeleteApi } from '@millrace/protocol/apis/offset-delete'
import { offsetFetchApi } from '@millrace/protocol/apis/offset-fetch'
import { describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'
import { commitRequest, committed, stablePair, TestMember } from '../../test/group-requests.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'

const MISSING_ID = 'AAAAAAAAAAAAAAAAAAAAZg'
const DAY_MS = 24 * 60 * 60 * 1000

function brokerWithOrders(storage: MemoryStorage = new MemoryStorage(), config = {}): TestBroker {
  const broker = startBroker({ storage }, config)
  broker.createTopic('orders', 3)
  return broker
}

function commit(broker: TestBroker, request: OffsetCommitRequest, version = 9): number[] {
  return broker.client
    .ask(offsetCommitApi, version, request)
    .topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
}

describe('committing', () => {
  test.each([2, 3, 4, 5, 6, 7, 8, 9])('v%i: a consumer without membership commits and reads back', (version) => {
    const broker = brokerWithOrders()
    expect(commit(broker, commitRequest('simple', { orders: [5, 6] }), version)).toEqual([0, 0])
    expect(committed(broker.client, 'simple')).toEqual({ 'orders-0': 5, 'orders-1': 6 })
  })

  test('v10 names topics by id, both ways', () => {
    const broker = startBroker()
    const topicId = broker.createTopic('orders')
    const byId = (id: string): OffsetCommitRequest => {
      const request = commitRequest('simple', { '': [5] })
      return { ...request, topics: request.topics.map((topic) => ({ ...topic, topicId: id })) }
    }
    expect(commit(broker, byId(topicId), 10)).toEqual([0])
    expect(commit(broker, byId(MISSING_ID), 10)).toEqual([ErrorCode.UNKNOWN_TOPIC_ID])
    const fetch = (topics: { name: string; topicId: string; partitionIndexes: number[] }[] | null): unknown => {
      const groups = [{ groupId: 'simple', memberId: null, memberEpoch: -1, topics }]
      return broker.client.ask(offsetFetchApi, 10, { groupId: '', topics: [], groups, requireStable: true }).groups[0]!.topics
    }
    const there = { topicId, partitions: [{ partitionIndex: 0, committedOffset: 5n, metadata: 'at 5', errorCode: 0 }] }
    expect(fetch(null)).toMatchObject([there])
    expect(fetch([{ name: '', topicId, partitionIndexes: [0] }])).toMatchObject([there])
    expect(fetch([{ name: '', topicId: MISSING_ID, partitionIndexes: [0] }])).toMatchObject([
      { topicId: MISSING_ID, partitions: [{ committedOffset: -1n, errorCode: ErrorCode.UNKNOWN_TOPIC_ID }] },
    ])
  })

  test('each partition has its own error; the others are stored', () => {
    const broker = brokerWithOrders()
    const request = commitRequest('simple', { orders: [1, 2, 3, 4], missing: [1] })
    request.topics[0]!.partitions[1]!.committedMetadata = 'x'.repeat(4097)
    request.topics[0]!.partitions[2]!.committedMetadata = 'y'.repeat(4096)
    const unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    expect(commit(broker, request)).toEqual([0, ErrorCode.OFFSET_METADATA_TOO_LARGE, 0, unknown, unknown])
    expect(committed(broker.client, 'simple')).toEqual({ 'orders-0': 1, 'orders-2': 3 })
  })

  test('members commit in their generation', () => {
    const broker = brokerWithOrders()
    const { a, b } = stablePair(broker.core)
    expect(a.commit(7)).toBe(ErrorCode.NONE)
    expect(b.commit(8, { generationIdOrMemberEpoch: 1 })).toBe(ErrorCode.ILLEGAL_GENERATION)
    expect(b.commit(8, { memberId: 'ghost' })).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(b.commit(8, { memberId: '', generationIdOrMemberEpoch: -1 })).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(b.commit(8, { groupInstanceId: 'nobody' })).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    a.join()
    expect(b.commit(9)).toBe(ErrorCode.NONE)
    b.join()()
    b.generation = 3
    expect(b.commit(10)).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    expect(committed(broker.client, 'g')).toEqual({ 'orders-0': 9 })
  })

  test('a generation of a group that is not there: rejoin up to v8, GROUP_ID_NOT_FOUND since', () => {
    const broker = brokerWithOrders()
    const request = commitRequest('none', { orders: [1] }, { generationIdOrMemberEpoch: 3, memberId: 'm' })
    expect(commit(broker, request, 8)).toEqual([ErrorCode.ILLEGAL_GENERATION])
    expect(commit(broker, request, 9)).toEqual([ErrorCode.GROUP_ID_NOT_FOUND])
  })
})

describe('fetching', () => {
  test('what was never committed is -1, in an unknown group as well', () => {
    const broker = brokerWithOrders()
    commit(broker, commitRequest('simple', { orders: [5] }))
    const ask = (version: number, groupId: string): unknown =>
      broker.client.ask(offsetFetchApi, version, {
        groupId,
        topics: [{ name: 'orders', partitionIndexes: [0, 1] }],
        groups: [],
        requireStable: false,
      })
    const none = { committedOffset: -1n, metadata: '', errorCode: 0 }
    for (const version of [1, 2, 5, 7]) {
      expect(ask(version, 'simple')).toMatchObject({
        errorCode: 0,
        topics: [{ name: 'orders', partitions: [{ committedOffset: 5n, metadata: 'at 5' }, none] }],
      })
      expect(ask(version, 'none')).toMatchObject({ errorCode: 0, topics: [{ partitions: [none, none] }] })
    }
  })

  test('several groups at once', () => {
    const broker = brokerWithOrders()
    commit(broker, commitRequest('one', { orders: [1] }))
    commit(broker, commitRequest('two', { orders: [2] }))
    const groups = ['one', 'two', 'none'].map((groupId) => ({ groupId, memberId: null, memberEpoch: -1, topics: null }))
    const reply = broker.client.ask(offsetFetchApi, 8, { groupId: '', topics: [], groups, requireStable: true })
    expect(reply.groups.map(({ groupId, topics }) => [groupId, topics[0]?.partitions[0]?.committedOffset])).toEqual([
      ['one', 1n],
      ['two', 2n],
      ['none', undefined],
    ])
  })
})

describe('deleting', () => {
  const deletion = (groupId: string, topic: string, ...partitions: number[]) => ({
    groupId,
    topics: [{ name: topic, partitions: partitions.map((partitionIndex) => ({ partitionIndex })) }],
  })

  test('offsets of an empty group go; what is not there is no error', () => {
    const broker = brokerWithOrders()
    commit(broker, commitRequest('simple', { orders: [5, 6] }))
    const reply = broker.client.ask(offsetDeleteApi, 0, deletion('simple', 'orders', 0, 2, 9))
    expect(reply.topics[0]!.partitions.map(({ errorCode }) => errorCode)).toEqual([0, 0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
    expect(committed(broker.client, 'simple')).toEqual({ 'orders-1': 6 })
    expect(broker.client.ask(offsetDeleteApi, 0, deletion('none', 'orders', 0)).errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND)
  })

  test('a group with members keeps what it subscribes to', () => {
    const broker = brokerWithOrders()
    broker.createTopic('other')
    const { a } = stablePair(broker.core)
    a.commit(5)
    commit(broker, commitRequest('g', { other: [1] }, { memberId: a.id, generationIdOrMemberEpoch: a.generation }))
    const refused = broker.client.ask(offsetDeleteApi, 0, deletion('g', 'orders', 0))
    expect(refused.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC)
    expect(broker.client.ask(offsetDeleteApi, 0, deletion('g', 'other', 0)).topics[0]!.partitions[0]!.errorCode).toBe(0)
    expect(committed(broker.client, 'g')).toEqual({ 'orders-0': 5 })
  })

  test('a group of another kind must be empty', () => {
    const broker = brokerWithOrders()
    const worker = new TestMember(broker.core, { groupId: 'connect', protocolType: 'connect' })
    worker.join()()
    expect(broker.client.ask(offsetDeleteApi, 0, deletion('connect', 'orders', 0)).errorCode).toBe(ErrorCode.NON_EMPTY_GROUP)
  })

  test('groups without members are deleted with their offsets', () => {
    const broker = brokerWithOrders()
    commit(broker, commitRequest('simple', { orders: [5] }))
    stablePair(broker.core)
    const remove = (...groupsNames: string[]): number[] =>
      broker.client.ask(deleteGroupsApi, 2, { groupsNames }).results.map(({ errorCode }) => errorCode)
    expect(remove('simple', 'g', 'none', '')).toEqual([
      0,
      ErrorCode.NON_EMPTY_GROUP,
      ErrorCode.GROUP_ID_NOT_FOUND,
      ErrorCode.GROUP_ID_NOT_FOUND,
    ])
    // Kafka takes a commit for the group '', so it can be deleted too.
    commit(broker, commitRequest('', { orders: [5] }))
    expect(broker.client.ask(offsetDeleteApi, 0, deletion('', 'orders', 0)).errorCode).toBe(ErrorCode.INVALID_GROUP_ID)
    expect(remove('')).toEqual([0])
    expect(committed(broker.client, 'simple')).toEqual({})
    expect(
      broker.client.ask(listGroupsApi, 5, { statesFilter: [], typesFilter: [] }).groups.map(({ groupId }) => groupId),
    ).toEqual(['g'])
  })

  test('deleting a topic forgets what was committed for it', () => {
    const broker = brokerWithOrders()
    broker.createTopic('other')
    commit(broker, commitRequest('simple', { orders: [5], other: [1] }))
    broker.client.ask(deleteTopicsApi, 6, { topics: [{ name: 'orders', topicId: ZERO_UUID }], topicNames: [], timeoutMs: 1000 })
    broker.createTopic('orders', 3)
    expect(committed(broker.client, 'simple')).toEqual({ 'other-0': 1 })
  })
})

describe('expiry', () => {
  test('a simple group loses its offsets a week after the last commit, and then goes', () => {
    const broker = brokerWithOrders()
    commit(broker, commitRequest('simple', { orders: [5] }))
    broker.clock.advance(7 * DAY_MS - 1)
    expect(committed(broker.client, 'simple')).toEqual({ 'orders-0': 5 })
    broker.clock.advance(10 * 60_000)
    expect(committed(broker.client, 'simple')).toEqual({})
    expect([...broker.core.services.groups.groups()]).toEqual([])
  })

  test('a group that had members keeps them for a week after it became empty', () => {
    const broker = brokerWithOrders()
    const member = new TestMember(broker.core)
    member.join()()
    member.sync({ [member.id]: 'all' })
    const errors: number[] = []
    for (let day = 0; day < 10; day++) {
      broker.clock.advance(DAY_MS - 1)
      const again = new TestMember(broker.core)
      again.join()()
      again.sync({ [again.id]: 'all' })
      errors.push(day === 0 ? again.commit(5) : 0)
      again.leave()
    }
    expect(errors).toEqual(Array(10).fill(0))
    expect(committed(broker.client, 'g')).toEqual({ 'orders-0': 5 })
    broker.clock.advance(7 * DAY_MS + 10 * 60_000)
    expect(committed(broker.client, 'g')).toEqual({})
  })

  test('a retention that the client asked for (up to v4) goes before ours', () => {
    const broker = brokerWithOrders()
    commit(broker, commitRequest('brief', { orders: [5] }, { retentionTimeMs: 60_000n }), 4)
    commit(broker, commitRequest('usual', { orders: [5] }), 4)
    broker.clock.advance(10 * 60_000)
    expect(committed(broker.client, 'brief')).toEqual({})
    expect(committed(broker.client, 'usual')).toEqual({ 'orders-0': 5 })
  })
})

describe('describing', () => {
  test('groups by state and type', () => {
    const broker = brokerWithOrders()
    commit(broker, commitRequest('simple', { orders: [5] }))
    stablePair(broker.core)
    const list = (statesFilter: string[], typesFilter: string[]): string[] =>
      broker.client
        .ask(listGroupsApi, 5, { statesFilter, typesFilter })
        .groups.map(({ groupId, groupState, groupType, protocolType }) =>
          [groupId, groupState, groupType, protocolType].join('/'),
        )
    expect(list([], [])).toEqual(['simple/Empty/classic/', 'g/Stable/classic/consumer'])
    expect(list(['stable'], [])).toEqual(['g/Stable/classic/consumer'])
    expect(list(['Dead'], [])).toEqual([])
    expect(list([], ['Classic'])).toHaveLength(2)
    expect(list([], ['consumer'])).toEqual([])
  })

  test('a stable group shows subscriptions and assignments, an unstable one who is in it and what they had', () => {
    const broker = brokerWithOrders()
    const { a, b } = stablePair(broker.core)
    const groups = ['g', 'none']
    const describe = (version: number) =>
      broker.client.ask(describeGroupsApi, version, { groups, includeAuthorizedOperations: version >= 3 }).groups
    const stable = describe(6)
    expect(stable[0]).toMatchObject({ errorCode: 0, groupState: 'Stable', protocolType: 'consumer', protocolData: 'range' })
    expect(stable[0]!.members.map(({ memberId, memberAssignment }) => [memberId, memberAssignment.toString()])).toEqual([
      [a.id, 'A'],
      [b.id, 'B'],
    ])
    expect(stable[0]!.members[0]).toMatchObject({ clientId: 'test', clientHost: '/127.0.0.1' })
    expect(stable[1]).toMatchObject({ errorCode: ErrorCode.GROUP_ID_NOT_FOUND, groupState: 'Dead' })
    a.join()
    const [unstable, unknown] = describe(0)
    expect(unstable).toMatchObject({ groupState: 'PreparingRebalance', protocolData: '' })
    expect(unstable!.members.map(({ memberAssignment }) => memberAssignment.toString())).toEqual(['A', 'B'])
    expect(unstable!.members.map(({ memberMetadata }) => memberMetadata.length)).toEqual([0, 0])
    expect(unknown).toMatchObject({ errorCode: 0, groupState: 'Dead' })
  })
})

describe('finding the coordinator', () => {
  test.each([0, 1, 2, 3])('v%i', (version) => {
    const { client, core } = startBroker()
    core.advertise({ host: 'broker.test', port: 4711 })
    const reply = client.ask(findCoordinatorApi, version, { key: 'g', keyType: 0, coordinatorKeys: [] })
    expect(reply).toMatchObject({ errorCode: 0, nodeId: 1, host: 'broker.test', port: 4711, coordinators: [] })
  })

  test.each([4, 5, 6])('v%i', (version) => {
    const { client } = startBroker()
    const reply = client.ask(findCoordinatorApi, version, { key: '', keyType: 0, coordinatorKeys: ['g', 'h'] })
    expect(reply.coordinators).toMatchObject([
      { key: 'g', nodeId: 1, errorCode: 0 },
      { key: 'h', nodeId: 1, errorCode: 0 },
    ])
  })

  test.each([
    [1, /does not serve transactions/],
    [2, /does not serve share groups/],
    [7, /Unknown coordinator key type 7/],
  ])('key type %i is refused for good', (keyType, message) => {
    const { client, core } = startBroker()
    const reply = client.ask(findCoordinatorApi, 6, { key: '', keyType, coordinatorKeys: ['t'] })
    expect(reply.coordinators).toMatchObject([
      { nodeId: -1, errorCode: ErrorCode.INVALID_REQUEST, errorMessage: expect.stringMatching(message) },
    ])
    expect(client.ask(findCoordinatorApi, 1, { key: 't', keyType, coordinatorKeys: [] }).errorCode).toBe(
      ErrorCode.INVALID_REQUEST,
    )
    expect(core.services.topics.byName('__consumer_offsets')).toBeUndefined()
  })

  test('creates the offsets topic, with 50 partitions that nothing cuts', () => {
    const { client, core } = startBroker()
    client.ask(findCoordinatorApi, 0, { key: 'g', keyType: 0, coordinatorKeys: [] })
    const topic = core.services.topics.byName('__consumer_offsets')!
    expect(topic.partitions).toHaveLength(50)
    expect(topic).toMatchObject({ internal: true, config: { retentionMs: -1, retentionBytes: -1 } })
  })
})

describe('restart', () => {
  test.each(['close', 'abandon'] as const)('after %s, groups, members and offsets are as they were', (end) => {
    const storage = new MemoryStorage()
    const before = brokerWithOrders(storage)
    const { a, b } = stablePair(before.core)
    a.commit(41)
    a.commit(42)
    commit(before, commitRequest('simple', { orders: [1, 2, 3] }))
    commit(before, commitRequest('doomed', { orders: [9] }))
    before.client.ask(deleteGroupsApi, 2, { groupsNames: ['doomed'] })
    before.client.ask(offsetDeleteApi, 0, {
      groupId: 'simple',
      topics: [{ name: 'orders', partitions: [{ partitionIndex: 1 }] }],
    })
    before.core[end]()

    const after = startBroker({ storage })
    expect(committed(after.client, 'g')).toEqual({ 'orders-0': 42 })
    expect(committed(after.client, 'simple')).toEqual({ 'orders-0': 1, 'orders-2': 3 })
    const [group, doomed] = after.client.ask(describeGroupsApi, 5, {
      groups: ['g', 'doomed'],
      includeAuthorizedOperations: false,
    }).groups
    expect(group).toMatchObject({ groupState: 'Stable', protocolType: 'consumer', protocolData: 'range' })
    expect(group!.members.map(({ memberId, memberAssignment }) => [memberId, memberAssignment.toString()])).toEqual([
      [a.id, 'A'],
      [b.id, 'B'],
    ])
    expect(doomed!.groupState).toBe('Dead')
    // The members go on as if nothing had been, on new connections.
    const again = new TestMember(after.core)
    again.id = b.id
    again.generation = 2
    expect(again.heartbeat()).toBe(ErrorCode.NONE)
    expect(again.sync()()!.assignment.toString()).toBe('B')
    // The other is silent and goes after its session.
    after.clock.advance(9999)
    again.heartbeat()
    after.clock.advance(1)
    expect(again.heartbeat()).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    expect(again.join()()).toMatchObject({ generationId: 3, leader: b.id, members: [{ memberId: b.id }] })
  })
})
