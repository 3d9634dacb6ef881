import { ErrorCode } from '@millrace/protocol'
import { describeGroupsApi } from '@millrace/protocol/apis/describe-groups'
import { joinGroupApi } from '@millrace/protocol/apis/join-group'
import { leaveGroupApi } from '@millrace/protocol/apis/leave-group'
import { syncGroupApi } from '@millrace/protocol/apis/sync-group'
import { describe, expect, test } from 'vitest'
import { startBroker, WireClient, type TestBroker } from '../../test/core-fixtures.ts'
import {
  joinRequest,
  REBALANCE_TIMEOUT_MS,
  SESSION_TIMEOUT_MS,
  stablePair,
  subscription,
  TestMember,
} from '../../test/group-requests.ts'

function stateOf({ client }: TestBroker, group = 'g'): string {
  return client.ask(describeGroupsApi, 5, { groups: [group], includeAuthorizedOperations: false }).groups[0]!.groupState
}

describe('joining', () => {
  test('the first member is told its id, then leads generation 1 alone', () => {
    const broker = startBroker()
    const first = broker.client.ask(joinGroupApi, 9, joinRequest())
    expect(first).toMatchObject({ errorCode: ErrorCode.MEMBER_ID_REQUIRED, generationId: -1, members: [] })
    expect(first.memberId).toMatch(/^test-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    const joined = broker.client.ask(joinGroupApi, 9, joinRequest({ memberId: first.memberId }))
    expect(joined).toMatchObject({
      errorCode: 0,
      generationId: 1,
      leader: first.memberId,
      memberId: first.memberId,
      protocolName: 'range',
    })
    expect(joined).toMatchObject({ protocolType: 'consumer', skipAssignment: false })
    expect(joined.members).toEqual([{ memberId: first.memberId, groupInstanceId: null, metadata: subscription('orders') }])
    expect(stateOf(broker)).toBe('CompletingRebalance')
  })

  test('before v4 a member joins without an id', () => {
    const { client } = startBroker()
    const joined = client.ask(joinGroupApi, 3, joinRequest())
    expect(joined).toMatchObject({ errorCode: 0, generationId: 1 })
    expect(joined.leader).toBe(joined.memberId)
  })

  test('a second member makes the first rejoin; the first still leads and sees both', () => {
    const broker = startBroker()
    const a = new TestMember(broker.core)
    const b = new TestMember(broker.core)
    a.join()()
    a.sync({ [a.id]: 'A' })
    const bJoin = b.join()
    expect(bJoin()).toBeNull()
    expect(stateOf(broker)).toBe('PreparingRebalance')
    expect(a.heartbeat()).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    const aJoin = a.join()
    expect(aJoin()).toMatchObject({ generationId: 2, leader: a.id, members: [{ memberId: a.id }, { memberId: b.id }] })
    expect(bJoin()).toMatchObject({ generationId: 2, leader: a.id, members: [] })
  })

  test('a follower that rejoins unchanged gets the current generation; the leader, or a change, rebalances', () => {
    const broker = startBroker()
    const { a, b } = stablePair(broker.core)
    expect(b.join()()).toMatchObject({ errorCode: 0, generationId: 2, members: [] })
    expect(stateOf(broker)).toBe('Stable')
    const changed = b.join({ protocols: [{ name: 'range', metadata: subscription('orders', 'more') }] })
    expect(changed()).toBeNull()
    expect(stateOf(broker)).toBe('PreparingRebalance')
    a.join()
    expect(changed()).toMatchObject({ generationId: 3 })
    a.generation = 3
    b.generation = 3
    a.sync()
    expect(stateOf(broker)).toBe('Stable')
    expect(a.join()()).toBeNull()
    expect(stateOf(broker)).toBe('PreparingRebalance')
  })

  test('the protocol that most prefer among those that all support is chosen', () => {
    const broker = startBroker()
    const protocol = (name: string): { name: string; metadata: Buffer } => ({ name, metadata: Buffer.from(name) })
    const lists = [
      ['x', 'range', 'roundrobin'],
      ['roundrobin', 'range'],
      ['roundrobin', 'y', 'range'],
    ]
    const members = lists.map((names) => new TestMember(broker.core, { protocols: names.map(protocol) }))
    const joins = members.map((member) => member.join())
    const again = members[0]!.join()
    expect(again()).toMatchObject({ protocolName: 'roundrobin' })
    for (const join of joins.slice(1)) expect(join()).toMatchObject({ errorCode: 0, protocolName: 'roundrobin' })
  })

  const refusals: [string, Parameters<typeof joinRequest>[0], keyof typeof ErrorCode][] = [
    ['an empty group id', { groupId: '' }, 'INVALID_GROUP_ID'],
    ['a session timeout below the least', { sessionTimeoutMs: 5999 }, 'INVALID_SESSION_TIMEOUT'],
    ['a session timeout above the most', { sessionTimeoutMs: 1_800_001 }, 'INVALID_SESSION_TIMEOUT'],
    ['a member of an unknown group', { groupId: 'other', memberId: 'm' }, 'UNKNOWN_MEMBER_ID'],
    ['an unknown member', { memberId: 'm' }, 'UNKNOWN_MEMBER_ID'],
    ['another protocol type', { protocolType: 'connect' }, 'INCONSISTENT_GROUP_PROTOCOL'],
    ['no common protocol', { protocols: [{ name: 'sticky', metadata: Buffer.alloc(0) }] }, 'INCONSISTENT_GROUP_PROTOCOL'],
    ['no protocol', { groupId: 'new', protocols: [] }, 'INCONSISTENT_GROUP_PROTOCOL'],
    ['an unknown member with an instance id', { memberId: 'm', groupInstanceId: 'i' }, 'UNKNOWN_MEMBER_ID'],
  ]
  test.each(refusals)('%s is refused', (_, overrides, code) => {
    const broker = startBroker()
    stablePair(broker.core)
    expect(broker.client.ask(joinGroupApi, 9, joinRequest(overrides)).errorCode).toBe(ErrorCode[code])
    expect(stateOf(broker)).toBe('Stable')
  })

  test('a full group takes no more', () => {
    const broker = startBroker({}, { 'group.max.size': 2 })
    stablePair(broker.core)
    expect(broker.client.ask(joinGroupApi, 9, joinRequest()).errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED)
  })

  test('an id that was handed out and not used expires and does not hold up the others', () => {
    const broker = startBroker()
    const { a, b } = stablePair(broker.core)
    expect(broker.client.ask(joinGroupApi, 9, joinRequest()).errorCode).toBe(ErrorCode.MEMBER_ID_REQUIRED)
    const aJoin = a.join()
    const bJoin = b.join()
    expect(aJoin()).toBeNull()
    broker.clock.advance(SESSION_TIMEOUT_MS)
    expect([aJoin()?.generationId, bJoin()?.generationId]).toEqual([3, 3])
  })
})

describe('the join phase', () => {
  test('drops dynamic members that do not rejoin within the rebalance timeout', () => {
    const broker = startBroker()
    const { a, b } = stablePair(broker.core)
    const aJoin = a.join()
    for (let waited = 0; waited < REBALANCE_TIMEOUT_MS; waited += 5000) {
      expect(aJoin()).toBeNull()
      expect(b.heartbeat()).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
      broker.clock.advance(5000)
    }
    expect(aJoin()).toMatchObject({ generationId: 3, members: [{ memberId: a.id }] })
    expect(b.heartbeat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('elects another leader when the leader does not rejoin', () => {
    const broker = startBroker()
    const { b } = stablePair(broker.core)
    const bJoin = b.join({ protocols: [{ name: 'range', metadata: Buffer.from('new') }] })
    broker.clock.advance(REBALANCE_TIMEOUT_MS)
    expect(bJoin()).toMatchObject({ generationId: 3, leader: b.id })
  })

  test('without a delay the first generation waits for nobody who was only handed an id', () => {
    const broker = startBroker()
    const { memberId } = broker.client.ask(joinGroupApi, 9, joinRequest())
    const a = new TestMember(broker.core)
    expect(a.join()()).toMatchObject({ errorCode: 0, generationId: 1, members: [{ memberId: a.id }] })
    a.sync({ [a.id]: 'A' })
    const late = new WireClient(broker.core).send(joinGroupApi, 9, joinRequest({ memberId }))
    expect(a.join()()).toMatchObject({ generationId: 2, leader: a.id, members: [{ memberId: a.id }, { memberId }] })
    expect(late()).toMatchObject({ errorCode: 0, generationId: 2 })
  })

  test('with a delay the first generation waits for more members, each of which extends it', () => {
    const broker = startBroker({}, { 'group.initial.rebalance.delay.ms': 3000 })
    const a = new TestMember(broker.core)
    const b = new TestMember(broker.core)
    const aJoin = a.join()
    broker.clock.advance(2000)
    const bJoin = b.join()
    broker.clock.advance(1500)
    expect(aJoin()).toBeNull()
    broker.clock.advance(2500)
    expect(aJoin()).toMatchObject({ generationId: 1, members: [{ memberId: a.id }, { memberId: b.id }] })
    expect(bJoin()).toMatchObject({ generationId: 1 })
  })
})

describe('syncing', () => {
  test('followers wait for the leader, and a repeated sync gets the same assignment', () => {
    const broker = startBroker()
    const { a, b } = stablePair(broker.core)
    a.join()
    const bJoin = b.join()
    expect(bJoin()?.generationId).toBe(3)
    a.generation = 3
    const bSync = b.sync()
    expect(bSync()).toBeNull()
    expect(a.sync({ [a.id]: 'A3', [b.id]: 'B3', ghost: 'x' })()).toMatchObject({
      errorCode: 0,
      protocolName: 'range',
      protocolType: 'consumer',
    })
    expect(bSync()!.assignment.toString()).toBe('B3')
    expect(b.sync()()!.assignment.toString()).toBe('B3')
  })

  test('whom the leader forgot has nothing', () => {
    const broker = startBroker()
    const { a, b } = stablePair(broker.core)
    a.join()
    b.join()()
    a.generation = b.generation = 3
    a.sync({ [a.id]: 'all' })
    expect(b.sync()()).toMatchObject({ errorCode: 0, assignment: Buffer.alloc(0) })
  })

  test('waiting members are sent back to join when the group rebalances again', () => {
    const broker = startBroker()
    const { a, b } = stablePair(broker.core)
    a.join()
    b.join()()
    b.generation = 3
    const bSync = b.sync()
    const c = new TestMember(broker.core)
    c.join()
    expect(bSync()).toMatchObject({ errorCode: ErrorCode.REBALANCE_IN_PROGRESS, protocolName: null, assignment: Buffer.alloc(0) })
  })

  test('members that never sync are removed after the rebalance timeout', () => {
    const broker = startBroker()
    const { a, b } = stablePair(broker.core)
    a.join()
    b.join()()
    a.generation = b.generation = 3
    b.sync()
    for (let waited = 0; waited < REBALANCE_TIMEOUT_MS; waited += 5000) {
      expect(a.heartbeat()).toBe(ErrorCode.NONE)
      broker.clock.advance(5000)
    }
    expect(a.heartbeat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('refusals', () => {
    const broker = startBroker()
    const { b } = stablePair(broker.core)
    const request = {
      groupId: 'g',
      generationId: 2,
      memberId: b.id,
      groupInstanceId: null,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [],
    }
    const sync = (overrides: object, version = 5): number =>
      broker.client.ask(syncGroupApi, version, { ...request, ...overrides }).errorCode
    expect(sync({ groupId: '' })).toBe(ErrorCode.INVALID_GROUP_ID)
    expect(sync({ groupId: 'x' })).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(sync({ memberId: 'x' })).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(sync({ generationId: 1 })).toBe(ErrorCode.ILLEGAL_GENERATION)
    expect(sync({ protocolName: 'sticky' })).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    expect(sync({ protocolType: 'connect' })).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    expect(sync({ protocolName: null })).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    expect(sync({ protocolName: null, protocolType: null }, 4)).toBe(ErrorCode.NONE)
    b.join({ protocols: [{ name: 'range', metadata: Buffer.from('new') }] })
    expect(sync({})).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
  })
})

describe('sessions', () => {
  test('heartbeats keep a member; without them it is out and the others rebalance', () => {
    const broker = startBroker()
    const { a, b } = stablePair(broker.core)
    for (let i = 0; i < 5; i++) {
      broker.clock.advance(SESSION_TIMEOUT_MS - 1)
      expect(a.heartbeat()).toBe(ErrorCode.NONE)
      expect(b.heartbeat()).toBe(ErrorCode.NONE)
    }
    broker.clock.advance(SESSION_TIMEOUT_MS - 1)
    a.heartbeat()
    broker.clock.advance(1)
    expect(stateOf(broker)).toBe('PreparingRebalance')
    expect(b.heartbeat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(a.join()()).toMatchObject({ generationId: 3, members: [{ memberId: a.id }] })
  })

  test('a commit keeps a member as well', () => {
    const broker = startBroker()
    broker.createTopic('orders')
    const { a } = stablePair(broker.core)
    broker.clock.advance(SESSION_TIMEOUT_MS - 1)
    expect(a.commit(5)).toBe(ErrorCode.NONE)
    broker.clock.advance(SESSION_TIMEOUT_MS - 1)
    expect(a.heartbeat()).not.toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('a group whose members are all gone is empty, in a new generation', () => {
    const broker = startBroker()
    const { a } = stablePair(broker.core)
    broker.clock.advance(SESSION_TIMEOUT_MS)
    expect(stateOf(broker)).toBe('Empty')
    expect(a.heartbeat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    const next = new TestMember(broker.core)
    expect(next.join()()).toMatchObject({ generationId: 4 })
  })

  test('a heartbeat of another generation is told so', () => {
    const broker = startBroker()
    const { a } = stablePair(broker.core)
    expect(a.heartbeat(1)).toBe(ErrorCode.ILLEGAL_GENERATION)
  })
})

describe('leaving', () => {
  test('the others rebalance at once, and the last one leaves an empty group', () => {
    const broker = startBroker()
    const { a, b } = stablePair(broker.core)
    expect(a.leave()).toBe(ErrorCode.NONE)
    expect(stateOf(broker)).toBe('PreparingRebalance')
    expect(b.join()()).toMatchObject({ generationId: 3, leader: b.id })
    expect(b.leave()).toBe(ErrorCode.NONE)
    expect(stateOf(broker)).toBe('Empty')
    expect(b.leave()).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  test('several leave in one request, each with its own answer', () => {
    const broker = startBroker()
    const { a, b } = stablePair(broker.core)
    const members = [a.id, 'ghost', b.id].map((memberId) => ({ memberId, groupInstanceId: null, reason: 'test' }))
    const reply = broker.client.ask(leaveGroupApi, 5, { groupId: 'g', memberId: '', members })
    expect(reply.members.map(({ errorCode }) => errorCode)).toEqual([0, ErrorCode.UNKNOWN_MEMBER_ID, 0])
    expect(stateOf(broker)).toBe('Empty')
  })

  test.each([0, 1, 2])('v%i answers for the one member at the top', (version) => {
    const broker = startBroker()
    const { a } = stablePair(broker.core)
    const leave = (memberId: string): number =>
      broker.client.ask(leaveGroupApi, version, { groupId: 'g', memberId, members: [] }).errorCode
    expect(leave('ghost')).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(leave(a.id)).toBe(ErrorCode.NONE)
    expect(broker.client.ask(leaveGroupApi, version, { groupId: '', memberId: a.id, members: [] }).errorCode).toBe(
      ErrorCode.INVALID_GROUP_ID,
    )
  })

  test('a member that waits to join is answered when it is removed', () => {
    const broker = startBroker()
    const { b } = stablePair(broker.core)
    const waiting = b.join({ protocols: [{ name: 'range', metadata: Buffer.from('new') }] })
    const members = [{ memberId: b.id, groupInstanceId: null, reason: null }]
    expect(broker.client.ask(leaveGroupApi, 5, { groupId: 'g', memberId: '', members }).members[0]!.errorCode).toBe(0)
    expect(waiting()).toMatchObject({ errorCode: ErrorCode.UNKNOWN_MEMBER_ID })
  })
})

describe('requests that lie behind a parked one on the same connection', () => {
  test('a rejoin behind a sync is handled after the rebalance that ended the sync, not in the middle of it', () => {
    const broker = startBroker()
    const { a, b } = stablePair(broker.core)
    a.join()
    b.join()()
    b.generation = 3
    const sync = b.sync()
    const rejoin = b.join({ protocols: [{ name: 'range', metadata: Buffer.from('more') }] })
    expect([sync(), rejoin()]).toEqual([null, null])
    const c = new TestMember(broker.core)
    const joining = c.join()
    expect(sync()).toMatchObject({ errorCode: ErrorCode.REBALANCE_IN_PROGRESS })
    expect(b.client.isClosed).toBe(false)
    expect(a.join()()).toMatchObject({ errorCode: 0, generationId: 4 })
    expect(rejoin()).toMatchObject({ errorCode: 0, generationId: 4 })
    expect(joining()).toMatchObject({ errorCode: 0, generationId: 4 })
  })

  test('a leave behind a join takes the member out of the generation that the join ended', () => {
    const broker = startBroker()
    const { a, b } = stablePair(broker.core)
    const rejoin = b.join({ protocols: [{ name: 'range', metadata: Buffer.from('more') }] })
    const members = [{ memberId: b.id, groupInstanceId: null, reason: null }]
    const leave = b.client.send(leaveGroupApi, 5, { groupId: 'g', memberId: '', members })
    const aJoin = a.join()
    expect(aJoin()).toMatchObject({ errorCode: 0, generationId: 3 })
    expect(rejoin()).toMatchObject({ errorCode: 0, generationId: 3 })
    expect(leave()).toMatchObject({ members: [{ errorCode: 0 }] })
    expect(stateOf(broker)).toBe('PreparingRebalance')
    expect(a.heartbeat(3)).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
  })
})
