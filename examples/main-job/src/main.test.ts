import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker, Consumer } from 'millrace'
import { afterEach, expect, test } from 'vitest'

const main = join(import.meta.dirname, 'main.ts')
const running = new Set<ChildProcess>()

afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
  running.clear()
})

interface Run {
  readonly child: ChildProcess
  /** Everything printed so far, both streams. */
  output(): string
  /** Settles once the output has a match. */
  printed(pattern: RegExp): Promise<void>
  readonly exit: Promise<number | null>
}

function start(...args: string[]): Run {
  const child = spawn(process.execPath, ['--conditions=@millrace/source', main, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  running.add(child)
  let text = ''
  const watchers = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      for (const watcher of watchers) watcher()
    })
  }
  const exit = once(child, 'close').then(([code]) => code as number | null)
  const printed = async (pattern: RegExp): Promise<void> => {
    const seen = new Promise<void>((resolve) => {
      const look = (): void => void (pattern.test(text) && resolve())
      watchers.add(look)
      look()
    })
    const ended = exit.then((code) => {
      if (!pattern.test(text)) throw new Error(`ended with ${code} before it printed ${pattern}:\n${text}`)
    })
    await Promise.race([seen, ended])
  }
  return { child, output: () => text, printed, exit }
}

test('streams readings and the lines of a file to two members and sums up', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-main-job-'))
  const file = join(folder, 'lines.txt')
  await writeFile(file, Array.from({ length: 300 }, (_, index) => `line ${index} ü`).join('\n'))
  const run = start('--file', file, '--count', '301')
  expect(await run.exit).toBe(0)
  const lines = run.output().split('\n')
  const lineEvents = lines.filter((line) => / {2}lines\.txt:\d+ {2}line \d+ ü$/.test(line))
  // 301 events cannot all be lines of a file of 300, so both sources came through.
  expect(lineEvents.length).toBeGreaterThan(0)
  expect(
    lines.some((line) =>
      /^member-[12] {2}partition [0-2] {2}offset +\d+ {2}(?:cpu-\d+|memory|disk|network-[^ ]+) {2}\{"/.test(line),
    ),
  ).toBe(true)
  expect(lines.filter((line) => /^member-[12] {2}partition/.test(line))).toHaveLength(301)
  expect(run.output()).toMatch(/read 301 events in [\d.]+ s \(.*\)\nmember-1 \d+ \(\d+ %\), member-2 \d+ \(\d+ %\)\n$/)
  await rm(folder, { recursive: true })
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it cleanly with the summary', async (signal) => {
  const run = start()
  await run.printed(/member-[12] {2}partition/)
  run.child.kill(signal)
  expect(await run.exit).toBe(0)
  expect(run.output()).toMatch(/read \d+ events/)
})

test('reads standard input, and uses another broker and a topic that stays', async () => {
  await using broker = await Broker.start({ port: 0 })
  const run = start('--bootstrap', broker.bootstrapServers, '--topic', 'kept', '--file', '-')
  run.child.stdin!.end('from standard input\n')
  await run.printed(/stdin:1 {2}from standard input/)
  run.child.kill('SIGINT')
  expect(await run.exit).toBe(0)

  await using consumer = new Consumer({
    bootstrapServers: broker.bootstrapServers,
    groupId: 'after',
    topics: ['kept'],
    autoOffsetReset: 'earliest',
  })
  for await (const record of consumer) {
    if (record.key?.toString() !== 'stdin:1') continue
    expect(record.value?.toString()).toBe('from standard input')
    expect(record.headers.map(([name, value]) => [name, value?.toString()])).toEqual([
      ['source', 'stdin'],
      ['line', '1'],
    ])
    break
  }
})

test.each([
  [['--frobnicate'], /^npm start: .*--frobnicate.*\n$/],
  [['--count', 'many'], /^npm start: --count "many" is not allowed; .*\n$/],
  [['--bootstrap', 'nowhere'], /^npm start: bootstrapServers: "nowhere" is not allowed.*\n$/],
  [['--topic', 'no/slash', '--count', '1'], /npm start: .*no\/slash.*\n$/],
])('%j is a one-line error and exit code 1', async (args, message) => {
  const run = start(...args)
  expect(await run.exit).toBe(1)
  expect(run.output()).toMatch(message)
})

test('a file that is not there is named', async () => {
  const run = start('--file', join(tmpdir(), 'millrace-no-such-file'))
  expect(await run.exit).toBe(1)
  expect(run.output()).toMatch(/npm start: .*millrace-no-such-file.*\n$/)
})
