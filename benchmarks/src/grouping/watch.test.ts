import { expect, test } from 'vitest'
import { Watch } from './watch.ts'

/** Three members on six partitions, two each, and something came of all of them at 100. */
function settledGroup(): Watch {
  const watch = new Watch(6, 3)
  for (const member of [0, 1, 2]) {
    watch.joins(member)
    watch.assigned(member, [2 * member, 2 * member + 1])
  }
  watch.settled()
  for (let partition = 0; partition < 6; partition++) watch.delivered(partition >> 1, partition, 100)
  return watch
}

test('a group has settled when every partition has one owner and every member its share', () => {
  const watch = new Watch(4, 2)
  watch.joins(0)
  watch.assigned(0, [0, 1, 2, 3])
  expect(watch.isSettled).toBe(true)
  watch.joins(1)
  expect(watch.isSettled).toBe(false)
  watch.assigned(1, [2, 3])
  expect(watch.isSettled).toBe(false) // two have them
  watch.revoked(0, [2, 3])
  expect(watch.isSettled).toBe(true)
  watch.revoked(1, [3])
  watch.assigned(0, [3])
  expect(watch.isSettled).toBe(false) // three and one
})

test('what a member that leaves had is nobody’s until others have it, and what it says later does not count', () => {
  const watch = settledGroup()
  watch.begin()
  watch.leaves(2)
  expect(watch.isSettled).toBe(false)
  watch.revoked(2, [4, 5])
  watch.assigned(0, [4])
  watch.assigned(1, [5])
  expect(watch.isSettled).toBe(true)
})

test('records flow again when something came of every partition since the group settled', () => {
  const watch = settledGroup()
  expect(watch.isFlowing).toBe(true)
  watch.settled()
  for (const partition of [0, 1, 2, 3, 4, 4]) watch.delivered(0, partition, 200)
  expect(watch.isFlowing).toBe(false)
  watch.delivered(2, 5, 200)
  expect(watch.isFlowing).toBe(true)
})

test('a report tells those whom a change did not concern from the others', () => {
  const watch = settledGroup()
  watch.begin()
  // Partition 5 moves from the last member to the first one; the second has nothing to do with it.
  watch.revoked(2, [5])
  watch.assigned(0, [5])
  for (const partition of [0, 1, 4]) watch.delivered(partition >> 1, partition, 150)
  watch.delivered(1, 2, 130)
  watch.delivered(1, 3, 160)
  watch.delivered(0, 5, 190)
  expect(watch.report(50, 200)).toEqual({
    settleMs: 50,
    untouched: 1,
    untouchedEvents: 0,
    untouchedGapMs: 40, // from 160 on
    kept: 5,
    keptGapMs: 70, // partition 2, from 130 on
    movedGapMs: 90,
  })
})

test('an untouched member that gave up what it got again was told twice', () => {
  const watch = settledGroup()
  watch.begin()
  watch.revoked(1, [2, 3])
  watch.assigned(1, [2, 3])
  watch.assigned(0, [])
  expect(watch.report(0, 100)).toMatchObject({ untouched: 3, untouchedEvents: 2 })
})
