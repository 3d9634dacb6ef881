import { describe, expect, test } from 'vitest'
import { findingsOf, simulateGroup } from './group-run.ts'
import { TROUBLES } from './group-trouble.ts'
import { replayable, replayed, seeds, Tally } from './seeds.ts'

const tally = new Tally()

describe('a group of consumers in trouble', () => {
  test.each(seeds)('seed %i: no partition has two owners, no commit goes back, everything is handled, in order', async (seed) => {
    const ran = await replayable(seed, () => simulateGroup(seed, tally))
    expect(findingsOf(ran), `replay with MILLRACE_SEED=${seed}`).toEqual([])
  })

  test.skipIf(replayed !== undefined || seeds.length < 200)('the runs before met every trouble', () => {
    for (const what of TROUBLES) expect(tally.of(what), what).toBeGreaterThan(0)
  })
})
