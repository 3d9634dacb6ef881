import { describe, expect, test } from 'vitest'
import { findingsOf, simulateGroup } from './group-run.ts'
import { TROUBLES } from './group-trouble.ts'
import { replayable, replayed, seeds, Tally } from './seeds.ts'

const tally = new Tally()

/** Every kind of member and of group, and what they live through. */
const MET = [
  'classic',
  'consumer',
  'pattern',
  'static member',
  ...['classic', 'consumer', 'mixed', 'uniform', 'range', 'null'].map((kind) => `group: ${kind}`),
  ...['roundrobin', 'sticky', 'cooperative-sticky', 'range,cooperative-sticky', 'sticky,roundrobin'].map(
    (kind) => `group: ${kind}`,
  ),
  'records',
  'batches',
  'partitions',
  'readable',
  'nodeReadable',
  'run',
  'runBatches',
  'broken loop',
  ...['partition', 'batch', 'key', 'none'].map((order) => `order ${order}`),
  ...['automatic', 'each', 'unawaited', 'all', 'on revoke'].map((how) => `commits ${how}`),
  'explicit commit',
  'explicit commit refused',
  'commit failed',
  'pause',
  'stalled handler',
  ...['retry', 'retryTopic', 'deadLetter', 'skip'].map((action) => `handler failed: ${action}`),
  'listener failed',
  'listener too slow',
  'lost partitions',
  ...['poll', 'session', 'fenced'].map((cause) => `zombie: ${cause}`),
  'power loss with torn writes',
  'refused write',
]

describe('a group of consumers in trouble', () => {
  test.each(seeds)('seed %i: no partition has two owners, no commit goes back, everything is handled, in order', async (seed) => {
    const ran = await replayable(seed, () => simulateGroup(seed, tally))
    expect(findingsOf(ran), `replay with MILLRACE_SEED=${seed}`).toEqual([])
  })

  test.skipIf(replayed !== undefined || seeds.length < 200)('the runs before met every trouble', () => {
    for (const what of [...TROUBLES, ...MET]) expect(tally.of(what), what).toBeGreaterThan(0)
    expect(tally.of('broken connection')).toBeGreaterThan(seeds.length)
  })

  test('a run is a function of its seed', async () => {
    for (const seed of [70, 71, 72]) {
      const [first, second] = [await simulateGroup(seed, new Tally()), await simulateGroup(seed, new Tally())]
      expect(second.history.events).toEqual(first.history.events)
    }
  })
})
