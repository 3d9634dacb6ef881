import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NodeAvailability } from './node-availability.ts'
import { RoundRobinPartitioner, StickyPartitioner } from './sticky-partitioner.ts'

test('stays with a partition for about its bytes and until a batch is full, and never chooses one without a leader while others have one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -1, max: 2 }), { minLength: 1, maxLength: 6 }),
      fc.array(
        fc.record({
          bytes: fc.integer({ min: 1, max: 60 }),
          hasRoom: fc.boolean(),
          chance: fc.double({ min: 0, max: 0.999, noNaN: true }),
        }),
        { minLength: 1 },
      ),
      fc.constantFrom(null, new NodeAvailability(0)),
      (leaders, records, availability) => {
        let chance = 0
        const partitioner = new StickyPartitioner(100, () => chance, availability)
        const partitions = leaders.map((leader, index) => ({ leader, queuedBatches: index % 3 }))
        const anyLeader = leaders.some((leader) => leader >= 0)
        let last = -1
        let since = 0
        for (const record of records) {
          chance = record.chance
          const chosen = partitioner.choose(partitions)
          expect(chosen).toBeGreaterThanOrEqual(0)
          expect(chosen).toBeLessThan(partitions.length)
          expect(!anyLeader || partitions[chosen]!.leader >= 0).toBe(true)
          if (last >= 0) expect(last).toBe(chosen)
          partitioner.account(record.bytes, record.hasRoom)
          since += record.bytes
          const isLeft = since >= 200 || (!record.hasRoom && since + record.bytes >= 100)
          last = isLeft ? -1 : chosen
          if (isLeft) since = 0
        }
      },
    ),
  )
})

test('spreads evenly over many batches', () => {
  let seed = 1
  const random = (): number => (seed = (seed * 48271) % 0x7fffffff) / 0x7fffffff
  const partitioner = new StickyPartitioner(1000, random, null)
  const partitions = [0, 5, 0].map((queuedBatches) => ({ leader: 1, queuedBatches }))
  const bytes = [0, 0, 0]
  for (let index = 0; index < 30_000; index++) {
    bytes[partitioner.choose(partitions)]! += 100
    partitioner.account(100, index % 10 !== 9)
  }
  for (const share of bytes) expect(share / 1_000_000).toBeCloseTo(1, 0.5)
})

/** How often each partition is chosen when chance takes each of `steps` values once. */
function shares(
  loads: ReadonlyArray<{ leader: number; queuedBatches: number }>,
  steps: number,
  availability: NodeAvailability,
): number[] {
  const counts = loads.map(() => 0)
  for (let step = 0; step < steps; step++) {
    const partitioner = new StickyPartitioner(1, () => step / steps, availability)
    counts[partitioner.choose(loads)]!++
  }
  return counts
}

test("weighs by what waits as Java's BuiltInPartitioner does", () => {
  const loads = (...sizes: number[]): Array<{ leader: number; queuedBatches: number }> =>
    sizes.map((queuedBatches) => ({ leader: 1, queuedBatches }))
  const all = new NodeAvailability(0)
  // The example of its source: sizes 0, 3, 1 weigh 4, 1, 3.
  expect(shares(loads(0, 3, 1), 8, all)).toEqual([4, 1, 3])
  expect(shares(loads(2, 2), 8, all)).toEqual([4, 4])
  expect(shares([...loads(0, 3), { leader: -1, queuedBatches: 0 }], 5, all)).toEqual([4, 1, 0])
})

test('leaves out brokers that take nothing for longer than the timeout, unless there is no other', () => {
  const loads = [1, 2, 2].map((leader) => ({ leader, queuedBatches: 0 }))
  const availability = new NodeAvailability(100)
  availability.note(1, 1_000, true)
  availability.note(2, 1_000, true)
  availability.note(1, 1_100, false)
  expect(shares(loads, 3, availability)).toEqual([1, 1, 1])
  availability.note(1, 1_101, false)
  expect(shares(loads, 4, availability)).toEqual([0, 2, 2])
  availability.note(2, 2_000, false)
  expect(shares(loads, 3, availability)).toEqual([1, 1, 1])
  availability.note(1, 2_000, true)
  expect(shares(loads, 3, availability)).toEqual([3, 0, 0])
})

test('round robin takes each in turn, passes over those without a leader, and waits for the record to go', () => {
  const partitioner = new RoundRobinPartitioner()
  const take = (...leaders: number[]): number => {
    const loads = leaders.map((leader) => ({ leader, queuedBatches: 0 }))
    const chosen = partitioner.choose(loads)
    expect(partitioner.choose(loads)).toBe(chosen)
    partitioner.account()
    return chosen
  }
  expect([1, 2, 3, 4].map(() => take(1, 1, 1))).toEqual([0, 1, 2, 0])
  expect([1, 2, 3, 4].map(() => take(1, -1, 1))).toEqual([2, 0, 2, 0])
  expect([1, 2, 3].map(() => take(-1, -1))).toEqual([1, 0, 1])
})
