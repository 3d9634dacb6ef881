import { expect, test } from 'vitest'
import { parseOptions, UsageError } from './options.ts'

test('reads every option', () => {
  expect(parseOptions(['--file', '-', '--count', '20', '--bootstrap', '127.0.0.1:9092', '--topic', 't'])).toEqual({
    file: '-',
    count: 20,
    bootstrap: '127.0.0.1:9092',
    topic: 't',
    help: false,
  })
  expect(parseOptions([])).toEqual({ file: undefined, count: undefined, bootstrap: undefined, topic: undefined, help: false })
})

test.each([
  [['--frobnicate'], /--frobnicate/],
  [['--count', '0'], /--count "0"/],
  [['--count', '-3'], /--count/],
  [['--count', '1e3'], /--count "1e3"/],
  [['--count'], /--count/],
  [['--file', ''], /--file is empty/],
  [['stray'], /stray/],
])('refuses %j in one line that names it', (args, message) => {
  expect(() => parseOptions(args)).toThrow(UsageError)
  expect(() => parseOptions(args)).toThrow(message)
  try {
    parseOptions(args)
  } catch (error) {
    expect((error as Error).message).not.toContain('\n')
  }
})
