import { expect, test } from 'vitest'
import { Tally } from './tally.ts'

test('takes events up to the limit and sums them up by member', () => {
  const tally = new Tally(3)
  expect([tally.take('a', 1000), tally.take('b', 1500), tally.take('a', 2500), tally.take('a', 3000)]).toEqual([
    true,
    true,
    true,
    false,
  ])
  expect(tally.full).toBe(true)
  expect(tally.summary(['a', 'b'])).toBe('read 3 events in 1.5 s (2 events/s)\na 2 (67 %), b 1 (33 %)')
})

test('has a summary for nothing at all', () => {
  expect(new Tally(undefined).summary(['a'])).toBe('read 0 events in 0.0 s (all at once)\na 0 (0 %)')
})
