import { describe, expect, test } from 'vitest'
import { backlogReport, outcomeOf, type BacklogReport, type BacklogRun } from './backlog-bench.ts'
import { consumeMemoryReport, type MemoryReport, type MemoryRun } from './consume-memory-bench.ts'
import { killsOf, openContainer, runReporting, type Contained } from './container.ts'
import { fillPieces, type FillPlan } from './fill.ts'

const MIB = 2 ** 20
const PLAN = { bootstrapServers: '', topic: 't', batchBytes: 1 }

describe('filling', () => {
  test('plain: values of 100 B by turns, as many as were wanted', () => {
    const plan: FillPlan = { ...PLAN, contents: 'plain', partitions: 3, valueBytes: 500_000 }
    const pieces = [...fillPieces(plan)]
    expect(pieces.map(({ records }) => records[0]!.partition)).toEqual([0, 1, 2, 0, 1])
    expect(pieces.every(({ records }) => records.every(({ value }) => value.length === 100))).toBe(true)
  })

  test('mixed: 100 B to 100 KiB, a third of the partitions for each codec, and about what was wanted', () => {
    const plan: FillPlan = { ...PLAN, contents: 'mixed', partitions: 6, valueBytes: 120_000_000 }
    const bytes = new Map<string, number>()
    const sizes: number[] = []
    let hollow = 0
    for (const { compression, records, valueBytes } of fillPieces(plan)) {
      expect(records.reduce((sum, { value }) => sum + value.length, 0)).toBe(valueBytes)
      expect(records[0]!.partition % 3).toBe(['none', 'lz4', 'zstd'].indexOf(compression))
      bytes.set(compression, (bytes.get(compression) ?? 0) + valueBytes)
      sizes.push(...records.map(({ value }) => value.length))
      if (records.every(({ value }) => value.equals(Buffer.alloc(value.length, 'a')))) hollow += valueBytes
    }
    expect(Math.min(...sizes)).toBeLessThan(200)
    expect(Math.max(...sizes)).toBe(100 * 1024)
    for (const [compression, wanted] of [
      ['none', 20e6],
      ['lz4', 40e6],
      ['zstd', 60e6],
    ] as const) {
      expect(bytes.get(compression)! / wanted).toBeGreaterThanOrEqual(1)
      expect(bytes.get(compression)! / wanted).toBeLessThan(1.2)
    }
    expect(hollow).toBeGreaterThan(10e6)
  })
})

describe('a process with a limit', () => {
  test('kills are found in what either version of the kernel says', () => {
    expect(killsOf('oom_kill_disable 0\nunder_oom 0\noom_kill 2\n')).toBe(2)
    expect(killsOf('low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\noom_group_kill 0\n')).toBe(0)
    expect(killsOf('oom_kill_disable 0\n')).toBe(null)
  })

  test('is ended for exceeding it where there is a container to be had, and what it said last is known', async () => {
    const program = `console.log('{"said":1}')
      const all = []
      setInterval(() => { all.push(Buffer.alloc(${8 * MIB}, 1)); if (all.length > 40) process.exit(7) }, 1)`
    const container = openContainer(128 * MIB)
    const command = [process.execPath, '-e', program]
    if ('reason' in container) {
      expect(container.reason).not.toBe('')
      expect(await runReporting(command, 60_000)).toMatchObject({ last: { said: 1 }, exitCode: 7 })
      return
    }
    const ended = await runReporting(container.wrap(command), 60_000)
    const [kills, peakBytes] = [container.kills(), container.peakBytes()]
    await container.close()
    expect(ended).toMatchObject({ last: { said: 1 }, isLate: false })
    expect(ended.exitCode).not.toBe(7)
    expect(kills ?? 1).toBe(1)
    expect(peakBytes ?? MIB).toBeLessThanOrEqual(128 * MIB)
  })

  test('is ended when it takes too long', async () => {
    const ended = await runReporting([process.execPath, '-e', 'setInterval(() => {}, 1000)'], 200)
    expect(ended).toMatchObject({ last: null, isLate: true })
  })
})

const peaks = { rss: 300 * MIB, heap: 20 * MIB, external: 200 * MIB, arrayBuffers: 190 * MIB }

function backlogEnd(
  said: Partial<BacklogReport> | null,
  ended: Partial<Contained<BacklogReport>> = {},
): Contained<BacklogReport> {
  const last = said === null ? null : { messages: 10, bytes: 50 * MIB, peaks, ...said }
  return { last, exitCode: 0, signal: null, isLate: false, stderr: '', seconds: 3, ...ended }
}

describe('the backlog', () => {
  test.each([
    [backlogEnd({}), 0, 'all read ✓'],
    [backlogEnd({ messages: 12 }), null, 'all read ✓, 2 again'],
    [backlogEnd({ messages: 4 }, { exitCode: null, signal: 'SIGKILL' }), 1, 'out of memory ✗'],
    [backlogEnd(null, { exitCode: 137 }), null, 'killed ✗'],
    [backlogEnd({ messages: 4 }, { exitCode: null, signal: 'SIGKILL', isLate: true }), 0, 'not done in 300 s'],
    [backlogEnd({ messages: 4 }, { exitCode: 0 }), 0, 'failed: '],
    [backlogEnd(null, { exitCode: 1, stderr: 'at first\nError: no\n' }), 0, 'failed: Error: no'],
  ])('%#: an outcome in words', (ended, kills, words) => {
    expect(outcomeOf(ended, kills, 10)).toBe(words)
  })

  test('a table of all runs, which says what set the limit, or that nothing did', () => {
    const run: BacklogRun = { client: 'millrace', way: '`run`', ended: backlogEnd({}), peakBytes: 280 * MIB, kills: 0 }
    const said = { messages: 10, valueBytes: 50 * MIB, storedBytes: 25 * MIB, runs: [run] }
    const report = backlogReport({ ...said, container: { kind: 'cgroup v2' } })
    expect(rowOf(report, 'millrace')).toEqual(['`run`', 'all read ✓', '50', '3', '300', '280', '20', '200', '190'])
    expect(report).toContain('(cgroup v2)')
    const without = backlogReport({ ...said, container: { reason: 'not root' } })
    expect(without).toContain('**There was no container**')
    expect(without).toContain('not root')
  })
})

test('memory: growth from the tenth part of the messages to the end', () => {
  const said = (samples: number[], messages = 100): MemoryRun => {
    const last: MemoryReport = { baselineBytes: 50 * MIB, samples, messages, messagesPerSecond: 2e6, peaks }
    return { client: 'millrace', way: 'records', ended: { ...backlogEnd(null), last } }
  }
  const flat = Array.from({ length: 100 }, (_, index) => (index < 5 ? 60 : 100) * MIB)
  expect(rowOf(consumeMemoryReport([said(flat)], 100), 'millrace').slice(2, 7)).toEqual(['50', '100', '100', '1.00 ✓', '1.00 ✓'])
  const rising = flat.map((bytes, index) => bytes + index * MIB)
  expect(rowOf(consumeMemoryReport([said(rising)], 100), 'millrace').slice(3, 7)).toEqual(['107', '197', '1.84 ✗', '1.86 ✗'])
  expect(rowOf(consumeMemoryReport([said(flat, 40)], 100), 'millrace')[0]).toBe('records: failed')
})

function rowOf(table: string, first: string): string[] {
  const line = table.split('\n').find((one) => one.startsWith(`| ${first} `))!
  return line
    .split('|')
    .slice(2, -1)
    .map((cell) => cell.trim())
}
