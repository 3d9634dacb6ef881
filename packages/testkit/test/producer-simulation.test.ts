import { describe, expect, test } from 'vitest'
import { checkLedger } from './producer-check.ts'
import { findingsOf, simulateProducers, type Ran } from './producer-run.ts'
import { TROUBLES } from './producer-trouble.ts'
import { replayable, replayed, seeds, Tally } from './seeds.ts'

const tally = new Tally()

/** Every way to send, and every way in which it can end. */
const OUTCOMES = [
  ...['send', 'sendAll', 'post', 'stream'].map((way) => `${way} stored`),
  'ABORTED',
  'BUFFER_EXHAUSTED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'DELIVERY_TIMED_OUT',
  'DELIVERY_TIMED_OUT: API_TIMED_OUT',
  'DELIVERY_TIMED_OUT: REQUEST_TIMED_OUT_LOCALLY',
  'DELIVERY_TIMED_OUT: CONNECTION_CLOSED',
  'DELIVERY_TIMED_OUT: CONNECTION_FAILED',
  'INVALID_RECORD',
  'MESSAGE_TOO_LARGE',
  'METADATA_TIMED_OUT',
  'METADATA_TIMED_OUT: BOOTSTRAP_FAILED',
  'POLICY_VIOLATION',
  'PRODUCER_CLOSED',
  'RECORD_TOO_LARGE',
  'TOPIC_AUTHORIZATION_FAILED',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'silent failure',
  'split batch',
  'retried record',
]

describe('producers in trouble', () => {
  test.each(seeds)('seed %i: what is acknowledged is there once and in order, and every send has one outcome', async (seed) => {
    const ran = await replayable(seed, () => simulateProducers(seed, tally))
    expect(findingsOf(ran), `replay with MILLRACE_SEED=${seed}`).toEqual([])
    count(ran)
  })

  test.skipIf(replayed !== undefined || seeds.length < 200)('the runs before met every trouble and every outcome', () => {
    for (const what of [...TROUBLES, ...OUTCOMES, 'refused write']) expect(tally.of(what), what).toBeGreaterThan(0)
    expect(tally.of('broken connection')).toBeGreaterThan(seeds.length)
    expect(tally.of('send stored')).toBeGreaterThan(40 * seeds.length)
    expect(tally.of('run without doubt')).toBeGreaterThan(0)
  })

  test('the same troubles do double records when producers are not idempotent', async () => {
    const kinds = new Set<string>()
    for (let seed = 1; seed <= 40; seed++) {
      const { ledger, log, world } = await simulateProducers(seed, new Tally(), false)
      for (const [name, promised] of ledger.producers) ledger.producers.set(name, { ...promised, idempotent: true })
      for (const { kind } of checkLedger(ledger, log, world)) kinds.add(kind)
    }
    expect(kinds).toContain('duplicate')
    expect(kinds).not.toContain('lost')
  })

  test('a run is a function of its seed', async () => {
    for (let seed = 70; seed < 80; seed++) {
      const [first, second] = [await simulateProducers(seed, new Tally()), await simulateProducers(seed, new Tally())]
      expect(second.ledger).toEqual(first.ledger)
      expect(second.log).toEqual(first.log)
    }
  })
})

function count({ ledger, world }: Ran): void {
  if (world.refusalsAreCertain) tally.add('run without doubt')
  tally.add('silent failure', ledger.silentFailures.length)
  for (const { way, outcomes } of ledger.calls) {
    for (const outcome of outcomes) {
      if (outcome.kind === 'stored') tally.add(`${way} stored`)
      else {
        const { code, cause } = outcome.error as { code: string; cause?: { code?: string } }
        tally.add(code)
        if (cause?.code !== undefined) tally.add(`${code}: ${cause.code}`)
      }
    }
  }
}
