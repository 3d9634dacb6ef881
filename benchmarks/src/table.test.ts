import { expect, test } from 'vitest'
import { digits, markdownTable, megabytes, thousands } from './table.ts'

test('columns are as wide as their widest cell', () => {
  expect(
    markdownTable(
      ['client', 'n'],
      [
        ['a', 12_345],
        ['longer one', 1],
      ],
    ),
  ).toBe(['| client     |     n |', '| ---------- | ----: |', '| a          | 12345 |', '| longer one |     1 |'].join('\n'))
})

test('figures as they are read', () => {
  expect([950, 12_345, 1_234_567, Number.NaN].map(thousands)).toEqual(['950', '12 k', '1 235 k', '–'])
  expect([0.12345, 12.345, 12_345, Number.NaN, undefined].map(digits)).toEqual(['0.123', '12.3', '1.23e4', '–', '–'])
  expect(megabytes(94 * 1024 * 1024)).toBe('94')
})
