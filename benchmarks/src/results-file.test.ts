import { expect, test } from 'vitest'
import { merged } from './results-file.ts'

test('a section takes the place of the one with its title, the others stay, a new one comes last', () => {
  const before = merged(
    '',
    new Map([
      ['One', 'a\n\n### of one\n\nb'],
      ['Two', 'c'],
    ]),
  )
  const after = merged(
    before,
    new Map([
      ['One', 'x'],
      ['Three', 'z'],
    ]),
  )
  expect(after.slice(after.indexOf('## '))).toBe('## One\n\nx\n\n## Two\n\nc\n\n## Three\n\nz\n')
  expect(after.startsWith('# Results')).toBe(true)
  expect(merged(before, new Map())).toBe(before)
})
