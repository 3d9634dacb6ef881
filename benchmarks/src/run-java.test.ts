import { expect, test } from 'vitest'
import { consumedPerSecond, producedPerSecond } from './run-java.ts'

const percentiles = '5.00 ms avg latency, 90.00 ms max latency, 3 ms 50th, 9 ms 95th, 20 ms 99th, 30 ms 99.9th.'

test('the rate of ProducerPerformance is that of its steady state', () => {
  const output = [
    '100 records sent, 20.0 records/sec (0.00 MB/sec), 3.1 ms avg latency, 9.0 ms max latency.',
    `1,200,000 records sent, 431034.5 records/sec (41.11 MB/sec), ${percentiles}`,
    `1,000,000 steady state records sent, 596302.9 records/sec (56.87 MB/sec), ${percentiles}`,
    '',
  ]
  expect(producedPerSecond(output.join('\n'))).toBe(596302.9)
  expect(producedPerSecond(output.slice(0, 2).join('\n'))).toBe(431034.5)
  expect(() => producedPerSecond('Exception in thread "main"')).toThrow('no result')
})

test('ConsumerPerformance must have read everything', () => {
  const line = '2026-11-21 10:00:00:000, 2026-11-21 10:00:01:000, 95.3, 95.3, 1000000, 1000000.0, 20, 740, 128.8, 1351351.3'
  expect(consumedPerSecond(`start.time, …\n${line}\n`, 1_000_000)).toBe(1351351.3)
  expect(() => consumedPerSecond(line, 1_000_001)).toThrow('1000000 of 1000001')
})
