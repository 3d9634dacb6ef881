import { describe, expect, test } from 'vitest'
import type { TopicPartition } from '../topic-partition.ts'
import type { GroupMember, TopicLayout } from './assignor.ts'
import { AssignorError } from './assignor-error.ts'
import { checkedAssignment } from './check-assignment.ts'

const topics = new Map<string, TopicLayout>([
  ['t', { partitionCount: 2, replicaRacks: [] }],
  ['u', { partitionCount: 1, replicaRacks: [] }],
])

function member(memberId: string, ownedPartitions: TopicPartition[] = []): GroupMember {
  return { memberId, groupInstanceId: null, topics: ['t'], ownedPartitions, generationId: 1, rackId: null, userData: null }
}

function check(
  decided: unknown,
  protocol: 'eager' | 'cooperative' = 'eager',
  members = [member('a'), member('b')],
): Map<string, TopicPartition[]> {
  return checkedAssignment({ groupId: 'g', assignor: 'mine' }, decided, topics, members, protocol)
}

const t0 = { topic: 't', partition: 0 }
const t1 = { topic: 't', partition: 1 }

describe('what an assignor decided', () => {
  test('is taken when it is sound; who is left out gets nothing', () => {
    expect(check(new Map([['a', [t0, t1]]]))).toEqual(
      new Map([
        ['a', [t0, t1]],
        ['b', []],
      ]),
    )
  })

  test.each([
    ['nothing', undefined, 'returned no Map'],
    ['a plain object', { a: [t0] }, 'returned no Map'],
    ['a stranger', new Map([['c', [t0]]]), 'assigned to c, which is no member of the group'],
    ['no array', new Map([['a', t0]]), 'assigned no array of partitions to member a'],
    [
      'a partition twice',
      new Map([
        ['a', [t0]],
        ['b', [t0]],
      ]),
      'assigned t-0 twice, to member a and to member b',
    ],
    ['a partition twice to one', new Map([['a', [t0, t0]]]), 'assigned t-0 twice, to member a and to member a'],
    ['an unknown partition', new Map([['a', [{ topic: 't', partition: 2 }]]]), 'assigned t-2, which does not exist, to member a'],
    ['a fraction', new Map([['a', [{ topic: 't', partition: 0.5 }]]]), 'assigned t-0.5, which does not exist'],
    ['an unknown topic', new Map([['a', [{ topic: 'x', partition: 0 }]]]), 'assigned x-0, which does not exist, to member a'],
    ['no partition', new Map([['a', [null]]]), 'assigned undefined-undefined, which does not exist'],
    [
      'what is not subscribed',
      new Map([['a', [{ topic: 'u', partition: 0 }]]]),
      'assigned u-0 to member a, which does not subscribe to it',
    ],
  ])('%s is refused, and named', (_, decided, message) => {
    expect(() => check(decided)).toThrow(AssignorError)
    expect(() => check(decided)).toThrow(`group g: assignor mine ${message}`)
  })

  test('may not take over what another member has to give up first, under the cooperative protocol', () => {
    const members = [member('a', [t0]), member('b')]
    const decided = new Map([['b', [t0]]])
    expect(() => check(decided, 'cooperative', members)).toThrow(
      'gave t-0 to member b while another member, which is to give it up, still has it',
    )
    expect(check(decided, 'eager', members).get('b')).toEqual([t0])
    expect(check(new Map([['b', [t1]]]), 'cooperative', members).get('b')).toEqual([t1])
  })
})
