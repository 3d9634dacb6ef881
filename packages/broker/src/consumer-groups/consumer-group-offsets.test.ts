import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import { consumerGroupDescribeApi } from '@millrace/protocol/apis/consumer-group-describe'
import { deleteGroupsApi } from '@millrace/protocol/apis/delete-groups'
import { describeGroupsApi } from '@millrace/protocol/apis/describe-groups'
import { leaveGroupApi } from '@millrace/protocol/apis/leave-group'
import { listGroupsApi } from '@millrace/protocol/apis/list-groups'
import { offsetCommitApi } from '@millrace/protocol/apis/offset-commit'
import { offsetDeleteApi } from '@millrace/protocol/apis/offset-delete'
import { offsetFetchApi } from '@millrace/protocol/apis/offset-fetch'
import { expect, test } from 'vitest'
import { consumerGroup, ConsumerGroupMember, stateOf } from '../../test/consumer-group-member.ts'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'
import { commitRequest, committed, TestMember } from '../../test/group-requests.ts'
import { coordinatorPartition } from '../coordinator/java-hash.ts'
import { ROLL_UP_MIN_BYTES } from '../limits.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'

const RETENTION_MS = 7 * 24 * 60 * 60 * 1000
const DAY_MS = 24 * 60 * 60 * 1000

function brokerWithTopic(storage = new MemoryStorage()): TestBroker {
  const broker = startBroker({ storage })
  broker.createTopic('orders', 2)
  broker.createTopic('other')
  return broker
}

function joined(broker: TestBroker, id: string): ConsumerGroupMember {
  const member = new ConsumerGroupMember(broker.core, id)
  expect(member.join().errorCode).toBe(0)
  member.apply()
  return member
}

function commit(broker: TestBroker, memberId: string, epoch: number, version = 9, partition = 0): number {
  const offsets = partition === 0 ? [5] : [5, 6]
  const request = commitRequest('g', { orders: offsets }, { memberId, generationIdOrMemberEpoch: epoch })
  if (version >= 10) request.topics[0]!.topicId = broker.core.services.topics.byName('orders')!.id
  if (version >= 10) request.topics[0]!.name = ''
  return broker.client.ask(offsetCommitApi, version, request).topics[0]!.partitions[partition]!.errorCode
}

function fetch(broker: TestBroker, memberId: string | null, memberEpoch: number): { errorCode: number; topics: unknown[] } {
  const groups = [{ groupId: 'g', memberId, memberEpoch, topics: null }]
  return broker.client.ask(offsetFetchApi, 9, { groupId: '', topics: [], groups, requireStable: false }).groups[0]!
}

test.each([9, 10])('a member commits in its epoch, or in an older one in which it had the partition (v%i)', (version) => {
  const broker = brokerWithTopic()
  const a = joined(broker, 'a')
  expect(a.epoch).toBe(2)
  expect(commit(broker, 'a', 2, version)).toBe(0)
  expect(commit(broker, 'a', 3, version)).toBe(ErrorCode.STALE_MEMBER_EPOCH)
  expect(commit(broker, 'a', 1, version)).toBe(ErrorCode.STALE_MEMBER_EPOCH)
  expect(commit(broker, 'nobody', 2, version)).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  expect(commit(broker, '', -1, version)).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  const b = joined(broker, 'b')
  a.settle()
  b.settle()
  expect([a.epoch, a.owned[0]!.partitions]).toEqual([3, [0]])
  // It has had partition 0 since epoch 2, and partition 1 no more.
  expect(commit(broker, 'a', 2, version)).toBe(0)
  expect(commit(broker, 'a', 2, version, 1)).toBe(ErrorCode.STALE_MEMBER_EPOCH)
  expect(commit(broker, 'b', 2, version, 1)).toBe(ErrorCode.STALE_MEMBER_EPOCH)
})

test('a partition that is to be given back can still be committed', () => {
  const broker = brokerWithTopic()
  const a = joined(broker, 'a')
  joined(broker, 'b')
  a.heartbeat()
  expect(consumerGroup(broker.core).members.get('a')!.state).toBe('UNREVOKED_PARTITIONS')
  expect(commit(broker, 'a', 2, 9, 1)).toBe(0)
})

test('a member commits in no version that cannot tell it of its epoch', () => {
  const broker = brokerWithTopic()
  const a = joined(broker, 'a')
  expect(commit(broker, 'a', a.epoch, 8)).toBe(ErrorCode.UNSUPPORTED_VERSION)
})

test('who is no member commits while the group is empty', () => {
  const broker = brokerWithTopic()
  const a = joined(broker, 'a')
  a.leave()
  expect(commit(broker, '', -1)).toBe(0)
  expect(committed(broker.client, 'g')).toEqual({ 'orders-0': 5 })
})

test('a member reads offsets in its epoch only; who does not say who it is may', () => {
  const broker = brokerWithTopic()
  const a = joined(broker, 'a')
  commit(broker, 'a', a.epoch)
  expect(fetch(broker, 'a', a.epoch)).toMatchObject({ errorCode: 0, topics: [{ name: 'orders' }] })
  expect(fetch(broker, null, -1)).toMatchObject({ errorCode: 0, topics: [{ name: 'orders' }] })
  expect(fetch(broker, 'a', a.epoch - 1)).toEqual({ groupId: 'g', topics: [], errorCode: ErrorCode.STALE_MEMBER_EPOCH })
  expect(fetch(broker, 'nobody', a.epoch)).toEqual({ groupId: 'g', topics: [], errorCode: ErrorCode.UNKNOWN_MEMBER_ID })
})

test('groups are listed by type and state, and each kind has its own Describe', () => {
  const broker = brokerWithTopic()
  const a = joined(broker, 'a')
  new TestMember(broker.core, { groupId: 'classic' }).join()()
  const list = (statesFilter: string[], typesFilter: string[]) => {
    return broker.client.ask(listGroupsApi, 5, { statesFilter, typesFilter }).groups.map(({ groupId }) => groupId)
  }
  expect(broker.client.ask(listGroupsApi, 5, { statesFilter: [], typesFilter: [] }).groups).toEqual([
    { groupId: 'g', protocolType: 'consumer', groupState: 'Stable', groupType: 'consumer' },
    { groupId: 'classic', protocolType: 'consumer', groupState: 'CompletingRebalance', groupType: 'classic' },
  ])
  expect(list([], ['Consumer'])).toEqual(['g'])
  expect(list([], ['classic'])).toEqual(['classic'])
  expect(list(['stable'], [])).toEqual(['g'])
  expect(list([], ['share'])).toEqual([])

  const groupIds = ['g', 'classic', 'none', '']
  const described = broker.client.ask(consumerGroupDescribeApi, 1, { groupIds, includeAuthorizedOperations: true }).groups
  const { topicId, partitions } = a.owned[0]!
  const assignment = { topicPartitions: [{ topicId, topicName: 'orders', partitions }] }
  expect(described[0]).toEqual({
    errorCode: 0,
    errorMessage: null,
    groupId: 'g',
    groupState: 'Stable',
    groupEpoch: 2,
    assignmentEpoch: 2,
    assignorName: 'uniform',
    authorizedOperations: expect.any(Number) as number,
    members: [
      {
        memberId: 'a',
        instanceId: null,
        rackId: null,
        memberEpoch: 2,
        clientId: 'test',
        clientHost: expect.any(String) as string,
        subscribedTopicNames: ['orders'],
        subscribedTopicRegex: '',
        assignment,
        targetAssignment: assignment,
        memberType: 1,
      },
    ],
  })
  const { GROUP_ID_NOT_FOUND, INVALID_GROUP_ID } = ErrorCode
  expect(described.slice(1).map(({ errorCode }) => errorCode)).toEqual([GROUP_ID_NOT_FOUND, GROUP_ID_NOT_FOUND, INVALID_GROUP_ID])
  const request = { groups: ['g'], includeAuthorizedOperations: false }
  expect(broker.client.ask(describeGroupsApi, 6, request).groups[0]).toMatchObject({ errorCode: GROUP_ID_NOT_FOUND })
  expect(broker.client.ask(describeGroupsApi, 5, request).groups[0]).toMatchObject({ errorCode: 0, groupState: 'Dead' })
})

test('offsets of topics that members subscribe to stay; a group is deleted when it is empty, with all its records', () => {
  const storage = new MemoryStorage()
  const broker = brokerWithTopic(storage)
  const a = joined(broker, 'a')
  commit(broker, 'a', a.epoch)
  const remove = (name: string): number => {
    const topics = [{ name, partitions: [{ partitionIndex: 0 }] }]
    return broker.client.ask(offsetDeleteApi, 0, { groupId: 'g', topics }).topics[0]!.partitions[0]!.errorCode
  }
  expect(remove('orders')).toBe(ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC)
  expect(remove('other')).toBe(0)
  const deleteGroup = (): number => broker.client.ask(deleteGroupsApi, 2, { groupsNames: ['g'] }).results[0]!.errorCode
  expect(deleteGroup()).toBe(ErrorCode.NON_EMPTY_GROUP)
  a.leave()
  expect(remove('orders')).toBe(0)
  expect(deleteGroup()).toBe(0)
  expect(deleteGroup()).toBe(ErrorCode.GROUP_ID_NOT_FOUND)
  broker.core.abandon()
  expect([...startBroker({ storage }).core.services.groups.groups()]).toEqual([])
})

test('an administrator removes a static member by its instance id', () => {
  const broker = brokerWithTopic()
  const a = new ConsumerGroupMember(broker.core, 'a', undefined, 'one')
  a.join()
  const leave = (groupInstanceId: string): number => {
    const members = [{ memberId: '', groupInstanceId, reason: null }]
    return broker.client.ask(leaveGroupApi, 5, { groupId: 'g', memberId: '', members }).members[0]!.errorCode
  }
  expect(leave('two')).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  expect(leave('one')).toBe(0)
  expect(consumerGroup(broker.core).isEmpty).toBe(true)
})

test('offsets expire when no member subscribes to their topic, and then the empty group goes', () => {
  const broker = brokerWithTopic()
  const a = joined(broker, 'a')
  commit(broker, 'a', a.epoch)
  const request = commitRequest('g', { other: [1] }, { memberId: 'a', generationIdOrMemberEpoch: a.epoch })
  expect(broker.client.ask(offsetCommitApi, 9, request).topics[0]!.partitions[0]!.errorCode).toBe(0)
  for (let passed = 0; passed < RETENTION_MS + DAY_MS; passed += 40_000) {
    broker.clock.advance(40_000)
    a.heartbeat()
  }
  expect(committed(broker.client, 'g')).toEqual({ 'orders-0': 5 })
  a.leave()
  broker.clock.advance(DAY_MS)
  expect(broker.core.services.groups.group('g')).toBeUndefined()
})

test('a partition of the offsets topic that grew is rolled up with its consumer groups in it', () => {
  const storage = new MemoryStorage()
  const broker = brokerWithTopic(storage)
  const a = new ConsumerGroupMember(broker.core, 'a', { subscribedTopicNames: ['orders'], subscribedTopicRegex: 'oth.*' }, 'one')
  a.join()
  const log = () => broker.core.services.topics.partition('__consumer_offsets', coordinatorPartition('g', 50))!.log
  const metadata = 'm'.repeat(4000)
  for (let offset = 0; offset * metadata.length < ROLL_UP_MIN_BYTES + metadata.length; offset++) {
    const request = commitRequest('g', { orders: [offset] }, { memberId: 'a', generationIdOrMemberEpoch: a.epoch })
    request.topics[0]!.partitions[0]!.committedMetadata = metadata
    expect(broker.client.ask(offsetCommitApi, 9, request).topics[0]!.partitions[0]!.errorCode).toBe(0)
  }
  broker.clock.advance(0)
  expect(log().logStartOffset).toBeGreaterThan(100)
  broker.core.abandon()
  const again = startBroker({ storage })
  expect(stateOf(consumerGroup(again.core))).toEqual(stateOf(consumerGroup(broker.core)))
  expect(consumerGroup(again.core).regexes.size).toBe(1)
  expect(Object.keys(committed(again.client, 'g'))).toEqual(['orders-0'])
  expect(fetch(again, 'a', a.epoch).errorCode).toBe(0)
  expect(again.core.services.topics.byId(ZERO_UUID)).toBeUndefined()
})
