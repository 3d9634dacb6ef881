import { expect, test } from 'vitest'
import { WindowedStat } from './windowed-stat.ts'

test('rates, averages and maxima are of the last samples, totals of all time', () => {
  const stat = new WindowedStat()
  expect([stat.rate(0), stat.average(0), stat.max(0), stat.total]).toEqual([0, Number.NaN, Number.NaN, 0])
  expect([stat.min(0), stat.sum(0)]).toEqual([Number.NaN, 0])
  stat.record(60, 0)
  stat.record(30, 10_000)
  expect([stat.rate(0), stat.average(10_000), stat.max(10_000)]).toEqual([3, 45, 60])
  expect([stat.min(10_000), stat.sum(10_000), stat.count, stat.recentCount(10_000), stat.countRate(0)]).toEqual([
    30,
    90,
    2,
    2,
    2 / 30,
  ])
  stat.record(10, 30_000)
  expect([stat.rate(50_000), stat.max(50_000)]).toEqual([2, 60])
  expect([stat.rate(60_000), stat.average(60_000), stat.max(60_000)]).toEqual([10 / 30, 10, 10])
  stat.record(4, 60_000)
  expect(stat.average(60_000)).toBe(7)
  expect([stat.rate(200_000), stat.average(200_000), stat.total]).toEqual([0, Number.NaN, 104])
})
