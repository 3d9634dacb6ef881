import { join } from 'node:path'
import { runOk } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { describeOn, uniqueName } from '../suite.ts'
import { brokerUnderTest } from './broker-under-test.ts'
import { missing, python } from './tools.ts'

const RECORDS = 1_000
const CODECS_BY_PYTHON = ['None', 'gzip', 'snappy', 'lz4', 'zstd']
const CODECS_BY_CONFLUENT = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

async function session<Seen>(script: string, bootstrapServers: string): Promise<Seen> {
  const args = [join(import.meta.dirname, 'python', script), bootstrapServers, uniqueName('python'), uniqueName('python-group')]
  const { stdout } = await runOk(python, args)
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Seen
}

type Position = readonly [partition: number, offset: number]
type Consumed = readonly [partition: number, offset: number, key: string, value: string]

/** Every record came once, each partition in offset order, and each key in the order it was sent. */
function expectAllInOrder(consumed: readonly Consumed[], produced: readonly Position[], codecs: readonly string[]): void {
  expect(consumed).toHaveLength(RECORDS)
  const positions = (all: readonly (readonly [number, number, ...unknown[]])[]): string[] =>
    all.map(([partition, offset]) => `${partition}@${offset}`).toSorted()
  expect(positions(consumed)).toEqual(positions(produced))
  for (const partition of [0, 1, 2]) {
    const offsets = consumed.filter((record) => record[0] === partition).map((record) => record[1])
    expect(offsets).toEqual(offsets.map((_, index) => index))
  }
  for (let key = 0; key < 5; key++) {
    const values = consumed
      .filter((record) => record[2] === `key ${key}`)
      .map((record) => record[3].split(' ').slice(0, 2).join(' '))
    const sent = codecs.flatMap((codec) => Array.from({ length: 40 }, (_, index) => `${codec} ${index * 5 + key}`))
    expect(values).toEqual(sent)
  }
}

await describeOn('kafka-python', brokerUnderTest, [missing['kafka-python']], (broker) => {
  test('produces with every codec, consumes in a group, commits and continues', async () => {
    const seen = await session<{
      topics: boolean
      produced: Position[]
      consumed: Consumed[]
      headers: [string, string][]
      committed: Record<string, number>
      assigned: number[]
      continued: string[]
      beginning: number
      end: number
    }>('kafka_python_session.py', broker.bootstrapServers)
    expect(seen.topics).toBe(true)
    expectAllInOrder(seen.consumed, seen.produced, CODECS_BY_PYTHON)
    expect(seen.headers).toEqual([...CODECS_BY_PYTHON, 'again'].toSorted().map((value) => ['codec', value]))
    expect(seen.assigned).toEqual([0, 1, 2])
    expect(Object.values(seen.committed).reduce((sum, offset) => sum + (offset ?? 0), 0)).toBe(RECORDS)
    expect(seen.continued).toEqual(['after the commit'])
    expect(seen.beginning).toBe(0)
    expect(seen.end).toBe((seen.committed['1'] ?? 0) + 1)
  })
})

await describeOn('confluent-kafka', brokerUnderTest, [missing['confluent-kafka']], (broker) => {
  test('produces idempotently with every codec, consumes in a group, commits, continues and administers', async () => {
    const seen = await session<{
      retention: string
      partitions: number
      delivered: Position[]
      failed: string[]
      consumed: Consumed[]
      headers: [string, string | null][]
      assigned: number[]
      state: string
      members: number
      continued: string[]
      committed: Record<string, number>
      ends: Record<string, number>
      deleted: boolean
    }>('confluent_session.py', broker.bootstrapServers)
    expect(seen.failed).toEqual([])
    expect(seen).toMatchObject({
      retention: '7200000',
      partitions: 3,
      state: 'STABLE',
      members: 1,
      assigned: [0, 1, 2],
      deleted: true,
    })
    expectAllInOrder(seen.consumed, seen.delivered, CODECS_BY_CONFLUENT)
    expect(seen.headers).toEqual([
      ['codec', 'none'],
      ['none', null],
    ])
    expect(seen.continued).toEqual(['after the commit'])
    expect(Object.values(seen.ends).reduce((sum, end) => sum + end, 0)).toBe(RECORDS + 1)
    // Its member owned all partitions at the last commit, but commits only those that it read from.
    for (const [partition, offset] of Object.entries(seen.committed)) expect(offset).toBe(seen.ends[partition])
  })

  test('shares a group of the consumer protocol, one member by a regular expression and with the range assignor', async () => {
    const seen = await session<Record<string, unknown>>('confluent_consumer_protocol.py', broker.bootstrapServers)
    expect(seen).toEqual({
      shared: [0, 1, 2, 3],
      type: 'CONSUMER',
      state: 'STABLE',
      members: [2, 2],
      listed: true,
      values: 300,
      repeated: 0,
      after: 'EMPTY',
      refused: expect.stringMatching(/regular expression/i) as string,
    })
  })
})
