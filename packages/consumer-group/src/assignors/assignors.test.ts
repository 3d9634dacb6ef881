import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TopicPartition } from '../topic-partition.ts'
import type { GroupMember, PartitionAssignor, TopicLayout } from './assignor.ts'
import { cooperativeStickyAssignor } from './cooperative-sticky.ts'
import { rangeAssignor } from './range.ts'
import { roundRobinAssignor } from './round-robin.ts'
import { decodeLastAssignment, encodeLastAssignment, stickyAssignor } from './sticky.ts'

type Topics = ReadonlyMap<string, TopicLayout>
type Assigned = ReadonlyMap<string, readonly TopicPartition[]>

const RACKS = ['a', 'b', 'c']

const topicsWithRacks: fc.Arbitrary<Topics> = fc
  .array(
    fc.array(fc.subarray(RACKS), { maxLength: 9 }).map((replicaRacks) => ({ partitionCount: replicaRacks.length, replicaRacks })),
    { minLength: 1, maxLength: 4 },
  )
  .map((layouts) => new Map(layouts.map((layout, index) => [`t${index}`, layout])))

/** Groups whose members claim partitions without regard to each other, as after a crash or a split of the network. */
const group = topicsWithRacks.chain((topics) =>
  fc.record({
    topics: fc.constant(topics),
    members: fc
      .array(memberOf([...topics.keys(), 'missing']), { minLength: 1, maxLength: 6 })
      .map((members) => members.map((member, index) => withIds(member, index))),
  }),
)

function memberOf(topics: string[]): fc.Arbitrary<GroupMember> {
  const partition = fc.record({ topic: fc.constantFrom(...topics), partition: fc.nat(11) })
  return fc
    .record({
      memberId: fc.constant(''),
      groupInstanceId: fc.option(fc.constant('i'), { nil: null }),
      topics: fc.subarray(topics, { minLength: 1 }),
      ownedPartitions: fc.uniqueArray(partition, { maxLength: 8, selector: textOf }),
      generationId: fc.integer({ min: -1, max: 3 }),
      rackId: fc.option(fc.constantFrom(...RACKS), { nil: null }),
      userData: fc.constant(null),
    })
    .map((member) => ({ ...member, userData: encodeLastAssignment(lastOf(member)) }))
}

const ASSIGNORS: readonly PartitionAssignor[] = [rangeAssignor, roundRobinAssignor, stickyAssignor, cooperativeStickyAssignor]
const STICKY: readonly PartitionAssignor[] = [stickyAssignor, cooperativeStickyAssignor]

describe.each(ASSIGNORS)('$name', (assignor) => {
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
            expect(partition).toBeLessThan(topics.get(topic)?.partitionCount ?? 0)
          }
        }
      }),
    )
  })

  test('comes to rest with everything assigned', () => {
    fc.assert(
      fc.property(group, (any) => {
        const { topics, members } = STICKY.includes(assignor) ? withoutUnevenRacks(any) : any
        const assignment = settle(assignor, topics, members)
        const subscribed = new Set(members.flatMap((member) => member.topics))
        const expected = [...topics]
          .filter(([topic]) => subscribed.has(topic))
          .reduce((sum, [, one]) => sum + one.partitionCount, 0)
        expect([...assignment.values()].flat()).toHaveLength(expected)
      }),
    )
  })
})

describe.each([rangeAssignor, roundRobinAssignor])('$name', (assignor) => {
  test('does not depend on the order in which members are listed', () => {
    fc.assert(
      fc.property(group, ({ topics, members }) => {
        const forward = assignor.assign(topics, members)
        const backward = assignor.assign(topics, members.toReversed())
        for (const [memberId, partitions] of forward) expect(backward.get(memberId)!.map(textOf)).toEqual(partitions.map(textOf))
      }),
    )
  })
})

describe('range', () => {
  test('cuts topics with as many partitions at the same places', () => {
    const members = ['a', 'b', 'c'].map((memberId) => member(memberId, ['orders', 'payments']))
    const assignment = rangeAssignor.assign(layouts({ orders: 7, payments: 7 }), members)
    for (const partitions of assignment.values())
      expect(numbersOf('orders', partitions)).toEqual(numbersOf('payments', partitions))
    expect(numbersOf('orders', assignment.get('a')!)).toEqual([0, 1, 2])
  })

  test('gives partitions to members in a rack of theirs, in equal shares', () => {
    const topics = new Map([['t', { partitionCount: 4, replicaRacks: [['a'], ['b'], ['a'], ['b']] }]])
    const members = ['a', 'b'].map((rackId) => ({ ...member(`in-${rackId}`, ['t']), rackId }))
    const assignment = rangeAssignor.assign(topics, members)
    expect(numbersOf('t', assignment.get('in-a')!)).toEqual([0, 2])
    expect(numbersOf('t', assignment.get('in-b')!)).toEqual([1, 3])
  })
})

describe.each(STICKY)('$name', (assignor) => {
  test('leaves nobody with two more than another who could take one', () => {
    fc.assert(
      fc.property(group, ({ topics, members }) => {
        // Java's aim, too, holds without racks only: a partition stays with a member in its rack.
        const homeless = members.map((one) => ({ ...one, rackId: null }))
        const assignment = settle(assignor, topics, homeless)
        for (const giver of homeless) {
          for (const taker of homeless) {
            const surplus = assignment.get(giver.memberId)!.length - assignment.get(taker.memberId)!.length
            if (surplus < 2) continue
            expect(assignment.get(giver.memberId)!.some(({ topic }) => taker.topics.includes(topic))).toBe(false)
          }
        }
      }),
    )
  })

  test('changes nothing when nothing changed', () => {
    fc.assert(
      fc.property(group, (any) => {
        const { topics, members } = withoutUnevenRacks(any)
        const settled = settle(assignor, topics, members)
        const again = assignor.assign(topics, joinAgain(members, settled, 99))
        for (const [memberId, partitions] of settled)
          expect(again.get(memberId)!.map(textOf).sort()).toEqual(partitions.map(textOf).sort())
      }),
    )
  })

  test('moves only what a new member gets', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 40 }), (size, count) => {
        const topics = layouts({ t: count })
        const members = Array.from({ length: size }, (_, index) => member(`m${index}`, ['t']))
        const before = settle(assignor, topics, members)
        const after = settle(assignor, topics, [...joinAgain(members, before, 50), member('new', ['t'])])
        for (const { memberId } of members) {
          const had = new Set(before.get(memberId)!.map(textOf))
          expect(after.get(memberId)!.filter((one) => !had.has(textOf(one)))).toEqual([])
        }
      }),
    )
  })

  test('believes the later generation when two claim a partition', () => {
    const owned = [{ topic: 't', partition: 0 }]
    const old = claiming(member('old', ['t']), owned, 3)
    const young = claiming(member('young', ['t']), owned, 4)
    const assignment = assignor.assign(layouts({ t: 1 }), [old, young])
    expect(assignment.get('young')).toEqual(owned)
    expect(assignment.get('old')).toEqual([])
  })

  test('settles 1000 partitions again when one of 50 members leaves, and moves only what that one had', () => {
    const topics = layouts({ t: 1000 })
    const members = Array.from({ length: 50 }, (_, index) => member(`m${index}`, ['t']))
    const before = settle(assignor, topics, members)
    const after = settle(assignor, topics, joinAgain(members.slice(1), before, 50))
    for (const { memberId } of members.slice(1)) {
      const has = new Set(after.get(memberId)!.map(textOf))
      expect(before.get(memberId)!.filter((one) => !has.has(textOf(one)))).toEqual([])
    }
  })
})

describe('cooperative-sticky', () => {
  test('with racks and different subscriptions may go on for ever, exactly as in Kafka 4.3.1', () => {
    const racks = [
      [[], ['b', 'c'], ['c'], []],
      [['a', 'b'], [], ['b', 'c'], ['b'], ['a', 'c']],
      [['a', 'b'], [], ['a', 'b', 'c'], [], ['a', 'c'], ['a', 'b', 'c'], []],
      [['c'], []],
    ]
    const topics: Topics = new Map(
      racks.map((replicaRacks, index) => [`t${index}`, { partitionCount: replicaRacks.length, replicaRacks }]),
    )
    const subscriptions = [['t1'], ['t0', 't2'], ['t0'], ['t2', 't3'], ['t0', 't3'], ['t0', 't1', 't2']]
    const homes = [null, null, 'a', 'a', null, 'b']
    const members = subscriptions.map((one, index) => ({ ...member(`m${index}`, one), rackId: homes[index]! }))
    let joined: readonly GroupMember[] = members
    const counts: number[] = []
    for (let generation = 4; generation < 12; generation++) {
      const assignment = cooperativeStickyAssignor.assign(topics, joined)
      counts.push([...assignment.values()].flat().length)
      joined = joinAgain(members, assignment, generation)
    }
    expect(counts).toEqual([18, 16, 18, 16, 18, 16, 18, 16])
  })

  test('never gives away what its owner has not given up', () => {
    fc.assert(
      fc.property(group, ({ topics, members }) => {
        const sound = withoutDoubleClaims(members)
        const assignment = cooperativeStickyAssignor.assign(topics, sound)
        for (const owner of sound) {
          const claimed = new Set(owner.ownedPartitions.map(textOf))
          const taken = sound.filter((other) => other !== owner).flatMap((other) => assignment.get(other.memberId)!.map(textOf))
          expect(taken.filter((text) => claimed.has(text))).toEqual([])
        }
      }),
    )
  })
})

describe('the user data of sticky', () => {
  test('reads back', () => {
    fc.assert(
      fc.property(group, ({ members }) => {
        for (const one of members) {
          const { partitions, generationId } = decodeLastAssignment(encodeLastAssignment(lastOf(one)))
          expect(partitions.map(textOf).sort()).toEqual(one.ownedPartitions.map(textOf).sort())
          expect(generationId).toBe(one.generationId)
        }
      }),
    )
  })

  test('is taken for nothing when it cannot be read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const { partitions } = decodeLastAssignment(Buffer.from(bytes))
        expect(Array.isArray(partitions)).toBe(true)
      }),
    )
    expect(decodeLastAssignment(Buffer.from('ffffff7f', 'hex'))).toEqual({ partitions: [], generationId: -1 })
  })

  test('of version 0 has no generation', () => {
    const v1 = encodeLastAssignment({ partitions: [{ topic: 't', partition: 5 }], generationId: 3 })
    expect(decodeLastAssignment(v1.subarray(0, -4))).toEqual({ partitions: [{ topic: 't', partition: 5 }], generationId: -1 })
  })
})

/** Java's algorithm, which ours is, need not come to rest with both racks and different subscriptions. */
function withoutUnevenRacks<Group extends { readonly members: readonly GroupMember[] }>(any: Group): Group {
  if (new Set(any.members.map(({ topics }) => topics.toSorted().join())).size === 1) return any
  return { ...any, members: any.members.map((one) => ({ ...one, rackId: null })) }
}

function withIds(member: GroupMember, index: number): GroupMember {
  return { ...member, memberId: `m${index}`, groupInstanceId: member.groupInstanceId === null ? null : `i${index}` }
}

function member(memberId: string, topics: string[]): GroupMember {
  return { memberId, groupInstanceId: null, topics, ownedPartitions: [], generationId: -1, rackId: null, userData: null }
}

/** Both ways in which a member can say what it has. */
function claiming(one: GroupMember, ownedPartitions: readonly TopicPartition[], generationId: number): GroupMember {
  const claim = { ...one, ownedPartitions, generationId }
  return { ...claim, userData: encodeLastAssignment(lastOf(claim)) }
}

function lastOf({ ownedPartitions, generationId }: GroupMember): { partitions: readonly TopicPartition[]; generationId: number } {
  return { partitions: ownedPartitions, generationId }
}

function layouts(counts: Record<string, number>): Topics {
  return new Map(Object.entries(counts).map(([topic, partitionCount]) => [topic, { partitionCount, replicaRacks: [] }]))
}

function textOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

function numbersOf(topic: string, partitions: readonly TopicPartition[]): number[] {
  return partitions.filter((one) => one.topic === topic).map(({ partition }) => partition)
}

/** Each partition is claimed by the first that claims it only, and all are of one generation. */
function withoutDoubleClaims(members: readonly GroupMember[]): GroupMember[] {
  const claimed = new Set<string>()
  return members.map((one) => {
    const owned = one.ownedPartitions.filter((partition) => !claimed.has(textOf(partition)))
    for (const partition of owned) claimed.add(textOf(partition))
    return claiming(one, owned, 3)
  })
}

function joinAgain(members: readonly GroupMember[], assignment: Assigned, generationId: number): GroupMember[] {
  return members.map((one) => claiming(one, assignment.get(one.memberId)!, generationId))
}

/** Rebalances until nothing changes, each member joining with what it got. */
function settle(assignor: PartitionAssignor, topics: Topics, members: readonly GroupMember[]): Assigned {
  let joined: readonly GroupMember[] = members
  for (let generation = 4; generation < 12; generation++) {
    const assignment = assignor.assign(topics, joined)
    const next = joinAgain(members, assignment, generation)
    const isSame = next.every((one, index) => sameText(one.ownedPartitions, joined[index]!.ownedPartitions))
    if (isSame && generation > 5) return assignment
    joined = next
  }
  throw new Error('no rest after eight rebalances')
}

function sameText(a: readonly TopicPartition[], b: readonly TopicPartition[]): boolean {
  return a.map(textOf).sort().join() === b.map(textOf).sort().join()
}
