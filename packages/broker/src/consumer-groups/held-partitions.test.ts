import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HeldPartitions } from './held-partitions.ts'

const TOPICS = ['a', 'b']
const PARTITIONS = 6

const assignment = fc
  .tuple(fc.constantFrom(...TOPICS), fc.uniqueArray(fc.nat({ max: PARTITIONS - 1 })))
  .map(([topicId, partitions]) => new Map([[topicId, new Map(partitions.map((partition) => [partition, 1]))]]))

/** On which copy something is done, and what: a held assignment is added, one that was added is removed, or a copy is made. */
const step = fc.record({ on: fc.nat(), what: fc.constantFrom('add', 'remove', 'copy'), assignment, which: fc.nat() })

test('copies are apart from each other, whatever is added to them and removed', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const copies = [{ held: new HeldPartitions(), added: [] as ReadonlyMap<string, ReadonlyMap<number, number>>[] }]
      for (const { on, what, assignment: one, which } of steps) {
        const { held, added } = copies[on % copies.length]!
        if (what === 'copy') copies.push({ held: new HeldPartitions(held), added: [...added] })
        else if (what === 'add') {
          held.add(one)
          added.push(one)
        } else if (added.length > 0) held.remove(added.splice(which % added.length, 1)[0]!)
      }
      for (const { held, added } of copies) {
        for (const topicId of TOPICS) {
          for (let partition = 0; partition < PARTITIONS; partition++) {
            const expected = added.some((assigned) => assigned.get(topicId)?.has(partition))
            expect(held.has(topicId, partition), `${topicId}-${partition}`).toBe(expected)
          }
        }
      }
    }),
    { numRuns: 500 },
  )
})
