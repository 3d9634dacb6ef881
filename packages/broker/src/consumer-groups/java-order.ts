import { javaHashCode } from '../coordinator/java-hash.ts'

/** `HashMap.DEFAULT_INITIAL_CAPACITY`. */
const CAPACITY_MIN = 16
/** `HashMap.DEFAULT_LOAD_FACTOR`. */
const LOAD_FACTOR = 0.75

/**
 * The order in which a java.util.HashMap that got these keys one by one is walked. Kafka's assignors depend on it where they have
 * no order of their own, so the same group gets the same partitions here. (Java turns buckets of eight and more into trees; that is not done here.)
 * @param most how many keys it had at the same time: a table does not shrink
 */
export function hashMapOrder<T>(keys: readonly T[], hash: (key: T) => number, most: number = keys.length): T[] {
  let capacity = CAPACITY_MIN
  while (most > capacity * LOAD_FACTOR) capacity *= 2
  return byBucket(keys, hash, capacity)
}

/** The same for `new HashSet<>(collection)`, which sizes its table beforehand. */
export function hashSetOrder<T>(keys: readonly T[], hash: (key: T) => number): T[] {
  let capacity = CAPACITY_MIN
  while (capacity < Math.trunc(keys.length / LOAD_FACTOR) + 1) capacity *= 2
  return byBucket(keys, hash, capacity)
}

/** BaseHashTable.MIN_CAPACITY of Kafka's timeline. */
const TIMELINE_CAPACITY_MIN = 2
/** 2^64 divided by the golden ratio, as a signed long. */
const FIBONACCI = -7046029254386353131n

/**
 * The same for Kafka's own TimelineHashMap, in which the coordinator keeps a group's members: Fibonacci hashing, and what shares a slot
 * comes newest first.
 */
export function timelineOrder<T>(keys: readonly T[], hash: (key: T) => number, most: number): T[] {
  let bits = 1n
  // It makes room for one more also when a member is only replaced, as each is right after it came.
  while ((most + 1) * LOAD_FACTOR > TIMELINE_CAPACITY_MIN ** Number(bits)) bits++
  const slot = (key: T): number => Number(BigInt.asUintN(64, BigInt(hash(key)) * FIBONACCI) >> (64n - bits))
  const entries = keys.map((key) => ({ key, slot: slot(key) }))
  return entries
    .toReversed()
    .toSorted((a, b) => a.slot - b.slot)
    .map(({ key }) => key)
}

function byBucket<T>(keys: readonly T[], hash: (key: T) => number, capacity: number): T[] {
  const bucket = (key: T): number => {
    const code = hash(key)
    return (code ^ (code >>> 16)) & (capacity - 1)
  }
  const entries = keys.map((key) => ({ key, bucket: bucket(key) }))
  return entries.toSorted((a, b) => a.bucket - b.bucket).map(({ key }) => key)
}

export const stringHash: (key: string) => number = javaHashCode

/** Uuid.hashCode. */
export function uuidHash(uuid: string): number {
  const bytes = Buffer.from(uuid, 'base64url')
  return bytes.readInt32BE(0) ^ bytes.readInt32BE(4) ^ bytes.readInt32BE(8) ^ bytes.readInt32BE(12)
}

/** Uuid.compareTo: two signed halves. */
export function compareUuids(a: string, b: string): number {
  const left = Buffer.from(a, 'base64url')
  const right = Buffer.from(b, 'base64url')
  for (const half of [0, 8]) {
    const one = left.readBigInt64BE(half)
    const other = right.readBigInt64BE(half)
    if (one !== other) return one < other ? -1 : 1
  }
  return 0
}

/** String.compareTo: by UTF-16 units, as JavaScript's `<`. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
