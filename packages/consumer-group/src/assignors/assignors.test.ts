import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TopicPartition } from '../topic-partition.ts'
import type { Assignment, Assignor, GroupMember } from './assignor.ts'
import { cooperativeStickyAssignor } from './cooperative-sticky.ts'
import { rangeAssignor } from './range.ts'

const counts = fc
  .array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 4 })
  .map((list) => new Map(list.map((count, index) => [`t${index}`, count])))

/** Groups whose members claim partitions without regard to each other, as after a crash or a split of the network. */
const group = counts.chain((topics) =>
  fc.record({
    topics: fc.constant(topics),
    members: fc
      .array(memberOf([...topics.keys(), 'missing']), { minLength: 1, maxLength: 6 })
      .map((members) => members.map((member, index) => ({ ...member, memberId: `m${index}` }))),
  }),
)

function memberOf(topics: string[]): fc.Arbitrary<GroupMember> {
  return fc.record({
    memberId: fc.constant(''),
    groupInstanceId: fc.option(fc.string({ minLength: 1, maxLength: 3 }), { nil: null }),
    topics: fc.subarray(topics, { minLength: 1 }),
    ownedPartitions: fc.array(fc.record({ topic: fc.constantFrom(...topics), partition: fc.nat(11) }), { maxLength: 8 }),
    generationId: fc.integer({ min: -1, max: 3 }),
  })
}

describe.each([rangeAssignor, cooperativeStickyAssignor])('$name', (assignor: Assignor) => {
  test('gives nothing to two members, nothing that does not exist and nothing that is not subscribed', () => {
    fc.assert(
      fc.property(group, ({ topics, members }) => {
        const assignment = assignor.assign(topics, members)
        expect([...assignment.keys()].sort()).toEqual(members.map((member) => member.memberId).sort())
        const all = [...assignment.values()].flat()
        expect(new Set(all.map(textOf)).size).toBe(all.length)
        for (const member of members) {
          for (const { topic, partition } of assignment.get(member.memberId)!) {
            expect(member.topics).toContain(topic)
            expect(partition).toBeLessThan(topics.get(topic) ?? 0)
          }
        }
      }),
    )
  })

  test('comes to rest with everything assigned', () => {
    fc.assert(
      fc.property(group, ({ topics, members }) => {
        const assignment = settle(assignor, topics, members)
        const subscribed = new Set(members.flatMap((member) => member.topics))
        const expected = [...topics].filter(([topic]) => subscribed.has(topic)).reduce((sum, [, count]) => sum + count, 0)
        expect([...assignment.values()].flat()).toHaveLength(expected)
      }),
    )
  })

  test('does not depend on the order in which members are listed', () => {
    fc.assert(
      fc.property(group, ({ topics, members }) => {
        const unique = members.map((member, index) => ({
          ...member,
          groupInstanceId: member.groupInstanceId === null ? null : `i${index}`,
        }))
        const forward = assignor.assign(topics, unique)
        const backward = assignor.assign(topics, unique.toReversed())
        for (const [memberId, partitions] of forward) expect(backward.get(memberId)!.map(textOf)).toEqual(partitions.map(textOf))
      }),
    )
  })
})

describe('range', () => {
  test('cuts topics with as many partitions at the same places', () => {
    const members = ['a', 'b', 'c'].map((memberId) => member(memberId, ['orders', 'payments']))
    const assignment = rangeAssignor.assign(
      new Map([
        ['orders', 7],
        ['payments', 7],
      ]),
      members,
    )
    for (const partitions of assignment.values()) {
      const of = (topic: string): number[] => partitions.filter((one) => one.topic === topic).map((one) => one.partition)
      expect(of('orders')).toEqual(of('payments'))
    }
    expect(
      assignment
        .get('a')!
        .filter(({ topic }) => topic === 'orders')
        .map(({ partition }) => partition),
    ).toEqual([0, 1, 2])
  })
})

describe('cooperative-sticky', () => {
  test('leaves nobody with two more than another who could take one', () => {
    fc.assert(
      fc.property(group, ({ topics, members }) => {
        const assignment = settle(cooperativeStickyAssignor, topics, members)
        for (const giver of members) {
          for (const taker of members) {
            const surplus = assignment.get(giver.memberId)!.length - assignment.get(taker.memberId)!.length
            if (surplus < 2) continue
            expect(assignment.get(giver.memberId)!.some(({ topic }) => taker.topics.includes(topic))).toBe(false)
          }
        }
      }),
    )
  })

  test('never gives away what its owner has not given up', () => {
    fc.assert(
      fc.property(group, ({ topics, members }) => {
        const assignment = cooperativeStickyAssignor.assign(topics, members)
        for (const owner of members) {
          const keeps = new Set(assignment.get(owner.memberId)!.map(textOf))
          const givesUp = new Set(owner.ownedPartitions.map(textOf).filter((text) => !keeps.has(text)))
          for (const other of members) {
            if (other === owner) continue
            const claimed = new Set(other.ownedPartitions.map(textOf))
            const taken = assignment.get(other.memberId)!.map(textOf)
            expect(taken.filter((text) => !claimed.has(text) && givesUp.has(text))).toEqual([])
          }
        }
      }),
    )
  })

  test('changes nothing when nothing changed', () => {
    fc.assert(
      fc.property(group, ({ topics, members }) => {
        const settled = settle(cooperativeStickyAssignor, topics, members)
        const again = cooperativeStickyAssignor.assign(topics, joinAgain(members, settled, 9))
        for (const [memberId, partitions] of settled) expect(again.get(memberId)!.map(textOf)).toEqual(partitions.map(textOf))
      }),
    )
  })

  test('moves only what a new member gets', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 40 }), (size, count) => {
        const topics = new Map([['t', count]])
        const members = Array.from({ length: size }, (_, index) => member(`m${index}`, ['t']))
        const before = settle(cooperativeStickyAssignor, topics, members)
        const joined = [...joinAgain(members, before, 5), member('new', ['t'])]
        const after = settle(cooperativeStickyAssignor, topics, joined)
        for (const { memberId } of members) {
          const had = new Set(before.get(memberId)!.map(textOf))
          expect(
            after
              .get(memberId)!
              .map(textOf)
              .every((text) => had.has(text)),
          ).toBe(true)
        }
      }),
    )
  })

  test('believes the later generation when two claim a partition', () => {
    const owned = [{ topic: 't', partition: 0 }]
    const old = { ...member('old', ['t']), ownedPartitions: owned, generationId: 3 }
    const young = { ...member('young', ['t']), ownedPartitions: owned, generationId: 4 }
    const assignment = cooperativeStickyAssignor.assign(new Map([['t', 1]]), [old, young])
    expect(assignment.get('young')).toEqual(owned)
    expect(assignment.get('old')).toEqual([])
  })
})

function member(memberId: string, topics: string[]): GroupMember {
  return { memberId, groupInstanceId: null, topics, ownedPartitions: [], generationId: -1 }
}

function textOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

function joinAgain(members: readonly GroupMember[], assignment: Assignment, generationId: number): GroupMember[] {
  return members.map((one) => ({ ...one, ownedPartitions: assignment.get(one.memberId)!, generationId }))
}

/** Rebalances until nothing changes, each member joining with what it got. */
function settle(assignor: Assignor, topics: ReadonlyMap<string, number>, members: readonly GroupMember[]): Assignment {
  let joined: readonly GroupMember[] = members
  for (let generation = 4; generation < 10; generation++) {
    const assignment = assignor.assign(topics, joined)
    const next = joinAgain(members, assignment, generation)
    if (next.every((one, index) => one.ownedPartitions.length === joined[index]!.ownedPartitions.length) && generation > 5)
      return assignment
    joined = next
  }
  throw new Error('no rest after six rebalances')
}
