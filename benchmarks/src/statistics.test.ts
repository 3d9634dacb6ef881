import { expect, test } from 'vitest'
import { median, percentile, rotate } from './statistics.ts'

test('the median is the middle, or between the two in the middle', () => {
  expect(median([9, 1, 5])).toBe(5)
  expect(median([4, 1, 10, 2])).toBe(3)
  expect(median([])).toBeNaN()
})

test('a percentile is a value of the list, the last one at the most', () => {
  const sorted = Array.from({ length: 100 }, (_, index) => index)
  expect(percentile(sorted, 0.5)).toBe(50)
  expect(percentile(sorted, 0.99)).toBe(99)
  expect(percentile([7], 0.99)).toBe(7)
  expect(percentile([], 0.5)).toBeNaN()
})

test('over as many rounds as there are clients, each has every place once', () => {
  const rounds = [0, 1, 2].map((round) => rotate(['a', 'b', 'c'], round))
  expect(rounds).toEqual([
    ['a', 'b', 'c'],
    ['b', 'c', 'a'],
    ['c', 'a', 'b'],
  ])
})
