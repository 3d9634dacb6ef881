import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  groupMemberOf,
} from '../membership/consumer-protocol.ts'
import type { TopicPartition } from '../topic-partition.ts'
import type { Assignment, GroupMember } from './assignor.ts'
import { cooperativeStickyAssignor } from './cooperative-sticky.ts'
import { rangeAssignor } from './range.ts'

type Pairs = Array<[topic: string, partition: number]>

interface GroupVector {
  readonly counts: Record<string, number>
  readonly members: ReadonlyArray<{ id: string; instance: string | null; topics: string[]; owned: Pairs; subscription: string }>
  readonly range: Record<string, Pairs>
  readonly sticky: Record<string, Pairs>
  readonly assigned: Pairs
  readonly assignment: string
}

/** Made by vectors/GroupVectors.java with Kafka's own classes. */
const vectors: GroupVector[] = readFileSync(join(import.meta.dirname, '..', '..', 'vectors', 'group-vectors.jsonl'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as GroupVector)

describe('against Kafka 4.3.1', () => {
  test('there are vectors', () => expect(vectors).toHaveLength(120))

  test('subscriptions are byte for byte the same, and read back', () => {
    for (const { members } of vectors) {
      for (const { topics, owned, subscription } of members) {
        const userData = cooperativeStickyAssignor.userData(7)
        const bytes = encodeSubscription({
          topics,
          userData,
          ownedPartitions: partitionsOf(owned),
          generationId: 7,
          rackId: null,
        })
        expect(bytes.toString('hex')).toBe(subscription)
        const decoded = decodeSubscription(Buffer.from(subscription, 'hex'))
        expect(decoded.topics).toEqual([...topics].sort())
        expect(textOf(decoded.ownedPartitions)).toEqual(textOf(partitionsOf(owned)))
        expect(decoded.generationId).toBe(7)
      }
    }
  })

  test('assignments are byte for byte the same, and read back', () => {
    for (const { assigned, assignment } of vectors) {
      expect(encodeAssignment(partitionsOf(assigned)).toString('hex')).toBe(assignment)
      expect(decodeAssignment(Buffer.from(assignment, 'hex'))).toEqual(partitionsOf(assigned))
    }
  })

  test('range assigns as RangeAssignor does', () => {
    for (const vector of vectors) {
      const assignment = rangeAssignor.assign(new Map(Object.entries(vector.counts)), membersOf(vector))
      expect(plain(assignment)).toEqual(plainVector(vector.range))
    }
  })

  test('cooperative-sticky keeps as much and gives as evenly as CooperativeStickyAssignor when all subscribe to the same', () => {
    const alike = vectors.filter(({ members }) => members.every(({ topics }) => topics.length === members[0]!.topics.length))
    expect(alike.length).toBeGreaterThan(40)
    for (const vector of alike) {
      const members = membersOf(vector)
      const counts = new Map(Object.entries(vector.counts))
      const ours = cooperativeStickyAssignor.assign(counts, members)
      expect(keptCount(ours, members)).toBeGreaterThanOrEqual(keptCount(theirsOf(vector), members))
      expect(sizesAfter(ours, members, counts)).toEqual(sizesAfter(theirsOf(vector), members, counts))
    }
  })

  test('cooperative-sticky keeps as much in all as CooperativeStickyAssignor when subscriptions differ', () => {
    let ours = 0
    let theirs = 0
    for (const vector of vectors) {
      const members = membersOf(vector)
      ours += keptCount(cooperativeStickyAssignor.assign(new Map(Object.entries(vector.counts)), members), members)
      theirs += keptCount(theirsOf(vector), members)
    }
    expect(ours).toBeGreaterThanOrEqual(theirs)
  })
})

function membersOf(vector: GroupVector): GroupMember[] {
  return vector.members.map(({ id, instance, subscription }) => groupMemberOf(id, instance, Buffer.from(subscription, 'hex')))
}

function partitionsOf(pairs: Pairs): TopicPartition[] {
  return pairs.map(([topic, partition]) => ({ topic, partition }))
}

function textOf(partitions: readonly TopicPartition[]): string[] {
  return partitions.map(({ topic, partition }) => `${topic}-${partition}`).sort()
}

function plain(assignment: Assignment): Record<string, string[]> {
  return Object.fromEntries([...assignment].map(([id, partitions]) => [id, textOf(partitions)]))
}

function plainVector(assignment: Record<string, Pairs>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(assignment).map(([id, pairs]) => [id, textOf(partitionsOf(pairs))]))
}

function theirsOf(vector: GroupVector): Assignment {
  return new Map(Object.entries(vector.sticky).map(([id, pairs]) => [id, partitionsOf(pairs)]))
}

/** Partitions that stay with who had them. */
function keptCount(assignment: ReadonlyMap<string, readonly TopicPartition[]>, members: readonly GroupMember[]): number {
  let kept = 0
  for (const { memberId, ownedPartitions } of members) {
    const assigned = new Set(textOf(assignment.get(memberId)!))
    for (const text of textOf(ownedPartitions)) if (assigned.has(text)) kept++
  }
  return kept
}

/** How many each has once what is withheld now was given up and everyone joined again: both assignors run to their end here. */
function sizesAfter(
  first: ReadonlyMap<string, readonly TopicPartition[]>,
  members: readonly GroupMember[],
  counts: Map<string, number>,
): number[] {
  const settled = members.map((member) => ({ ...member, ownedPartitions: first.get(member.memberId)! }))
  const second = cooperativeStickyAssignor.assign(counts, settled)
  return [...second.values()].map((partitions) => partitions.length).sort((a, b) => a - b)
}
