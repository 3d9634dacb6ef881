import { ErrorCode } from '@millrace/protocol'
import { consumerGroupDescribeApi } from '@millrace/protocol/apis/consumer-group-describe'
import { createPartitionsApi } from '@millrace/protocol/apis/create-partitions'
import { deleteTopicsApi } from '@millrace/protocol/apis/delete-topics'
import { describe, expect, test } from 'vitest'
import {
  consumerGroup,
  ConsumerGroupMember,
  HEARTBEAT_MS,
  partitionNames,
  SESSION_MS,
  stateOf,
} from '../../test/consumer-group-member.ts'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'
import { FaultyStorage } from '../../test/faulty-storage.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'

function brokerWithTopic(partitions = 4, config = {}): TestBroker & { topicId: string } {
  const broker = startBroker({}, config)
  return { ...broker, topicId: broker.createTopic('orders', partitions) }
}

function describeGroup(broker: TestBroker): ReturnType<typeof describeAll>[0] {
  return describeAll(broker)[0]!
}

function describeAll({ client }: TestBroker) {
  return client.ask(consumerGroupDescribeApi, 1, { groupIds: ['g'], includeAuthorizedOperations: false }).groups
}

describe('joining and moving partitions', () => {
  test('the first member gets everything at once', () => {
    const broker = brokerWithTopic()
    const a = new ConsumerGroupMember(broker.core, 'a')
    expect(a.join()).toMatchObject({ errorCode: 0, memberId: 'a', memberEpoch: 2, heartbeatIntervalMs: 5000 })
    expect(a.assigned).toEqual([{ topicId: broker.topicId, partitions: [0, 1, 2, 3] }])
    expect(describeGroup(broker)).toMatchObject({
      groupState: 'Stable',
      groupEpoch: 2,
      assignmentEpoch: 2,
      assignorName: 'uniform',
    })
  })

  test('a partition is given to its next owner only after the one before said that it let go of it', () => {
    const broker = brokerWithTopic()
    const a = new ConsumerGroupMember(broker.core, 'a')
    const b = new ConsumerGroupMember(broker.core, 'b')
    a.join()
    a.apply()
    expect(b.join()).toMatchObject({ memberEpoch: 3, assignment: { topicPartitions: [] } })
    expect(describeGroup(broker).groupState).toBe('Reconciling')
    expect(b.heartbeat().assignment).toBeNull()
    // It is told to give two back, stays in its epoch, and is not believed before it says so.
    expect(a.heartbeat()).toMatchObject({ memberEpoch: 2, assignment: { topicPartitions: [{ partitions: [0, 1] }] } })
    expect(a.heartbeat({ topicPartitions: null })).toMatchObject({ memberEpoch: 2, assignment: null })
    expect(b.heartbeat().assignment).toBeNull()
    a.apply()
    expect(a.heartbeat()).toMatchObject({ memberEpoch: 3, assignment: null })
    expect(b.heartbeat()).toMatchObject({ memberEpoch: 3, assignment: { topicPartitions: [{ partitions: [2, 3] }] } })
    expect(describeGroup(broker).groupState).toBe('Stable')
  })

  test('a member that leaves hands its partitions to the others at their next heartbeats', () => {
    const broker = brokerWithTopic()
    const [a, b] = stablePair(broker)
    expect(b.leave()).toMatchObject({ errorCode: 0, memberEpoch: -1, assignment: null })
    expect(describeGroup(broker).members.map(({ memberId }) => memberId)).toEqual(['a'])
    a.settle()
    expect(a.owned[0]!.partitions).toEqual([0, 1, 2, 3])
    a.leave()
    expect(describeGroup(broker)).toMatchObject({ groupState: 'Empty', members: [] })
  })

  test('a member whose reply was lost comes in its former epoch and is told again; older ones and newer ones are fenced', () => {
    const broker = brokerWithTopic()
    const a = new ConsumerGroupMember(broker.core, 'a')
    a.join()
    a.apply()
    const b = new ConsumerGroupMember(broker.core, 'b')
    b.join()
    a.heartbeat()
    a.apply()
    expect(a.send()).toMatchObject({ memberEpoch: 3 })
    expect(a.epoch).toBe(2)
    expect(a.heartbeat()).toMatchObject({ errorCode: 0, memberEpoch: 3 })
    a.epoch = 1
    expect(a.send().errorCode).toBe(ErrorCode.FENCED_MEMBER_EPOCH)
    a.epoch = 2
    const more = [{ topicId: broker.topicId, partitions: [0, 1, 3] }]
    expect(a.send({ topicPartitions: more }).errorCode).toBe(ErrorCode.FENCED_MEMBER_EPOCH)
    expect(a.send({ topicPartitions: null }).errorCode).toBe(ErrorCode.FENCED_MEMBER_EPOCH)
    a.epoch = 9
    expect(a.send()).toMatchObject({
      errorCode: ErrorCode.FENCED_MEMBER_EPOCH,
      errorMessage: expect.stringContaining('(9)') as string,
    })
    expect(a.join()).toMatchObject({ errorCode: 0, memberEpoch: 3, assignment: { topicPartitions: [{ partitions: [0, 1] }] } })
  })

  test('a subscription that changes takes effect at once, whatever its former topics had', () => {
    const broker = brokerWithTopic()
    const other = broker.createTopic('other', 2)
    const [a, b] = stablePair(broker)
    a.heartbeat({ subscribedTopicNames: ['other'] })
    a.apply()
    a.settle()
    b.settle()
    expect(a.ownedNames).toEqual([`${other}-0`, `${other}-1`])
    expect(b.owned[0]!.partitions).toEqual([0, 1, 2, 3])
    expect(consumerGroup(broker.core).isHomogeneous).toBe(false)
  })

  test.each([
    ['range', [0, 1], [2]],
    ['uniform', [0, 1], [2]],
  ])('%s is what the members ask for', (serverAssignor, first, second) => {
    const broker = brokerWithTopic(3)
    const subscription = { subscribedTopicNames: ['orders'], serverAssignor }
    const a = new ConsumerGroupMember(broker.core, 'a', subscription)
    const b = new ConsumerGroupMember(broker.core, 'b', subscription)
    a.join()
    a.apply()
    b.join()
    for (let round = 0; round < 2; round++) for (const member of [a, b]) member.settle()
    expect(describeGroup(broker).assignorName).toBe(serverAssignor)
    expect([a.owned[0]!.partitions, b.owned[0]!.partitions]).toEqual([first, second])
  })

  test('an assignment interval puts off the next assignment', () => {
    const broker = brokerWithTopic(4, { 'group.consumer.assignment.interval.ms': 1000 })
    const a = new ConsumerGroupMember(broker.core, 'a')
    const b = new ConsumerGroupMember(broker.core, 'b')
    a.join()
    a.apply()
    expect(b.join()).toMatchObject({ memberEpoch: 2 })
    expect(describeGroup(broker)).toMatchObject({ groupState: 'Assigning', groupEpoch: 3, assignmentEpoch: 2 })
    broker.clock.advance(1000)
    b.heartbeat()
    expect(describeGroup(broker)).toMatchObject({ groupState: 'Reconciling', groupEpoch: 3, assignmentEpoch: 3 })
  })
})

describe('timers', () => {
  test('a member that is not heard of for the session timeout is gone', () => {
    const broker = brokerWithTopic()
    const [a, b] = stablePair(broker)
    for (let at = 0; at < SESSION_MS; at += HEARTBEAT_MS) {
      broker.clock.advance(HEARTBEAT_MS)
      a.heartbeat()
    }
    expect(b.send().errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    a.settle()
    expect(a.owned[0]!.partitions).toEqual([0, 1, 2, 3])
  })

  test('a member that does not give its partitions back within its rebalance timeout is fenced', () => {
    const broker = brokerWithTopic()
    const a = new ConsumerGroupMember(broker.core, 'a')
    a.join()
    a.apply()
    const b = new ConsumerGroupMember(broker.core, 'b')
    b.join()
    a.heartbeat()
    for (let at = 0; at < 60_000; at += HEARTBEAT_MS) {
      expect([a.send().errorCode, b.heartbeat().errorCode]).toEqual([0, 0])
      broker.clock.advance(HEARTBEAT_MS)
    }
    expect(a.send().errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    b.settle()
    expect(b.owned[0]!.partitions).toEqual([0, 1, 2, 3])
  })

  test('after a restart all members have a whole session timeout, and those that must give back their rebalance timeout', () => {
    const storage = new MemoryStorage()
    const broker = startBroker({ storage })
    broker.createTopic('orders', 4)
    const a = new ConsumerGroupMember(broker.core, 'a')
    a.join()
    a.apply()
    new ConsumerGroupMember(broker.core, 'b').join()
    a.heartbeat()
    broker.core.abandon()
    const again = startBroker({ storage })
    expect(stateOf(consumerGroup(again.core))).toEqual(stateOf(consumerGroup(broker.core)))
    again.clock.advance(SESSION_MS - 1)
    expect(consumerGroup(again.core).members.size).toBe(2)
    again.clock.advance(1)
    expect(consumerGroup(again.core).members.size).toBe(0)
  })
})

describe('static members', () => {
  test('one that leaves with -2 keeps its partitions until it comes back under another id', () => {
    const broker = brokerWithTopic()
    const a = new ConsumerGroupMember(broker.core, 'a', undefined, 'one')
    const b = new ConsumerGroupMember(broker.core, 'b', undefined, 'two')
    a.join()
    a.apply()
    b.join()
    for (const member of [a, b, a]) member.settle()
    const { epoch } = consumerGroup(broker.core)
    const had = a.ownedNames
    expect(a.leave(-2)).toMatchObject({ errorCode: 0, memberEpoch: -2 })
    expect(consumerGroup(broker.core).members.get('a')).toMatchObject({ epoch: -2 })
    b.settle()
    const back = new ConsumerGroupMember(broker.core, 'a2', undefined, 'one')
    expect(back.join()).toMatchObject({ errorCode: 0, memberEpoch: epoch })
    expect(partitionNames(back.assigned)).toEqual(had)
    expect(consumerGroup(broker.core)).toMatchObject({ epoch, assignmentEpoch: epoch })
    expect(a.send({ memberEpoch: epoch }).errorCode).toBe(ErrorCode.FENCED_INSTANCE_ID)
    expect([...consumerGroup(broker.core).members.keys()]).toEqual(['b', 'a2'])
  })

  test('one that does not come back is gone after the session timeout', () => {
    const broker = brokerWithTopic()
    const a = new ConsumerGroupMember(broker.core, 'a', undefined, 'one')
    a.join()
    a.leave(-2)
    broker.clock.advance(SESSION_MS)
    expect(consumerGroup(broker.core).isEmpty).toBe(true)
  })

  test('an instance id belongs to one member at a time', () => {
    const broker = brokerWithTopic()
    const a = new ConsumerGroupMember(broker.core, 'a', undefined, 'one')
    a.join()
    const other = new ConsumerGroupMember(broker.core, 'b', undefined, 'one')
    expect(other.join()).toMatchObject({
      errorCode: ErrorCode.UNRELEASED_INSTANCE_ID,
      errorMessage: expect.stringContaining('one') as string,
    })
    expect(a.heartbeat().errorCode).toBe(0)
    const unknown = new ConsumerGroupMember(broker.core, 'c', undefined, 'none')
    expect(unknown.send({ memberEpoch: 3 }).errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(a.leave()).toMatchObject({ errorCode: 0 })
    expect(other.join().errorCode).toBe(0)
  })
})

describe('changes of topics', () => {
  test('new partitions, a topic that comes and one that goes are assigned anew at the next heartbeat', () => {
    const broker = brokerWithTopic(2)
    const a = new ConsumerGroupMember(broker.core, 'a', { subscribedTopicNames: ['orders', 'later'] })
    a.join()
    a.apply()
    const topics = [{ name: 'orders', count: 3, assignments: null }]
    broker.client.ask(createPartitionsApi, 3, { topics, timeoutMs: 1000, validateOnly: false })
    a.settle()
    expect(a.ownedNames).toHaveLength(3)
    const later = broker.createTopic('later')
    a.settle()
    expect(a.ownedNames).toContain(`${later}-0`)
    const doomed = [{ name: 'orders', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }]
    broker.client.ask(deleteTopicsApi, 6, { topics: doomed, topicNames: [], timeoutMs: 1000 })
    a.settle()
    expect(a.ownedNames).toEqual([`${later}-0`])
    const { epoch } = consumerGroup(broker.core)
    a.settle()
    expect(consumerGroup(broker.core).epoch).toBe(epoch)
  })
})

describe('what is refused', () => {
  const full = { memberEpoch: 0, rebalanceTimeoutMs: 1000, subscribedTopicNames: ['orders'], topicPartitions: [] }
  const cases: [string, Parameters<ConsumerGroupMember['send']>[0], number][] = [
    ['a group without a name', { ...full, groupId: ' ' }, ErrorCode.INVALID_REQUEST],
    ['a member without an id', { ...full, memberId: '' }, ErrorCode.INVALID_REQUEST],
    ['an empty instance id', { ...full, instanceId: '' }, ErrorCode.INVALID_REQUEST],
    ['an empty rack', { ...full, rackId: '' }, ErrorCode.INVALID_REQUEST],
    ['a join without a rebalance timeout', { ...full, rebalanceTimeoutMs: -1 }, ErrorCode.INVALID_REQUEST],
    [
      'a join with partitions',
      { ...full, topicPartitions: [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partitions: [0] }] },
      ErrorCode.INVALID_REQUEST,
    ],
    ['a join that does not say what it owns', { ...full, topicPartitions: null }, ErrorCode.INVALID_REQUEST],
    ['a join without a subscription', { ...full, subscribedTopicNames: null }, ErrorCode.INVALID_REQUEST],
    ['an epoch below -2', { ...full, memberEpoch: -3 }, ErrorCode.INVALID_REQUEST],
    ['leaving for a while without an instance id', { memberEpoch: -2 }, ErrorCode.INVALID_REQUEST],
    ['an assignor that the server does not have', { ...full, serverAssignor: 'sticky' }, ErrorCode.UNSUPPORTED_ASSIGNOR],
    ['a group that is not there', { memberEpoch: 1 }, ErrorCode.GROUP_ID_NOT_FOUND],
    ['leaving a group that is not there', { memberEpoch: -1 }, ErrorCode.GROUP_ID_NOT_FOUND],
  ]

  test.each(cases)('%s', (_what, request, errorCode) => {
    const broker = brokerWithTopic()
    const reply = new ConsumerGroupMember(broker.core, 'a').send(request)
    expect(reply).toMatchObject({ errorCode, memberId: null, assignment: null })
    expect(reply.errorMessage).toBeTruthy()
    expect(broker.core.services.groups.group('g')).toBeUndefined()
  })

  test('a member too many, but not one that is a member already', () => {
    const broker = brokerWithTopic(4, { 'group.consumer.max.size': 1 })
    const a = new ConsumerGroupMember(broker.core, 'a')
    a.join()
    expect(new ConsumerGroupMember(broker.core, 'b').join().errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED)
    expect(a.join().errorCode).toBe(0)
  })

  test('in v0, which has no regular expressions, the broker makes the id of a member without one', () => {
    const broker = brokerWithTopic()
    const reply = new ConsumerGroupMember(broker.core, '').send(full, 0)
    expect(reply).toMatchObject({ errorCode: 0, memberEpoch: 2 })
    expect(reply.memberId).toHaveLength(22)
  })

  test('a member that is not known', () => {
    const broker = brokerWithTopic()
    new ConsumerGroupMember(broker.core, 'a').join()
    const b = new ConsumerGroupMember(broker.core, 'b')
    expect(b.send({ memberEpoch: 2 }).errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(b.leave().errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })
})

describe('a disk that is full', () => {
  test('refuses what would change the group and leaves it as it was; a member that is to be fenced is so once it can be', () => {
    const state = { full: false }
    const storage = new FaultyStorage(new MemoryStorage(), () => (state.full ? 'error' : 'none'))
    const broker = startBroker({ storage })
    broker.createTopic('orders', 4)
    const a = new ConsumerGroupMember(broker.core, 'a')
    a.join()
    a.apply()
    const before = stateOf(consumerGroup(broker.core))
    state.full = true
    const b = new ConsumerGroupMember(broker.core, 'b')
    expect(b.join().errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    expect(a.leave().errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    expect(a.heartbeat()).toMatchObject({ errorCode: 0, memberEpoch: 2 })
    expect(stateOf(consumerGroup(broker.core))).toEqual(before)
    broker.clock.advance(SESSION_MS)
    expect(stateOf(consumerGroup(broker.core))).toEqual(before)
    state.full = false
    broker.clock.advance(1000)
    expect(consumerGroup(broker.core).isEmpty).toBe(true)
    expect(b.join().errorCode).toBe(0)
    broker.core.abandon()
    expect(stateOf(consumerGroup(startBroker({ storage }).core))).toEqual(stateOf(consumerGroup(broker.core)))
  })
})

/** Two members with two partitions each. */
function stablePair(broker: TestBroker): [ConsumerGroupMember, ConsumerGroupMember] {
  const a = new ConsumerGroupMember(broker.core, 'a')
  const b = new ConsumerGroupMember(broker.core, 'b')
  a.join()
  a.apply()
  b.join()
  for (const member of [a, b]) member.settle()
  expect([a.owned[0]!.partitions, b.owned[0]!.partitions]).toEqual([
    [0, 1],
    [2, 3],
  ])
  return [a, b]
}
