import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RetryPolicy } from './retry-policy.ts'

test('doubles from the initial delay up to the maximum, without jitter at the middle of the range', () => {
  const policy = new RetryPolicy(100, 1000)
  expect([0, 1, 2, 3, 4, 50, 5000].map((attempt) => policy.delayMs(attempt, 0.5))).toEqual([100, 200, 400, 800, 1000, 1000, 1000])
})

test('jitter is 20 % either way, and the maximum is never exceeded', () => {
  const policy = new RetryPolicy(100, 1000)
  expect(policy.delayMs(0, 0)).toBe(80)
  expect(policy.delayMs(0, 0.999999)).toBe(120)
  expect(policy.delayMs(10, 0)).toBe(800)
  expect(policy.delayMs(10, 0.999999)).toBe(1000)
})

test('is a whole number between 0 and the maximum for any settings', () => {
  const ms = fc.integer({ min: 0, max: 1_000_000 })
  fc.assert(
    fc.property(
      ms,
      ms,
      fc.nat(10_000),
      fc.double({ min: 0, max: 0.9999999, noNaN: true }),
      (initialMs, maxMs, attempt, random) => {
        const delayMs = new RetryPolicy(initialMs, maxMs).delayMs(attempt, random)
        expect(Number.isInteger(delayMs)).toBe(true)
        expect(delayMs).toBeGreaterThanOrEqual(0)
        expect(delayMs).toBeLessThanOrEqual(maxMs)
      },
    ),
  )
})
