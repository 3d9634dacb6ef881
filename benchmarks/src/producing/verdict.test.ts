import { expect, test } from 'vitest'
import { judged, judgedUnless, limitOf } from './verdict.ts'

test('a broker of one thread that has a core for itself is the limit', () => {
  expect(limitOf({ clientCores: 0.4, brokerCores: 0.95 }, 2, 1)).toBe('broker')
  expect(limitOf({ clientCores: 0.4, brokerCores: 0.95 }, 2, 8)).toBe('client')
  expect(limitOf({ clientCores: 0.1, brokerCores: 1.85 }, 2, 8)).toBe('broker')
})

test('a machine without an idle core is the limit, and otherwise it is the client', () => {
  expect(limitOf({ clientCores: 1.1, brokerCores: 0.8 }, 2, 1)).toBe('machine')
  expect(limitOf({ clientCores: 1, brokerCores: 0.5 }, 2, 1)).toBe('client')
  expect(limitOf({ clientCores: 1, brokerCores: 0.85 }, 4, 1)).toBe('client')
})

test('a figure carries its verdict', () => {
  expect(judged(2, { least: 2 })).toBe('2.00 ✓')
  expect(judged(1.4, { least: 2 })).toBe('1.40 ✗')
  expect(judged(0.34, { most: 1 / 3 })).toBe('0.340 ✗')
  expect(judged(Number.NaN, { least: 2 })).toBe('–')
})

test('what the broker limits is no shortfall, and what is reached nevertheless is reached', () => {
  expect(judgedUnless('broker', 1.4, { least: 2 })).toBe('1.40 (broker)')
  expect(judgedUnless('broker', 2.4, { least: 2 })).toBe('2.40 ✓')
  expect(judgedUnless('client', 1.4, { least: 2 })).toBe('1.40 ✗')
})
