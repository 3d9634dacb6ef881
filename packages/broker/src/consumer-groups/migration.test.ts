import { ErrorCode } from '@millrace/protocol'
import { describeGroupsApi } from '@millrace/protocol/apis/describe-groups'
import { consumerGroupDescribeApi } from '@millrace/protocol/apis/consumer-group-describe'
import { offsetCommitApi } from '@millrace/protocol/apis/offset-commit'
import { describe, expect, test } from 'vitest'
import { ClassicConsumer, stableClassicGroup } from '../../test/classic-consumer.ts'
import { consumerGroup, ConsumerGroupMember, partitionNames, stateOf } from '../../test/consumer-group-member.ts'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'
import { FaultyStorage } from '../../test/faulty-storage.ts'
import { commitRequest, committed, TestMember } from '../../test/group-requests.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'
import type { ClassicGroup } from '../coordinator/classic-group.ts'

function brokerWithTopic(
  config = {},
  storage: MemoryStorage | FaultyStorage = new MemoryStorage(),
): TestBroker & { topicId: string } {
  const broker = startBroker({ storage }, config)
  return { ...broker, topicId: broker.createTopic('orders', 4) }
}

function classicGroup(broker: TestBroker): ClassicGroup {
  const group = broker.core.services.groups.group('g')
  if (group?.type !== 'classic') throw new Error('it is no classic group')
  return group
}

const policy = (name: string) => ({ 'group.consumer.migration.policy': name })

/** Classic members that are told to join again do so, and the others heartbeat, until all have what they shall have. */
function settle(classic: readonly ClassicConsumer[], modern: readonly ConsumerGroupMember[]): void {
  for (let round = 0; round < 6; round++) {
    for (const member of modern) {
      member.heartbeat()
      member.apply()
    }
    for (const consumer of classic) {
      const beat = consumer.heartbeat()
      if (beat !== ErrorCode.REBALANCE_IN_PROGRESS) continue
      expect(consumer.join()()?.errorCode).toBe(0)
      expect(consumer.sync()()?.errorCode).toBe(0)
    }
  }
}

/** The partitions of all of them; one that two of them own is there twice. */
function sorted(classic: readonly ClassicConsumer[], modern: readonly ConsumerGroupMember[]): number[] {
  const theirs = modern.flatMap(({ owned }) => owned.flatMap(({ partitions }) => partitions))
  return [...classic.flatMap(({ owned }) => owned), ...theirs].toSorted((a, b) => a - b)
}

describe('an empty group', () => {
  test('belongs to the protocol of whoever joins it; its offsets stay', () => {
    const broker = brokerWithTopic()
    const a = new TestMember(broker.core)
    a.join()()
    a.sync({ [a.id]: '' })()
    expect(a.commit(7)).toBe(0)
    a.leave()
    const b = new ConsumerGroupMember(broker.core, 'b')
    expect(b.join()).toMatchObject({ errorCode: 0, memberEpoch: 2 })
    expect(committed(broker.client, 'g')).toEqual({ 'orders-0': 7 })
    b.leave()
    const c = new TestMember(broker.core)
    expect(c.join()()).toMatchObject({ errorCode: 0, generationId: 1 })
    expect(committed(broker.client, 'g')).toEqual({ 'orders-0': 7 })
    broker.core.abandon()
  })

  test('with offsets only is taken over by a consumer group, also in the log', () => {
    const storage = new MemoryStorage()
    const broker = brokerWithTopic({}, storage)
    broker.client.ask(offsetCommitApi, 9, commitRequest('g', { orders: [3] }))
    new ConsumerGroupMember(broker.core, 'a').join()
    broker.core.abandon()
    const again = startBroker({ storage })
    expect(consumerGroup(again.core).members.size).toBe(1)
    expect(committed(again.client, 'g')).toEqual({ 'orders-0': 3 })
  })

  test.each(['upgrade', 'downgrade', 'disabled'])('is converted whatever the policy (%s)', (name) => {
    const broker = brokerWithTopic(policy(name))
    const a = new TestMember(broker.core)
    a.join()()
    a.leave()
    const b = new ConsumerGroupMember(broker.core, 'b')
    expect(b.join().errorCode).toBe(0)
    b.leave()
    expect(new TestMember(broker.core).join()()?.errorCode).toBe(0)
  })
})

describe('a classic group that a member of the consumer protocol joins', () => {
  test('becomes a consumer group, in which its members go on with what they have until they join again', () => {
    const broker = brokerWithTopic()
    const [a, b] = stableClassicGroup(broker.core, 2) as [ClassicConsumer, ClassicConsumer]
    expect([a.owned, b.owned]).toEqual([
      [0, 2],
      [1, 3],
    ])
    const { generation } = classicGroup(broker)
    const c = new ConsumerGroupMember(broker.core, 'c')
    expect(c.join()).toMatchObject({ errorCode: 0, memberEpoch: generation + 1, assignment: { topicPartitions: [] } })
    const group = consumerGroup(broker.core)
    expect(group).toMatchObject({ epoch: generation + 1, assignmentEpoch: generation + 1, classicMembers: 2 })
    expect(group.members.get(a.id)).toMatchObject({ epoch: generation, classic: { sessionTimeoutMs: 45_000 } })
    const described = broker.client.ask(consumerGroupDescribeApi, 1, { groupIds: ['g'], includeAuthorizedOperations: false })
    expect(described.groups[0]!.members.map(({ memberId, memberType }) => [memberId, memberType])).toEqual([
      [a.id, 0],
      [b.id, 0],
      ['c', 1],
    ])
    expect([a.heartbeat(), b.heartbeat()]).toEqual([ErrorCode.REBALANCE_IN_PROGRESS, ErrorCode.REBALANCE_IN_PROGRESS])
    settle([a, b], [c])
    expect(consumerGroup(broker.core).state).toBe('Stable')
    expect(sorted([a, b], [c])).toEqual([0, 1, 2, 3])
    expect([a.owned.length, b.owned.length, c.owned.length].every((count) => count > 0)).toBe(true)
  })

  test('tells those who wait in its rebalance to join again', () => {
    const broker = brokerWithTopic()
    const [a, b] = stableClassicGroup(broker.core, 2) as [ClassicConsumer, ClassicConsumer]
    const waiting = a.join()
    expect(waiting()).toBeNull()
    const c = new ConsumerGroupMember(broker.core, 'c')
    expect(c.join().errorCode).toBe(0)
    expect(waiting()).toMatchObject({ errorCode: ErrorCode.REBALANCE_IN_PROGRESS })
    settle([a, b], [c])
    expect(consumerGroup(broker.core).state).toBe('Stable')
  })

  test('gives nobody what its members were told to give back, before they join without it', () => {
    const broker = brokerWithTopic()
    const [a] = stableClassicGroup(broker.core, 1) as [ClassicConsumer]
    a.withheld = [2, 3]
    expect(a.join()()?.errorCode).toBe(0)
    expect(a.sync()()?.errorCode).toBe(0)
    expect(a.owned).toEqual([0, 1])
    // It works on the others until its listener has been told.
    const c = new ConsumerGroupMember(broker.core, 'c')
    expect(c.join()).toMatchObject({ errorCode: 0, assignment: { topicPartitions: [] } })
    expect(a.heartbeat()).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    c.heartbeat()
    expect(c.assigned).toEqual([])
    settle([a], [c])
    expect(consumerGroup(broker.core).state).toBe('Stable')
    expect([a.owned.length, sorted([a], [c])]).toEqual([2, [0, 1, 2, 3]])
  })

  test.each([
    ['the policy does not allow it', policy('downgrade'), null],
    ['it is disabled', policy('disabled'), null],
    ['there are too many', { 'group.consumer.max.size': 1 }, null],
    ['a custom assignor would lose what it told its members', {}, Buffer.from('user data')],
  ])('stays what it is when %s', (_why, config, userData) => {
    const broker = brokerWithTopic(config)
    const [a, b] = stableClassicGroup(broker.core, 2) as [ClassicConsumer, ClassicConsumer]
    a.userData = userData
    if (userData !== null) {
      const joins = [a.join(), b.join()]
      for (const join of joins) expect(join()?.errorCode).toBe(0)
      const syncs = [b.sync(), a.sync()]
      for (const sync of syncs) expect(sync()?.errorCode).toBe(0)
    }
    const reply = new ConsumerGroupMember(broker.core, 'c').join()
    expect(reply).toMatchObject({ errorCode: ErrorCode.GROUP_ID_NOT_FOUND })
    expect(reply.errorMessage).toContain('Cannot upgrade classic group g')
    expect(classicGroup(broker).state).toBe('Stable')
    expect([a.heartbeat(), b.heartbeat()]).toEqual([0, 0])
  })

  test('stays what it is when its assignments are no consumer protocol, or it is of another kind', () => {
    const broker = brokerWithTopic()
    const a = new TestMember(broker.core)
    a.join()()
    a.sync({ [a.id]: 'A' })()
    const c = new ConsumerGroupMember(broker.core, 'c')
    expect(c.join().errorMessage).toContain('malformed')
    const connect = new TestMember(broker.core, { groupId: 'connect', protocolType: 'connect' })
    connect.join()()
    const d = new ConsumerGroupMember(broker.core, 'd', undefined, null, 'connect')
    expect(d.join()).toMatchObject({ errorCode: ErrorCode.GROUP_ID_NOT_FOUND })
    expect(a.heartbeat()).toBe(0)
  })

  test('comes without the partitions that its leader assigned and the topic does not have, also after a restart', () => {
    const storage = new MemoryStorage()
    const broker = brokerWithTopic({}, storage)
    const [a] = stableClassicGroup(broker.core, 1) as [ClassicConsumer]
    a.alsoAssigned.push(4, -1, 2 ** 31 - 1)
    expect(a.join()()?.errorCode).toBe(0)
    expect(a.sync()()?.errorCode).toBe(0)
    expect(a.owned).toEqual([0, 1, 2, 3, 4, -1, 2 ** 31 - 1])
    const b = new ConsumerGroupMember(broker.core, 'b')
    expect(b.join().errorCode).toBe(0)
    const held = [...consumerGroup(broker.core).members.get(a.id)!.assigned.values()].map((partitions) => [...partitions.keys()])
    expect(held).toEqual([[0, 1, 2, 3]])
    settle([a], [b])
    expect(sorted([a], [b])).toEqual([0, 1, 2, 3])
    const before = stateOf(consumerGroup(broker.core))
    broker.core.abandon()
    expect(stateOf(consumerGroup(startBroker({ storage }).core))).toEqual(before)
  })

  test('is what it was when the disk is full, and its members do not notice', () => {
    const state = { full: false }
    const broker = brokerWithTopic({}, new FaultyStorage(new MemoryStorage(), () => (state.full ? 'error' : 'none')))
    const [a, b] = stableClassicGroup(broker.core, 2) as [ClassicConsumer, ClassicConsumer]
    state.full = true
    const c = new ConsumerGroupMember(broker.core, 'c')
    expect(c.join().errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    expect([a.heartbeat(), b.heartbeat()]).toEqual([0, 0])
    expect(classicGroup(broker).state).toBe('Stable')
    state.full = false
    expect(c.join().errorCode).toBe(0)
    settle([a, b], [c])
    expect(consumerGroup(broker.core).state).toBe('Stable')
  })
})

describe('a member of the classic protocol in a consumer group', () => {
  function mixed(config = {}): { broker: TestBroker; modern: ConsumerGroupMember; classic: ClassicConsumer } {
    const broker = brokerWithTopic(config)
    const modern = new ConsumerGroupMember(broker.core, 'modern')
    modern.join()
    modern.apply()
    const classic = new ClassicConsumer(broker.core)
    expect(classic.join()()).toMatchObject({ errorCode: 0, protocolType: 'consumer', leader: '', members: [] })
    expect(classic.sync()()?.errorCode).toBe(0)
    settle([classic], [modern])
    return { broker, modern, classic }
  }

  test('gets its share once the others have let go of it', () => {
    const { broker, modern, classic } = mixed()
    expect(modern.owned[0]!.partitions).toEqual([0, 1])
    expect(classic.owned).toEqual([2, 3])
    expect(consumerGroup(broker.core)).toMatchObject({ state: 'Stable', classicMembers: 1 })
  })

  test('is answered as in a classic group when it comes with what does not fit', () => {
    const { broker, classic } = mixed()
    const { generation } = classic
    classic.generation = generation - 1
    expect(classic.heartbeat()).toBe(ErrorCode.ILLEGAL_GENERATION)
    expect(classic.sync()()).toMatchObject({ errorCode: ErrorCode.ILLEGAL_GENERATION })
    classic.generation = generation
    const other = new ClassicConsumer(broker.core)
    expect(
      other.join({ protocols: [{ name: 'another', metadata: Buffer.from([0, 0, 0, 0, 0, 0, 255, 255, 255, 255]) }] })(),
    ).toMatchObject({
      errorCode: ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
    })
    expect(other.join({ protocols: [{ name: 'cooperative-deal', metadata: Buffer.from([0]) }] })()).toMatchObject({
      errorCode: ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
    })
    expect(other.join({ protocolType: 'connect' })()?.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    other.id = 'nobody'
    expect(other.heartbeat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(other.leave()).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(classic.heartbeat()).toBe(0)
  })

  test('must join in time when it is told to, and sync in time after that; else it is gone', () => {
    const { broker, modern, classic } = mixed()
    modern.heartbeat({ subscribedTopicNames: ['orders', 'nowhere'] })
    expect(classic.heartbeat()).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    for (let passed = 0; passed < 60_000; passed += 5000) {
      classic.heartbeat()
      modern.heartbeat()
      broker.clock.advance(5000)
    }
    expect(classic.heartbeat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    settle([], [modern])
    expect(modern.owned[0]!.partitions).toEqual([0, 1, 2, 3])

    classic.id = ''
    classic.owned = []
    expect(classic.join()()?.errorCode).toBe(0)
    for (let passed = 0; passed < 60_000; passed += 5000) {
      classic.heartbeat()
      modern.heartbeat()
      broker.clock.advance(5000)
    }
    expect(classic.sync()()).toMatchObject({ errorCode: ErrorCode.UNKNOWN_MEMBER_ID })
  })

  test('is refused where migration is disabled', () => {
    const broker = brokerWithTopic(policy('disabled'))
    new ConsumerGroupMember(broker.core, 'modern').join()
    expect(new ClassicConsumer(broker.core).join()()?.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  })

  test('survives a restart as what it is', () => {
    const storage = new MemoryStorage()
    const broker = brokerWithTopic({}, storage)
    const modern = new ConsumerGroupMember(broker.core, 'modern')
    modern.join()
    modern.apply()
    const classic = new ClassicConsumer(broker.core)
    classic.join()()
    broker.core.abandon()
    expect(stateOf(consumerGroup(startBroker({ storage }).core))).toEqual(stateOf(consumerGroup(broker.core)))
  })

  test('commits in its generation', () => {
    const { broker, classic } = mixed()
    const commit = (generationIdOrMemberEpoch: number): number => {
      const request = commitRequest('g', { orders: [0, 0, 5] }, { memberId: classic.id, generationIdOrMemberEpoch })
      return broker.client.ask(offsetCommitApi, 8, request).topics[0]!.partitions[2]!.errorCode
    }
    expect(commit(classic.generation + 1)).toBe(ErrorCode.ILLEGAL_GENERATION)
    expect(commit(classic.generation)).toBe(0)
  })
})

describe('a consumer group whose last member of its own protocol goes', () => {
  test.each(['leaves', 'is not heard of any more'])('goes back to the classic protocol (%s)', (how) => {
    const broker = brokerWithTopic()
    const [a, b] = stableClassicGroup(broker.core, 2) as [ClassicConsumer, ClassicConsumer]
    const c = new ConsumerGroupMember(broker.core, 'c')
    c.join()
    settle([a, b], [c])
    if (how === 'leaves') {
      expect(c.leave().errorCode).toBe(0)
    } else {
      for (let passed = 0; passed < 45_000; passed += 5000) {
        broker.clock.advance(5000)
        a.heartbeat()
        b.heartbeat()
      }
    }
    const group = classicGroup(broker)
    expect(group).toMatchObject({ state: 'PreparingRebalance', protocol: 'cooperative-deal' })
    expect([...group.members.keys()]).toEqual([a.id, b.id])
    expect([a.heartbeat(), b.heartbeat()]).toEqual([ErrorCode.REBALANCE_IN_PROGRESS, ErrorCode.REBALANCE_IN_PROGRESS])
    const joins = [a.join(), b.join()]
    for (const join of joins) expect(join()?.errorCode).toBe(0)
    const syncs = [b.sync(), a.sync()]
    for (const sync of syncs) expect(sync()?.errorCode).toBe(0)
    expect(sorted([a, b], [])).toEqual([0, 1, 2, 3])
    const described = broker.client.ask(describeGroupsApi, 6, { groups: ['g'], includeAuthorizedOperations: false })
    expect(described.groups[0]).toMatchObject({ errorCode: 0, groupState: 'Stable', protocolType: 'consumer' })
  })

  test('and the log says so', () => {
    const storage = new MemoryStorage()
    const broker = brokerWithTopic({}, storage)
    const [a] = stableClassicGroup(broker.core, 1) as [ClassicConsumer]
    const c = new ConsumerGroupMember(broker.core, 'c')
    c.join()
    settle([a], [c])
    const { epoch } = consumerGroup(broker.core)
    c.leave()
    broker.core.abandon()
    const again = classicGroup(startBroker({ storage }))
    expect([...again.members.keys()]).toEqual([a.id])
    expect(again).toMatchObject({ state: 'Stable', generation: epoch, leader: a.id })
  })

  test('stays a consumer group where the policy says so', () => {
    const broker = brokerWithTopic(policy('upgrade'))
    const [a] = stableClassicGroup(broker.core, 1) as [ClassicConsumer]
    const c = new ConsumerGroupMember(broker.core, 'c')
    c.join()
    settle([a], [c])
    c.leave()
    expect(consumerGroup(broker.core).members.size).toBe(1)
    // Its targets are computed when a member next joins.
    const d = new ConsumerGroupMember(broker.core, 'd')
    d.join()
    settle([a], [d])
    expect(sorted([a], [d])).toEqual([0, 1, 2, 3])
  })

  test('goes back at once, with all partitions where they are, when a static member comes back by the classic protocol', () => {
    const broker = brokerWithTopic()
    const c = new ConsumerGroupMember(broker.core, 'c', undefined, 'one')
    c.join()
    c.apply()
    const back = new ClassicConsumer(broker.core, 'orders', 'one')
    expect(back.join()()?.errorCode).toBe(0)
    expect(classicGroup(broker)).toMatchObject({ state: 'Stable', generation: back.generation })
    expect(back.sync()()?.errorCode).toBe(0)
    expect(back.owned).toEqual([0, 1, 2, 3])
    expect(c.send().errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND)
    const modern = new ConsumerGroupMember(broker.core, 'c2', undefined, 'one')
    expect(modern.join().errorCode).toBe(0)
    expect(partitionNames(modern.assigned)).toHaveLength(4)
    expect(consumerGroup(broker.core)).toMatchObject({ classicMembers: 0 })
  })
})
