import { expect, test } from 'vitest'
import type { Measurement } from '../workload.ts'
import { brokerRatios, javaTable } from './java-bench.ts'
import { latencyTable } from './latency-bench.ts'
import { memoryReport } from './memory-bench.ts'
import { partitionsTable } from './partitions-bench.ts'

const MIB = 2 ** 20

test('latency: each figure against the best peer in it, ours with a verdict', () => {
  const table = latencyTable(
    new Map([
      ['kafkajs', [{ p50Ms: 0.2, p99Ms: 2 }, 'failed', { p50Ms: 0.4, p99Ms: 4 }]],
      ['kafkats', [{ p50Ms: 0.5, p99Ms: 1 }]],
      ['confluent', ['failed']],
      ['millrace', [{ p50Ms: 0.15, p99Ms: 1.5 }]],
    ]),
  )
  expect(rowOf(table, 'kafkajs')).toEqual(['0.300', '3.00', '1.00', '3.00'])
  expect(rowOf(table, 'confluent')).toEqual(['–', '–', '–', '–'])
  expect(rowOf(table, 'millrace')).toEqual(['0.150', '1.50', '0.500 ✓', '1.50 ✗'])
})

test('memory: growth from the first samples to the last, and the peak against what is allowed', () => {
  const rising = Array.from({ length: 50 }, (_, index) => (80 + index) * MIB)
  const report = memoryReport(
    { baselineBytes: 60 * MIB, samples: rising, peakRssBytes: 130 * MIB, messagesPerSecond: 1e6 },
    50_000_000,
  )
  expect(rowOf(report, 'last ÷ first')).toEqual(['1.55 ✗', '≤ 1.1'])
  expect(rowOf(report, 'peak of the whole process, MB')).toEqual(['130 ✗', '≤ 112'])
  expect(rowOf(report, 'peak above what was there before, MB')).toEqual(['70 ✓', '≤ 112'])
  const flat = memoryReport(
    { baselineBytes: 60 * MIB, samples: rising.fill(90 * MIB), peakRssBytes: 95 * MIB, messagesPerSecond: 1e6 },
    50_000_000,
  )
  expect(rowOf(flat, 'last ÷ first')[0]).toBe('1.00 ✓')
})

test('partitions: CPU against that of one partition', () => {
  const attempt = (cpuMicrosPerMessage: number) => ({
    messagesPerSecond: 1e6,
    cpuMicrosPerMessage,
    peakRssBytes: 0,
    acknowledged: 1,
    callP50Ms: 1,
    callP99Ms: 1,
    loopDelayP99Ms: 4,
    clientCores: 1,
    brokerCores: 0.1,
  })
  const table = partitionsTable(
    new Map([
      [1, [attempt(0.4)]],
      [100, [attempt(0.48)]],
      [1_000, [attempt(0.6)]],
    ]),
  )
  expect(rowOf(table, '1')[1]).toBe('1')
  expect(rowOf(table, '100')[1]).toBe('1.20 ✓')
  expect(rowOf(table, '1000')[1]).toBe('1.50 ✗')
})

test('beside Java: our rate against its, and its rate on one broker against the other', () => {
  const java = (rate: number): Measurement => ({ messagesPerSecond: rate, cpuMicrosPerMessage: 4, peakRssBytes: 0 })
  const ours = { ...java(900_000), clientCores: 1, brokerCores: 0.3 }
  const results = new Map([
    [
      100,
      new Map([
        ['millrace', [ours]],
        ['java', [java(600_000), java(1_000_000)]],
      ]),
    ],
  ])
  const table = javaTable(results, 'embedded', 2)
  expect(rowOf(table, '100 B, millrace')).toEqual(['900 k', '4.00', '1.13 ✓', '0.30'])
  expect(rowOf(table, '100 B, java')).toEqual(['800 k', '4.00', '1', '–'])
  const real = new Map([[100, new Map([['java', [java(400_000)]]])]])
  expect(
    rowOf(
      brokerRatios(
        new Map([
          ['embedded', results],
          ['real', real],
        ]),
      ),
      'produce 100 B',
    )[2],
  ).toBe('2.00')
})

/** The cells of the row with this first cell, the others only. */
function rowOf(table: string, first: string): string[] {
  const rows = table.split('\n').map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  return rows.find((row) => row[0] === first)!.slice(1)
}
