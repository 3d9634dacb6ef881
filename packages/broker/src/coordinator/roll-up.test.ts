import { describeGroupsApi } from '@millrace/protocol/apis/describe-groups'
import { offsetCommitApi } from '@millrace/protocol/apis/offset-commit'
import { expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'
import { commitRequest, committed, stablePair, TestMember } from '../../test/group-requests.ts'
import { ROLL_UP_MIN_BYTES, ROLL_UP_RETRY_MS } from '../limits.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'
import { coordinatorPartition } from './java-hash.ts'

const METADATA_BYTES = 4000
const COMMITS_TO_ROLL_UP = Math.ceil(ROLL_UP_MIN_BYTES / METADATA_BYTES)

function log(broker: TestBroker): { logStartOffset: number; logEndOffset: number; size: number } {
  return broker.core.services.topics.partition('__consumer_offsets', coordinatorPartition('g', 50))!.log
}

/** Commits of a member as bulky as can be, until the partition has grown by so much. */
function commitMany(member: TestMember, from: number, count: number): void {
  for (let offset = from; offset < from + count; offset++) {
    const request = commitRequest(
      'g',
      { orders: [offset] },
      { memberId: member.id, generationIdOrMemberEpoch: member.generation },
    )
    request.topics[0]!.partitions[0]!.committedMetadata = 'm'.repeat(METADATA_BYTES)
    const reply = member.client.ask(offsetCommitApi, 9, request)
    if (reply.topics[0]!.partitions[0]!.errorCode !== 0) throw new Error(`commit ${offset} failed`)
  }
}

test('a partition of the offsets topic that grew is replaced by the state it stands for, also for a restart', () => {
  const storage = new MemoryStorage()
  const broker = startBroker({ storage })
  broker.createTopic('orders')
  broker.createTopic('other', 2)
  const { a, b } = stablePair(broker.core)
  const others = commitRequest('g', { other: [7, 8] }, { memberId: b.id, generationIdOrMemberEpoch: 2 })
  b.client.ask(offsetCommitApi, 9, others)
  for (let round = 0; round < 4; round++) {
    commitMany(a, round * COMMITS_TO_ROLL_UP, COMMITS_TO_ROLL_UP)
    broker.clock.advance(0)
    expect(log(broker).logStartOffset).toBeGreaterThan(round * COMMITS_TO_ROLL_UP)
  }
  const { logStartOffset, logEndOffset, size } = log(broker)
  expect(logEndOffset - logStartOffset).toBeLessThan(COMMITS_TO_ROLL_UP)
  expect(size).toBeLessThan(3 * ROLL_UP_MIN_BYTES)
  const expected = { 'orders-0': 4 * COMMITS_TO_ROLL_UP - 1, 'other-0': 7, 'other-1': 8 }
  expect(committed(broker.client, 'g')).toEqual(expected)
  broker.core.abandon()

  const after = startBroker({ storage })
  expect(committed(after.client, 'g')).toEqual(expected)
  const [group] = after.client.ask(describeGroupsApi, 5, { groups: ['g'], includeAuthorizedOperations: false }).groups
  expect(group).toMatchObject({ groupState: 'Stable', protocolData: 'range' })
  expect(group!.members.map(({ memberId, memberAssignment }) => [memberId, memberAssignment.toString()])).toEqual([
    [a.id, 'A'],
    [b.id, 'B'],
  ])
})

test('waits while a group of the partition rebalances', () => {
  const broker = startBroker()
  broker.createTopic('orders')
  const { a, b } = stablePair(broker.core)
  commitMany(a, 0, COMMITS_TO_ROLL_UP - 10)
  const c = new TestMember(broker.core)
  const joining = c.join()
  expect(joining()).toBeNull()
  commitMany(a, COMMITS_TO_ROLL_UP, 100)
  broker.clock.advance(0)
  expect(log(broker).logStartOffset).toBe(0)
  const members = [a, b, c]
  a.join()
  b.join()()
  expect(joining()?.generationId).toBe(3)
  for (const member of members) member.generation = 3
  for (const member of members) member.sync()
  broker.clock.advance(ROLL_UP_RETRY_MS - 1)
  expect(members.map((member) => member.heartbeat())).toEqual([0, 0, 0])
  expect(log(broker).logStartOffset).toBe(0)
  broker.clock.advance(1)
  expect(log(broker).logStartOffset).toBeGreaterThan(COMMITS_TO_ROLL_UP)
  expect(committed(broker.client, 'g')).toEqual({ 'orders-0': COMMITS_TO_ROLL_UP + 99 })
})
