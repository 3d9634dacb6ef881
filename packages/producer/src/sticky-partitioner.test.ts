import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StickyPartitioner } from './sticky-partitioner.ts'

test('stays with a partition for about its bytes, and never chooses one without a leader while others have one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -1, max: 2 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 60 }), chance: fc.double({ min: 0, max: 0.999, noNaN: true }) }), {
        minLength: 1,
      }),
      (leaders, records) => {
        let chance = 0
        const partitioner = new StickyPartitioner(100, () => chance)
        const partitions = leaders.map((leader) => ({ leader }))
        const anyLeader = leaders.some((leader) => leader >= 0)
        let last = -1
        let since = 0
        for (const record of records) {
          chance = record.chance
          const chosen = partitioner.choose(partitions)
          expect(chosen).toBeGreaterThanOrEqual(0)
          expect(chosen).toBeLessThan(partitions.length)
          expect(!anyLeader || partitions[chosen]!.leader >= 0).toBe(true)
          expect(last >= 0 && since < 100 ? last : chosen).toBe(chosen)
          if (since >= 100) since = 0
          partitioner.account(record.bytes)
          since += record.bytes
          last = chosen
        }
      },
    ),
  )
})

test('spreads evenly over many batches', () => {
  let seed = 1
  const random = (): number => (seed = (seed * 48271) % 0x7fffffff) / 0x7fffffff
  const partitioner = new StickyPartitioner(1000, random)
  const partitions = [{ leader: 1 }, { leader: 1 }, { leader: 1 }]
  const bytes = [0, 0, 0]
  for (let index = 0; index < 30_000; index++) {
    bytes[partitioner.choose(partitions)]! += 100
    partitioner.account(100)
  }
  for (const share of bytes) expect(share / 1_000_000).toBeCloseTo(1, 0.5)
})
