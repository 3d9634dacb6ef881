import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  groupMemberOf,
} from '../membership/consumer-protocol.ts'
import type { TopicPartition } from '../topic-partition.ts'
import type { GroupMember, PartitionAssignor, TopicLayout } from './assignor.ts'
import { cooperativeStickyAssignor } from './cooperative-sticky.ts'
import { rangeAssignor } from './range.ts'
import { roundRobinAssignor } from './round-robin.ts'
import { stickyAssignor } from './sticky.ts'

type Pairs = Array<[topic: string, partition: number]>
type Kind = 'eager' | 'sticky' | 'cooperative'

interface MemberVector {
  readonly id: string
  readonly instance: string | null
  readonly rack: string | null
  readonly topics: string[]
  readonly owned: Pairs
  readonly generation: number
  /** Subscriptions as each kind of assignor makes them. */
  readonly eager: string
  readonly sticky: string
  readonly cooperative: string
}

interface GroupVector {
  /** For each partition the racks of its replicas. */
  readonly topics: Record<string, string[][]>
  readonly members: readonly MemberVector[]
  readonly range: Record<string, Pairs>
  readonly roundrobin: Record<string, Pairs>
  readonly sticky: Record<string, Pairs>
  readonly 'cooperative-sticky': Record<string, Pairs>
  readonly assigned: Pairs
  readonly assignment: string
}

/** Made by vectors/GroupVectors.java with Kafka's own classes. */
const vectors: GroupVector[] = brotliDecompressSync(
  readFileSync(join(import.meta.dirname, '..', '..', 'vectors', 'group-vectors.jsonl.br')),
)
  .toString()
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as GroupVector)

describe('against Kafka 4.3.1', () => {
  test('there are vectors, with racks, with stale claims and with large groups', () => {
    expect(vectors).toHaveLength(400)
    expect(vectors.filter(({ members }) => members.some(({ rack }) => rack !== null)).length).toBeGreaterThan(80)
    expect(vectors.filter(({ members }) => new Set(members.map(({ generation }) => generation)).size > 2).length).toBeGreaterThan(
      60,
    )
    expect(vectors.filter(({ members }) => members.length > 12).length).toBeGreaterThan(15)
  })

  test.each([
    ['eager', rangeAssignor],
    ['sticky', stickyAssignor],
    ['cooperative', cooperativeStickyAssignor],
  ] as const)('%s subscriptions are byte for byte the same, and read back', (kind, assignor) => {
    for (const { members } of vectors) {
      for (const { topics, owned, generation, rack, [kind]: subscription } of members) {
        const last = generation < 0 ? null : { partitions: partitionsOf(owned), generationId: generation }
        const ownedPartitions = kind === 'cooperative' ? partitionsOf(owned) : []
        const userData = assignor.subscriptionUserData?.(topics, last) ?? null
        const bytes = encodeSubscription({ topics, userData, ownedPartitions, generationId: generation, rackId: rack })
        expect(bytes.toString('hex')).toBe(subscription)
        const decoded = decodeSubscription(Buffer.from(subscription, 'hex'))
        expect(decoded.topics).toEqual([...topics].sort())
        expect(textOf(decoded.ownedPartitions)).toEqual(textOf(ownedPartitions))
        expect([decoded.generationId, decoded.rackId]).toEqual([generation, rack])
      }
    }
  })

  test('assignments are byte for byte the same, and read back', () => {
    for (const { assigned, assignment } of vectors) {
      expect(encodeAssignment(partitionsOf(assigned)).toString('hex')).toBe(assignment)
      expect(decodeAssignment(Buffer.from(assignment, 'hex'))).toEqual(partitionsOf(assigned))
    }
  })

  test.each([
    ['range', 'eager', rangeAssignor],
    ['roundrobin', 'eager', roundRobinAssignor],
    ['sticky', 'sticky', stickyAssignor],
    ['cooperative-sticky', 'cooperative', cooperativeStickyAssignor],
  ] as const)('%s assigns exactly as in Java', (name, kind, assignor) => {
    for (const vector of vectors) {
      const theirs = Object.fromEntries(Object.entries(vector[name]).map(([id, pairs]) => [id, textOf(partitionsOf(pairs))]))
      expect(assigned(assignor, vector, kind), `group ${vectors.indexOf(vector)}`).toEqual(theirs)
    }
  })
})

function assigned(assignor: PartitionAssignor, vector: GroupVector, kind: Kind): Record<string, string[]> {
  const members: GroupMember[] = vector.members.map((member) => {
    return groupMemberOf(member.id, member.instance, Buffer.from(member[kind], 'hex'))
  })
  const topics = new Map<string, TopicLayout>()
  for (const [topic, replicaRacks] of Object.entries(vector.topics)) {
    topics.set(topic, { partitionCount: replicaRacks.length, replicaRacks })
  }
  return Object.fromEntries([...assignor.assign(topics, members)].map(([id, partitions]) => [id, textOf(partitions)]))
}

function partitionsOf(pairs: Pairs): TopicPartition[] {
  return pairs.map(([topic, partition]) => ({ topic, partition }))
}

function textOf(partitions: readonly TopicPartition[]): string[] {
  return partitions.map(({ topic, partition }) => `${topic}-${partition}`).sort()
}
