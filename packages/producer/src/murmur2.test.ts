import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { murmur2, partitionForKey } from './murmur2.ts'

/** Made by vectors/PartitionVectors.java with Kafka's own classes: key, hash, and the partition among each of `COUNTS`. */
const vectors = readFileSync(join(import.meta.dirname, '..', 'vectors', 'partition-vectors.jsonl'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as [key: string, hash: number, ...partitions: number[]])

const COUNTS = [1, 3, 7, 12, 1000]

test('hashes and partitions are those of Kafka 4.3.1', () => {
  expect(vectors).toHaveLength(400)
  for (const [hex, hash, ...partitions] of vectors) {
    const key = Buffer.from(hex, 'hex')
    expect(murmur2(key)).toBe(hash)
    expect(COUNTS.map((count) => partitionForKey(key, count))).toEqual(partitions)
  }
})

test('hashes are those in the tests of Kafka itself (UtilsTest.testMurmur2)', () => {
  expect(murmur2(Buffer.from('21'))).toBe(-973932308)
  expect(murmur2(Buffer.from('foobar'))).toBe(-790332482)
  expect(murmur2(Buffer.from('a-little-bit-long-string'))).toBe(-985981536)
  expect(murmur2(Buffer.from('a-little-bit-longer-string'))).toBe(-1486304829)
  expect(murmur2(Buffer.from('lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8'))).toBe(-58897971)
  expect(murmur2(Buffer.from('abc'))).toBe(479470107)
})

test('a part of a buffer hashes as its bytes alone', () => {
  const bytes = Buffer.from('..order-17..')
  expect(murmur2(bytes, 2, 10)).toBe(murmur2(Buffer.from('order-17')))
})
