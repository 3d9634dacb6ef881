import { expect, test } from 'vitest'
import { PARTS, parseOptions } from './options.ts'

test('without arguments: everything, five rounds, the brokers as each part has them', () => {
  const options = parseOptions(['--'])
  expect(options).toMatchObject({ rounds: 5, seconds: 1, brokers: undefined, parts: PARTS, isQuick: false, write: false })
  expect(options.cases.length).toBe(18)
  expect(options.clients).toContain('java')
})

test('one part, some rows, one broker', () => {
  const options = parseOptions(['--only', 'produce', '--cases', '10240-zstd-100, 100-none-1', '--broker', 'real', '--write'])
  expect(options).toMatchObject({ parts: ['produce'], brokers: ['real'], write: true })
  expect(options.cases).toEqual([
    { name: '100-none-1', messageBytes: 100, compression: 'none', partitions: 1 },
    { name: '10240-zstd-100', messageBytes: 10_240, compression: 'zstd', partitions: 100 },
  ])
})

test('quick is short, and what is said besides holds', () => {
  expect(parseOptions(['--quick'])).toMatchObject({ rounds: 1, seconds: 0.3, isQuick: true })
  expect(parseOptions(['--quick', '--rounds', '2', '--seconds', '0.5'])).toMatchObject({ rounds: 2, seconds: 0.5 })
})

test.each([
  [['--rounds', '0'], '--rounds: 0'],
  [['--rounds', '1.5'], '--rounds: 1.5'],
  [['--seconds=-1'], '--seconds: -1'],
  [['--broker', 'mine'], '--broker: mine is not one of embedded, real, both'],
  [['--clients', 'kafkajs,other'], '--clients: other is not one of kafkajs'],
  [['--cases', '100-gzip-1'], '--cases: 100-gzip-1 is not one of 100-none-1'],
  [['--only', 'all'], '--only: all is not one of codec'],
  [['--write-all'], '--write-all'],
])('%j is refused by name', (argv, message) => {
  expect(() => parseOptions(argv)).toThrow(message)
})
