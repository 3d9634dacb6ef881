/**
 * The order in which a java.util.HashMap goes through its keys. Java's sticky assignors decide by it where nothing else does, so
 * following it gives the same assignments as a leader in Java would.
 */

const FIRST_CAPACITY = 16
const LOAD_FACTOR = 0.75

/** java.lang.String.hashCode */
export function javaHashCode(text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0
  return hash
}

/** The keys, which were put in this order, in the order of iteration. */
export function inHashOrder(keys: readonly string[]): string[] {
  const capacity = capacityOf(keys.length)
  const buckets = keys.map((key, index) => ({ key, index, bucket: bucketOf(javaHashCode(key), capacity) }))
  return buckets.sort((a, b) => a.bucket - b.bucket || a.index - b.index).map(({ key }) => key)
}

/** The first of the items that a HashSet goes through. @param peak how many it held at most: its table never shrinks */
export function firstInHashOrder<Item>(items: Iterable<Item>, hashOf: (item: Item) => number, peak: number): Item | undefined {
  const capacity = capacityOf(peak)
  let first: Item | undefined
  let least = Infinity
  for (const item of items) {
    const bucket = bucketOf(hashOf(item), capacity)
    if (bucket >= least) continue
    least = bucket
    first = item
  }
  return first
}

function capacityOf(size: number): number {
  let capacity = FIRST_CAPACITY
  while (size > capacity * LOAD_FACTOR) capacity *= 2
  return capacity
}

function bucketOf(hash: number, capacity: number): number {
  return (hash ^ (hash >>> 16)) & (capacity - 1)
}
