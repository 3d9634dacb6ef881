import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { asInAssignors, ASSIGNORS } from './assignor.ts'
import { groupHash, topicHash } from './metadata-hash.ts'

/** Made by vectors/AssignorVectors.java with the classes of Kafka's group coordinator. */
interface Vector {
  readonly assignor: string
  readonly homogeneous: boolean
  readonly hash: string
  readonly topics: readonly { id: string; name: string; partitions: number; hash: string }[]
  readonly members: readonly {
    id: string
    instance: string | null
    topics: string[]
    current: [string, number[]][]
    result: [string, number[]][]
  }[]
}

const file = join(import.meta.dirname, '..', '..', 'vectors', 'assignor-vectors.jsonl.br')
const lines = brotliDecompressSync(readFileSync(file)).toString().trim().split('\n')
const vectors = lines.map((line) => JSON.parse(line) as Vector)

function asMap(pairs: Iterable<[string, Iterable<number>]>): Record<string, number[]> {
  return Object.fromEntries([...pairs].map(([topicId, partitions]) => [topicId, [...partitions].toSorted((a, b) => a - b)]))
}

test.each([
  ['uniform', true],
  ['uniform', false],
  ['range', true],
  ['range', false],
])('%s assigns what Java assigns (the same topics for all: %s)', (assignor, homogeneous) => {
  const chosen = vectors.filter((vector) => vector.assignor === assignor && vector.homogeneous === homogeneous)
  expect(chosen.length).toBeGreaterThan(400)
  for (const { members, topics } of chosen) {
    const counts = new Map(topics.map(({ id, partitions }) => [id, partitions]))
    const result = ASSIGNORS.get(assignor)!({
      members: asInAssignors(
        members.map((member) => ({
          id: member.id,
          instanceId: member.instance,
          topics: new Set(member.topics),
          current: new Map(member.current.map(([topicId, partitions]) => [topicId, new Set(partitions)])),
        })),
        members.length,
      ),
      isHomogeneous: homogeneous,
      partitionCount: (topicId) => counts.get(topicId)!,
    })
    for (const { id, result: expected } of members) {
      expect(asMap([...(result.get(id) ?? [])])).toEqual(asMap(expected))
    }
  }
})

test('topics and groups hash as in Java', () => {
  for (const { topics, hash } of vectors) {
    const hashes = new Map(
      topics.map(({ name, id, partitions }) => [name, topicHash({ name, id, partitions: { length: partitions } })]),
    )
    expect([...hashes.values()].map(String)).toEqual(topics.map((topic) => topic.hash))
    expect(String(groupHash(hashes))).toBe(hash)
  }
})
