import { expect, test } from 'vitest'
import type { PerClient } from '../comparison.ts'
import { CASES } from '../producing/cases.ts'
import type { ConsumeMeasurement } from '../workload.ts'
import { consumeTables, verdictTable } from './consume-tables.ts'
import { javaConsumeTable } from './java-consume-bench.ts'

const plain = CASES.find(({ name }) => name === '1024-none-1')!
const SOCKET_MICROS_PER_BYTE = 0.0003

function attempt(messagesPerSecond: number, cpuMicrosPerMessage: number, brokerCores = 0.2): ConsumeMeasurement {
  return { messagesPerSecond, cpuMicrosPerMessage, peakRssBytes: 2 ** 20, clientCores: 1, brokerCores }
}

const results: PerClient<ConsumeMeasurement> = new Map([
  ['kafkajs', [attempt(100_000, 8), 'connection refused', attempt(300_000, 4)]],
  ['kafkats', [attempt(190_000, 3)]],
  ['platformatic', [attempt(150_000, 6)]],
  ['millrace', [attempt(290_000, 0.5)]],
  ['millrace-single', [attempt(500_000, 0.8)]],
  ['millrace-single-kept', [attempt(300_000, 0.9)]],
  ['millrace-run', [attempt(9_000_000, 0.1)]],
])

function cells(table: string): string[] {
  const row = table.split('\n').find((line) => line.startsWith('| 1 KiB'))!
  return row
    .split('|')
    .slice(2, -1)
    .map((cell) => cell.trim())
}

test('batches against the best peer, records against the one that was named, and what no client can do without', () => {
  const table = verdictTable(new Map([[plain, results]]), 'embedded', 2, SOCKET_MICROS_PER_BYTE)
  expect(cells(table)).toEqual([
    '200 k kafkajs',
    '1.45 ✗',
    '3.00 kafkats',
    '0.307',
    '',
    '0.500',
    '0.167 ✓',
    '3.33 ✓',
    '2.00 ✗',
    'client, client, client',
  ])
})

test('where the broker is the limit, that is said in place of a shortfall', () => {
  const busy = new Map(results).set('millrace', [attempt(290_000, 0.5, 0.95)])
  const table = verdictTable(new Map([[plain, busy]]), 'embedded', 2, SOCKET_MICROS_PER_BYTE)
  expect(cells(table)[1]).toBe('1.45 (broker)')
})

test('failed runs and ways to consume are told', () => {
  const tables = consumeTables(new Map([[plain, results]]), 'embedded', ['kafkajs', 'millrace', 'java'], SOCKET_MICROS_PER_BYTE)
  expect(tables).toContain('none, 1, kafkajs (1 of 3 runs failed)')
  expect(tables).toContain('- millrace: `for await (using batch of batches())`')
  expect(tables).not.toContain('- java')
})

test("Java's consumer is what ours are compared with", () => {
  const table = javaConsumeTable(
    new Map([
      [
        1024,
        new Map([
          ['millrace', [attempt(300_000, 1)]],
          ['java', [{ messagesPerSecond: 200_000, cpuMicrosPerMessage: 5, peakRssBytes: 1 }]],
        ]),
      ],
    ]),
    'real',
    2,
  )
  expect(table).toMatch(/millrace .* 1\.50 ✓/)
  expect(table).toMatch(/java .* 1 \|/)
})
