import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker } from '@millrace/broker'
import { startRealKafka } from '@millrace/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { uniqueName } from '../suite.ts'
import { kafkaTool, missing } from './tools.ts'

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const RECORDS_PER_CODEC = 6_000
const TOTAL: number = CODECS.length * RECORDS_PER_CODEC

const reason = await missing.java()

describe.skipIf(reason !== undefined)(
  `the data directory of the embedded broker${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    const home = mkdtempSync(join(tmpdir(), 'millrace-dump-'))
    const dataDir = join(home, 'data')
    const topic = uniqueName('dumped')
    const group = uniqueName('dump-readers')
    /** A group of the consumer protocol. Its static member goes away for a while, so that it and its partition stay in the log. */
    const modern = uniqueName('dump-modern')

    /** Java writes with every codec into small segments and commits offsets; then the broker is closed. */
    beforeAll(async () => {
      const broker = await Broker.start({ port: 0, dataDir })
      try {
        const at = ['--bootstrap-server', broker.bootstrapServers]
        await kafkaTool('kafka-topics', [
          ...at,
          '--create',
          '--topic',
          topic,
          '--partitions',
          '1',
          '--config',
          'segment.bytes=1048576',
        ])
        for (const codec of CODECS) {
          await kafkaTool('kafka-producer-perf-test', [
            '--topic',
            topic,
            '--num-records',
            String(RECORDS_PER_CODEC),
            '--record-size',
            '200',
            '--throughput',
            '-1',
            ...at,
            '--command-property',
            'acks=all',
            '--command-property',
            `compression.type=${codec}`,
          ])
        }
        const read = [
          '--topic',
          topic,
          '--group',
          group,
          '--from-beginning',
          '--max-messages',
          String(TOTAL),
          '--timeout-ms',
          '30000',
        ]
        await kafkaTool('kafka-console-consumer', [...at, ...read])
        const properties = ['group.protocol=consumer', 'group.instance.id=one'].flatMap((property) => [
          '--command-property',
          property,
        ])
        const some = ['--topic', topic, '--group', modern, '--from-beginning', '--max-messages', '10', '--timeout-ms', '30000']
        await kafkaTool('kafka-console-consumer', [...at, ...some, ...properties])
      } finally {
        await broker.close()
      }
    })
    afterAll(() => rmSync(home, { recursive: true, force: true }))

    const files = (suffix: string, directory = `${topic}-0`): string[] =>
      readdirSync(join(dataDir, directory))
        .filter((name) => name.endsWith(suffix))
        .map((name) => join(dataDir, directory, name))

    test('DumpLogSegments reads every record of every segment and finds no fault', async () => {
      expect(files('.log').length).toBeGreaterThan(2)
      const dump = await kafkaTool('kafka-dump-log', ['--files', files('.log').join(','), '--deep-iteration', '--print-data-log'])
      expectNoFault(dump)
      expect(dump.match(/isvalid: true/g)?.length).toBe(dump.match(/^baseOffset: /gm)?.length)
      const offsets = [...dump.matchAll(/^\| offset: (\d+) /gm)].map((found) => Number(found[1]))
      expect(offsets).toEqual(Array.from({ length: TOTAL }, (_, index) => index))
      for (const codec of CODECS) expect(dump).toContain(`compresscodec: ${codec}`)
    })

    test('its offset and time indexes point where the log says', async () => {
      const indexes = [...files('.index'), ...files('.timeindex')]
      expect(indexes.length).toBe(2 * files('.log').length)
      const dump = await kafkaTool('kafka-dump-log', ['--files', indexes.join(','), '--index-sanity-check'])
      expectNoFault(dump)
      expect(dump.match(/passed sanity check/g)?.length).toBe(indexes.length)
      const verified = await kafkaTool('kafka-dump-log', ['--files', indexes.join(','), '--verify-index-only'])
      expectNoFault(verified)
    })

    test('its producer snapshots are readable', async () => {
      const snapshots = files('.snapshot')
      expect(snapshots.length).toBeGreaterThan(0)
      const dump = await kafkaTool('kafka-dump-log', ['--files', snapshots.join(',')])
      expect(dump).toMatch(/producerId: \d+ producerEpoch: 0 /)
    })

    test('the offsets topic decodes as the group that committed', async () => {
      const logs = readdirSync(dataDir)
        .filter((name) => name.startsWith('__consumer_offsets-'))
        .flatMap((name) => files('.log', name))
      const dump = await kafkaTool('kafka-dump-log', ['--files', logs.join(','), '--deep-iteration', '--offsets-decoder'])
      expectNoFault(dump)
      expect(dump).toContain(JSON.stringify({ group, topic, partition: 0 }).slice(1, -1))
      expect(dump).toMatch(new RegExp(`"offset":${TOTAL},`))
    })

    test('the offsets topic decodes as the consumer group with its member, epochs and assignments', async () => {
      const logs = readdirSync(dataDir)
        .filter((name) => name.startsWith('__consumer_offsets-'))
        .flatMap((name) => files('.log', name))
      const dump = await kafkaTool('kafka-dump-log', ['--files', logs.join(','), '--deep-iteration', '--offsets-decoder'])
      expectNoFault(dump)
      const records = dump.split('\n').filter((line) => line.includes(`"groupId":"${modern}"`))
      const payloads = records.map((line) => line.slice(line.indexOf('payload:')))
      const holding = (...parts: string[]): boolean => payloads.some((payload) => parts.every((part) => payload.includes(part)))
      expect(holding('"instanceId":"one"', `"subscribedTopicNames":["${topic}"]`)).toBe(true)
      expect(holding('"epoch":2', '"metadataHash":')).toBe(true)
      expect(holding('"assignmentEpoch":2', '"assignmentTimestamp":')).toBe(true)
      expect(holding('"memberEpoch":2', '"partitions":[0]', '"assignmentEpochs":[2]')).toBe(true)
      expect(holding('"memberEpoch":-2', '"assignmentEpochs":[0]')).toBe(true)
    })

    test('Apache Kafka opens a copy of it and serves every record and the committed offset', async () => {
      const copy = join(home, 'copy')
      cpSync(dataDir, copy, { recursive: true })
      await using kafka = await startRealKafka({ dataDir: copy })
      const at = ['--bootstrap-server', kafka.bootstrapServers]
      expect(await kafkaTool('kafka-get-offsets', [...at, '--topic', topic])).toBe(`${topic}:0:${TOTAL}\n`)
      const consumed = await kafkaTool('kafka-consumer-perf-test', [
        ...at,
        '--topic',
        topic,
        '--num-records',
        String(TOTAL),
        '--timeout',
        '30000',
      ])
      expect(consumed.trimEnd().split('\n').at(-1)!.split(',')[4]!.trim()).toBe(String(TOTAL))
      const described = await kafkaTool('kafka-consumer-groups', [...at, '--describe', '--group', group])
      expect(described).toMatch(new RegExp(`${group}\\s+${topic}\\s+0\\s+.*\\b${TOTAL}\\s+${TOTAL}\\s+0\\b`))
      const members = await kafkaTool('kafka-consumer-groups', [...at, '--describe', '--group', modern, '--members', '--verbose'])
      expect(members).toMatch(new RegExp(`^${modern}\\s+\\S+\\s+one\\s.*\\s1\\s.*${topic}:0`, 'm'))
    })
  },
)

function expectNoFault(dump: string): void {
  const faults = dump
    .split('\n')
    .filter((line) =>
      /mismatch|non-consecutive|invalid bytes|isvalid: false|could not|corrupt|not found in log|exception|larger than/i.test(
        line,
      ),
    )
  expect(faults).toEqual([])
}
