import { describe, expect, test } from 'vitest'
import { parseCommand, USAGE } from './cli-arguments.ts'

describe('broker', () => {
  test('without options starts with the defaults', () => {
    expect(parseCommand(['broker'])).toEqual({ kind: 'broker', options: {} })
  })

  test('passes each option on', () => {
    const line =
      'broker --host 0.0.0.0 --port 0 --data ./d --partitions 4 --no-auto-create --advertised-host h --advertised-port 5 --node-id 2 --cluster-id c --flush fsync'
    expect(parseCommand([...line.split(' '), '--config', 'log.retention.ms=1', '--config', 'group.max.size=3'])).toEqual({
      kind: 'broker',
      options: {
        host: '0.0.0.0',
        port: 0,
        dataDir: './d',
        numPartitions: 4,
        autoCreateTopics: false,
        advertisedHost: 'h',
        advertisedPort: 5,
        nodeId: 2,
        clusterId: 'c',
        flush: 'fsync',
        config: { 'log.retention.ms': '1', 'group.max.size': '3' },
      },
    })
  })

  test('every option is explained', () => {
    for (const option of [
      'host',
      'port',
      'data',
      'partitions',
      'no-auto-create',
      'advertised-host',
      'advertised-port',
      'node-id',
      'cluster-id',
      'flush',
      'config',
    ]) {
      expect(USAGE).toContain(`--${option}`)
    }
  })
})

test.each([['--help'], ['-h'], ['broker', '--help']])('%s asks for help', (...argv) => {
  expect(parseCommand(argv)).toEqual({ kind: 'help' })
})

test('--version', () => {
  expect(parseCommand(['--version'])).toEqual({ kind: 'version' })
})

test.each([
  [[], 'a command is missing'],
  [['brokr'], 'unknown command "brokr"'],
  [['broker', 'extra'], 'unexpected argument "extra"'],
  [['broker', '--prot', '1'], "Unknown option '--prot'"],
  [['broker', '--port'], "'--port <value>' argument missing"],
  [['broker', '--port', 'x'], '--port x: expected a whole number'],
  [['broker', '--partitions', '-1'], '--partitions'],
  [['broker', '--node-id=1.5'], '--node-id 1.5: expected a whole number'],
  [['broker', '--config', 'novalue'], '--config novalue: expected NAME=VALUE'],
  [['broker', '--no-auto-create=yes'], '--no-auto-create'],
])('%j is a mistake, told in one line', (argv, message) => {
  const command = parseCommand(argv)
  expect(command).toMatchObject({ kind: 'mistake', message: expect.stringContaining(message) })
  expect((command as { message: string }).message).not.toContain('\n')
})
