import { ErrorCode } from '@millrace/protocol'
import { deleteGroupsApi } from '@millrace/protocol/apis/delete-groups'
import { joinGroupApi } from '@millrace/protocol/apis/join-group'
import { offsetCommitApi } from '@millrace/protocol/apis/offset-commit'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect, onTestFinished, test } from 'vitest'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'
import { FaultyStorage } from '../../test/faulty-storage.ts'
import { commitRequest, committed, joinRequest, SESSION_TIMEOUT_MS, stablePair, TestMember } from '../../test/group-requests.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'

interface FullDisk extends TestBroker {
  setFull(full: boolean): void
  readonly events: unknown[]
}

function brokerOnADisk(): FullDisk {
  const state = { full: false }
  const storage = new FaultyStorage(new MemoryStorage(), () => (state.full ? 'error' : 'none'))
  const broker = startBroker({ storage })
  broker.createTopic('orders')
  const events: unknown[] = []
  const listen = (event: unknown): void => void events.push(event)
  subscribe('millrace.broker.storage.failed', listen)
  onTestFinished(() => void unsubscribe('millrace.broker.storage.failed', listen))
  return {
    ...broker,
    events,
    setFull: (full) => {
      state.full = full
    },
  }
}

function commit(broker: TestBroker, offset: number): number {
  return broker.client.ask(offsetCommitApi, 9, commitRequest('simple', { orders: [offset] })).topics[0]!.partitions[0]!.errorCode
}

test('a commit that cannot be stored is a retriable error and did not happen; later ones go on', () => {
  const broker = brokerOnADisk()
  expect(commit(broker, 1)).toBe(ErrorCode.NONE)
  broker.setFull(true)
  expect(commit(broker, 2)).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  expect(committed(broker.client, 'simple')).toEqual({ 'orders-0': 1 })
  expect(broker.events).toMatchObject([{ what: 'write the state of group simple', error: { name: 'StorageError' } }])
  broker.setFull(false)
  expect(commit(broker, 3)).toBe(ErrorCode.NONE)
  expect(committed(broker.client, 'simple')).toEqual({ 'orders-0': 3 })
})

test('a group that cannot be stored is not made, nor deleted', () => {
  const broker = brokerOnADisk()
  commit(broker, 1)
  broker.setFull(true)
  expect(broker.client.ask(joinGroupApi, 9, joinRequest({ groupId: 'new' })).errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  expect(broker.core.services.groups.group('new')).toBeUndefined()
  const [deleted] = broker.client.ask(deleteGroupsApi, 2, { groupsNames: ['simple'] }).results
  expect(deleted!.errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  broker.setFull(false)
  expect(committed(broker.client, 'simple')).toEqual({ 'orders-0': 1 })
})

test('an assignment that cannot be stored is given to nobody; the members join again', () => {
  const broker = brokerOnADisk()
  const { a, b } = stablePair(broker.core)
  a.join()
  b.join()()
  a.generation = b.generation = 3
  const following = b.sync()
  broker.setFull(true)
  const leading = a.sync({ [a.id]: 'A3', [b.id]: 'B3' })
  for (const sync of [leading, following]) {
    expect(sync()).toMatchObject({ errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE, assignment: Buffer.alloc(0) })
  }
  expect(broker.core.services.groups.group('g')!.state).toBe('PreparingRebalance')
  broker.setFull(false)
  const again = b.join()
  expect(a.join()()).toMatchObject({ errorCode: 0, generationId: 4 })
  expect(again()).toMatchObject({ errorCode: 0, generationId: 4 })
  a.sync({ [a.id]: 'A4', [b.id]: 'B4' })
  b.generation = 4
  expect(b.sync()()!.assignment.toString()).toBe('B4')
})

test('a static member whose return cannot be stored keeps its former id, and may come back later', () => {
  const broker = brokerOnADisk()
  const member = new TestMember(broker.core, { groupInstanceId: 'one' })
  member.join()()
  member.sync({ [member.id]: 'A' })
  const group = broker.core.services.groups.group('g')!
  broker.setFull(true)
  const back = new TestMember(broker.core, { groupInstanceId: 'one' })
  expect(back.join()()).toMatchObject({ errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE })
  expect(member.heartbeat()).toBe(ErrorCode.NONE)
  expect(member.sync()()!.assignment.toString()).toBe('A')
  broker.clock.advance(SESSION_TIMEOUT_MS - 1)
  expect(group.state).toBe('Stable')
  broker.setFull(false)
  expect(back.join()()).toMatchObject({ errorCode: 0, generationId: 1 })
  expect(back.sync()()!.assignment.toString()).toBe('A')
  expect(member.heartbeat()).toBe(ErrorCode.FENCED_INSTANCE_ID)
})
