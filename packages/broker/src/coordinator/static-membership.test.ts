import { ErrorCode } from '@millrace/protocol'
import { joinGroupApi } from '@millrace/protocol/apis/join-group'
import { leaveGroupApi } from '@millrace/protocol/apis/leave-group'
import { expect, test } from 'vitest'
import { startBroker, WireClient, type TestBroker } from '../../test/core-fixtures.ts'
import { joinRequest, REBALANCE_TIMEOUT_MS, SESSION_TIMEOUT_MS, TestMember } from '../../test/group-requests.ts'

/** A stable group of a static leader `one` and a static follower `two`, in generation 2. */
function staticPair(broker: TestBroker): { one: TestMember; two: TestMember } {
  const one = new TestMember(broker.core, { groupInstanceId: 'one' })
  const two = new TestMember(broker.core, { groupInstanceId: 'two' })
  expect(one.join()()).toMatchObject({ errorCode: 0, generationId: 1 })
  const joining = two.join()
  expect(one.join()()).toMatchObject({ generationId: 2 })
  expect(joining()).toMatchObject({ errorCode: 0, generationId: 2 })
  one.sync({ [one.id]: 'A', [two.id]: 'B' })
  expect(two.sync()()!.assignment.toString()).toBe('B')
  return { one, two }
}

function comeBack(broker: TestBroker, instance: string, version = 9): ReturnType<WireClient['ask']> {
  return new WireClient(broker.core).ask(joinGroupApi, version, joinRequest({ groupInstanceId: instance }))
}

test('a static member is given its id at once, made of its instance id', () => {
  const broker = startBroker()
  expect(comeBack(broker, 'one')).toMatchObject({
    errorCode: 0,
    memberId: expect.stringMatching(/^one-[0-9a-f-]{36}$/),
    generationId: 1,
  })
})

test('one that comes back gets a new id and its old assignment, without a rebalance, and fences its former self', () => {
  const broker = startBroker()
  const { two } = staticPair(broker)
  const oldId = two.id
  const back = new TestMember(broker.core, { groupInstanceId: 'two' })
  expect(back.join()()).toMatchObject({ errorCode: 0, generationId: 2, skipAssignment: false, members: [] })
  expect(back.id).not.toBe(oldId)
  expect(back.sync()()!.assignment.toString()).toBe('B')
  expect(two.heartbeat()).toBe(ErrorCode.FENCED_INSTANCE_ID)
  expect(two.join()()).toMatchObject({ errorCode: ErrorCode.FENCED_INSTANCE_ID })
  expect(back.heartbeat()).toBe(ErrorCode.NONE)
})

test('a leader that comes back is told to skip the assignment from v9; an older one is told the former leader', () => {
  const broker = startBroker()
  const { one } = staticPair(broker)
  const back = comeBack(broker, 'one') as { memberId: string; leader: string; skipAssignment: boolean; members: unknown[] }
  expect(back).toMatchObject({ skipAssignment: true, leader: back.memberId })
  expect(back.members).toHaveLength(2)
  const older = comeBack(broker, 'one', 8)
  expect(older).toMatchObject({ skipAssignment: false, leader: back.memberId, members: [] })
  expect(one.heartbeat()).toBe(ErrorCode.FENCED_INSTANCE_ID)
})

test('one that comes back with protocols that change the choice rebalances; with none in common it is refused', () => {
  const broker = startBroker()
  const protocols = (...names: string[]): { name: string; metadata: Buffer }[] =>
    names.map((name) => ({ name, metadata: Buffer.alloc(1) }))
  const join = (...names: string[]): unknown =>
    new WireClient(broker.core).ask(joinGroupApi, 9, joinRequest({ groupInstanceId: 'one', protocols: protocols(...names) }))
  const first = new TestMember(broker.core, { groupInstanceId: 'one', protocols: protocols('range', 'sticky') })
  expect(first.join()()).toMatchObject({ generationId: 1, protocolName: 'range' })
  first.sync({ [first.id]: 'A' })
  expect(join('range', 'sticky')).toMatchObject({ errorCode: 0, generationId: 1, protocolName: 'range' })
  expect(join('sticky')).toMatchObject({ errorCode: 0, generationId: 2, protocolName: 'sticky' })
  expect(join('other')).toMatchObject({ errorCode: ErrorCode.INCONSISTENT_GROUP_PROTOCOL })
})

test('one that comes back while the leader assigns makes all rejoin', () => {
  const broker = startBroker()
  const { one, two } = staticPair(broker)
  one.join()
  expect(two.join()()).toMatchObject({ generationId: 3 })
  two.generation = 3
  const waiting = two.sync()
  const back = new TestMember(broker.core, { groupInstanceId: 'two' })
  const joining = back.join()
  expect(waiting()).toMatchObject({ errorCode: ErrorCode.FENCED_INSTANCE_ID })
  expect(joining()).toBeNull()
  expect(one.join()()).toMatchObject({ generationId: 4 })
  expect(joining()).toMatchObject({ errorCode: 0, generationId: 4 })
})

test('static members stay through a rebalance they miss, until their session ends', () => {
  const broker = startBroker()
  const { one, two } = staticPair(broker)
  const three = new TestMember(broker.core, { rebalanceTimeoutMs: SESSION_TIMEOUT_MS / 2 })
  const joining = three.join()
  one.join()
  broker.clock.advance(SESSION_TIMEOUT_MS - 1)
  two.heartbeat()
  broker.clock.advance(REBALANCE_TIMEOUT_MS)
  expect(joining()?.errorCode).toBe(0)
})

test('an administrator removes a static member by its instance id', () => {
  const broker = startBroker()
  const { two } = staticPair(broker)
  const leave = (groupInstanceId: string): number => {
    const members = [{ memberId: '', groupInstanceId, reason: null }]
    return broker.client.ask(leaveGroupApi, 5, { groupId: 'g', memberId: '', members }).members[0]!.errorCode
  }
  expect(leave('ghost')).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  expect(leave('two')).toBe(ErrorCode.NONE)
  expect(two.heartbeat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
})
