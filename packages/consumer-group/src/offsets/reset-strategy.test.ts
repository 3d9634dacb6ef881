import { expect, test } from 'vitest'
import { parseAutoOffsetReset, parseDuration } from './reset-strategy.ts'

test.each([
  ['P7D', 604_800_000],
  ['PT1H30M', 5_400_000],
  ['P1DT2H3M4.5S', 93_784_500],
  ['pt0.001s', 1],
  ['PT0S', 0],
  ['PT90M', 5_400_000],
])('%s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each([
  '',
  'P',
  'PT',
  'P1DT',
  '7D',
  'P-7D',
  '-P7D',
  'P1Y',
  'P1M',
  'P1W',
  'PT1.5H',
  'PT1S1M',
  'P1D ',
  'P99999999999D',
  'PT1e3S',
])("'%s' is no duration", (text) => {
  expect(parseDuration(text)).toBeNull()
})

test('autoOffsetReset takes what Java takes, and nothing else', () => {
  expect(parseAutoOffsetReset('earliest')).toEqual({ kind: 'earliest' })
  expect(parseAutoOffsetReset('latest')).toEqual({ kind: 'latest' })
  expect(parseAutoOffsetReset('none')).toBeNull()
  expect(parseAutoOffsetReset('by_duration:PT1M')).toEqual({ kind: 'by_duration', durationMs: 60_000 })
  for (const wrong of ['Earliest', 'by_duration:', 'by_duration', 'by_duration:1', 60_000, null]) {
    expect(parseAutoOffsetReset(wrong)).toBeUndefined()
  }
})
