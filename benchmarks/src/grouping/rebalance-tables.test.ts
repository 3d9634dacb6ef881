import { expect, test } from 'vitest'
import type { Change } from './commands.ts'
import type { GroupRun } from './rebalance-bench.ts'
import { rebalanceTables } from './rebalance-tables.ts'

function change(settleMs: number, gapMs = 250): Change {
  return { settleMs, untouched: 29, untouchedEvents: 0, untouchedGapMs: gapMs, kept: 980, keptGapMs: gapMs, movedGapMs: 600 }
}

function run(leaveMs: number, joinMs: number, gapMs?: number): GroupRun {
  return { formMs: 1000, rest: change(0), leave: change(leaveMs, gapMs), join: change(joinMs, gapMs) }
}

test('medians stand beside Java’s, and what takes more than twice as long falls short', () => {
  const text = rebalanceTables(
    new Map([
      [
        'consumer',
        new Map([
          ['millrace', [run(100, 900), run(300, 1000), run(200, 1100, 333)]],
          ['java', [run(400, 400), 'it broke', run(400, 400)]],
        ]),
      ],
      ['range', new Map([['millrace', [run(1, 1)]]])],
    ]),
  )
  const rows = text.split('\n').map((line) => line.replaceAll(/ +/g, ' '))
  expect(rows).toContain('| consumer (KIP-848): one leaves | 200 | 400 | 0.500 ✓ |')
  expect(rows).toContain('| consumer (KIP-848): one joins | 1000 | 400 | 2.50 ✗ |')
  expect(rows).toContain('| classic, range: one leaves | 1 | – | – |')
  expect(rows).toContain('- consumer (KIP-848), java: 1 of 3 rounds failed')
  expect(rows).toContain('| consumer (KIP-848): one leaves, millrace | 29 | 0 | 250 | 250 | 600 | 250 |')
  // Under the eager protocol everything stops, whatever stays.
  expect(text).not.toContain('range: one leaves, millrace')
})
