import { expect, test } from 'vitest'
import type { ProduceMeasurement } from '../workload.ts'
import { CASES } from './cases.ts'
import type { CaseResults } from './produce-bench.ts'
import { bestPeer } from '../comparison.ts'
import { produceTables, verdictTable } from './produce-tables.ts'

const plain = CASES.find(({ name }) => name === '100-none-1')!

function attempt(
  messagesPerSecond: number,
  cpuMicrosPerMessage: number,
  more: Partial<ProduceMeasurement> = {},
): ProduceMeasurement {
  return {
    messagesPerSecond,
    cpuMicrosPerMessage,
    peakRssBytes: 2 ** 20,
    acknowledged: 1,
    callP50Ms: 1,
    callP99Ms: 2,
    loopDelayP99Ms: 3,
    clientCores: 1,
    brokerCores: 0.2,
    ...more,
  }
}

const results: CaseResults = new Map([
  ['kafkajs', [attempt(100_000, 8), 'connection refused', attempt(300_000, 4)]],
  ['kafkats', [attempt(190_000, 3)]],
  ['platformatic', ['failed']],
  ['java', [attempt(9_000_000, 0.1)]],
  ['millrace', [attempt(1_000_000, 0.5)]],
  ['millrace-single', [attempt(300_000, 1.8, { loopDelayP99Ms: 25 })]],
])

test('the best peer is neither ours nor Java, and each figure has its own', () => {
  expect(bestPeer(results, 'messagesPerSecond', (a, b) => a > b)).toEqual({ client: 'kafkajs', value: 200_000 })
  expect(bestPeer(results, 'cpuMicrosPerMessage', (a, b) => a < b)).toEqual({ client: 'kafkats', value: 3 })
  expect(bestPeer(new Map([['kafkajs', ['failed']]]), 'messagesPerSecond', (a, b) => a > b).client).toBe('–')
})

test('the verdicts of a row', () => {
  const cells = cellsOf(verdictTable(new Map([[plain, results]]), 'embedded', 2))
  expect(cells).toEqual([
    '100 B, none, 1',
    '200 k kafkajs',
    '5.00 ✓',
    '1.50 ✗',
    '3.00 kafkats',
    '',
    '0.167 ✓',
    '0.600 ✗',
    '3.00 ✓, 25.0 ✗',
    'client, client',
  ])
})

test('a rate that the broker holds down is not held against the client', () => {
  const held: CaseResults = new Map([...results, ['millrace', [attempt(300_000, 0.5, { clientCores: 0.3, brokerCores: 0.95 })]]])
  const cells = cellsOf(verdictTable(new Map([[plain, held]]), 'embedded', 2))
  expect(cells[2]).toBe('1.50 (broker)')
  expect(cells.at(-1)).toBe('broker, client')
})

test('failed runs are named, and a client that never came through has no figures', () => {
  const text = produceTables(new Map([[plain, results]]), 'embedded', [...results.keys()])
  expect(text).toContain('none, 1, kafkajs (1 of 3 runs failed)')
  expect(text).toMatch(/none, 1, platformatic \(failed\) +\| +– \|/)
  expect(text).toContain('- kafkajs: not idempotent')
})

function cellsOf(table: string): string[] {
  return table
    .split('\n')
    .at(-1)!
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())
}
