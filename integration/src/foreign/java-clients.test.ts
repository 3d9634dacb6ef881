import { expect, test } from 'vitest'
import { describeOn, uniqueName } from '../suite.ts'
import { brokerUnderTest } from './broker-under-test.ts'
import { consoleArguments, kafkaTool, missing } from './tools.ts'

await describeOn("Kafka's console and performance clients", brokerUnderTest, [missing.java], (broker) => {
  const create = async (prefix: string, partitions: number): Promise<string> => {
    const topic = uniqueName(prefix)
    await kafkaTool('kafka-topics', [
      '--bootstrap-server',
      broker.bootstrapServers,
      '--create',
      '--topic',
      topic,
      '--partitions',
      String(partitions),
    ])
    return topic
  }

  test('the console producer and consumer carry keys, headers, nulls, unicode and order', async () => {
    const topic = await create('console', 1)
    const records = ['h1:v1,h2:\tk0\tfirst', 'NULL\tk1\tgrüße 🌍 Ωμέγα', 'NULL\tk2\t', 'a:b\tk0\tlast', 'NULL\tk3\tNULL']
    await kafkaTool(
      'kafka-console-producer',
      [
        '--bootstrap-server',
        broker.bootstrapServers,
        '--topic',
        topic,
        '--reader-property',
        'parse.key=true',
        '--reader-property',
        'parse.headers=true',
        '--reader-property',
        'null.marker=NULL',
      ],
      { input: `${records.join('\n')}\n` },
    )
    const printed = await kafkaTool('kafka-console-consumer', [
      ...consoleArguments(broker.bootstrapServers, topic, 5),
      ...['print.key', 'print.headers', 'print.offset', 'print.partition'].flatMap((name) => [
        '--formatter-property',
        `${name}=true`,
      ]),
    ])
    expect(printed.trimEnd().split('\n')).toEqual([
      'Partition:0\tOffset:0\th1:v1,h2:\tk0\tfirst',
      'Partition:0\tOffset:1\tNO_HEADERS\tk1\tgrüße 🌍 Ωμέγα',
      'Partition:0\tOffset:2\tNO_HEADERS\tk2\t',
      'Partition:0\tOffset:3\ta:b\tk0\tlast',
      'Partition:0\tOffset:4\tNO_HEADERS\tk3\tnull',
    ])
  })

  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])(
    'ProducerPerformance and ConsumerPerformance count the same records with %s',
    async (codec) => {
      const topic = await create(`perf-${codec}`, 3)
      const produced = await kafkaTool('kafka-producer-perf-test', [
        '--topic',
        topic,
        '--num-records',
        '20000',
        '--record-size',
        '100',
        '--throughput',
        '-1',
        '--bootstrap-server',
        broker.bootstrapServers,
        '--command-property',
        'acks=all',
        '--command-property',
        `compression.type=${codec}`,
      ])
      expect(produced.trimEnd().split('\n').at(-1)).toMatch(/^20000 records sent, /)
      const consumed = await kafkaTool('kafka-consumer-perf-test', [
        '--bootstrap-server',
        broker.bootstrapServers,
        '--topic',
        topic,
        '--num-records',
        '20000',
        '--timeout',
        '30000',
      ])
      const columns = consumed
        .trimEnd()
        .split('\n')
        .at(-1)!
        .split(',')
        .map((cell) => cell.trim())
      expect(columns[4]).toBe('20000')
      const offsets = await kafkaTool('kafka-get-offsets', ['--bootstrap-server', broker.bootstrapServers, '--topic', topic])
      const ends = offsets
        .trimEnd()
        .split('\n')
        .map((line) => Number(line.split(':')[2]))
      expect(ends.reduce((sum, end) => sum + end, 0)).toBe(20_000)
    },
  )

  test('an acks=0 and an acks=1 producer lose nothing on a healthy broker', async () => {
    const topic = await create('acks', 1)
    for (const acks of ['0', '1']) {
      await kafkaTool('kafka-producer-perf-test', [
        '--topic',
        topic,
        '--num-records',
        '5000',
        '--record-size',
        '50',
        '--throughput',
        '-1',
        '--bootstrap-server',
        broker.bootstrapServers,
        '--command-property',
        `acks=${acks}`,
        '--command-property',
        'enable.idempotence=false',
      ])
    }
    const offsets = await kafkaTool('kafka-get-offsets', ['--bootstrap-server', broker.bootstrapServers, '--topic', topic])
    expect(offsets).toBe(`${topic}:0:10000\n`)
  })

  test('the verifiable producer and consumer see every record once', async () => {
    const topic = await create('verifiable', 3)
    const produced = await kafkaTool('kafka-verifiable-producer', [
      '--bootstrap-server',
      broker.bootstrapServers,
      '--topic',
      topic,
      '--max-messages',
      '2000',
      '--acks',
      '-1',
      '--throughput',
      '-1',
    ])
    const acknowledged = events(produced).filter((event) => event.name === 'producer_send_success')
    expect(acknowledged.map((event) => Number(event['value'])).toSorted((left, right) => left - right)).toEqual(upTo(2000))

    const consumed = await kafkaTool('kafka-verifiable-consumer', [
      '--bootstrap-server',
      broker.bootstrapServers,
      '--topic',
      topic,
      '--group-id',
      uniqueName('verifiers'),
      '--max-messages',
      '2000',
      '--reset-policy',
      'earliest',
      '--verbose',
    ])
    const seen = events(consumed)
    const values = seen.filter((event) => event.name === 'record_data').map((event) => Number(event['value']))
    expect(values.toSorted((left, right) => left - right)).toEqual(upTo(2000))
    expect(seen.filter((event) => event.name === 'partitions_assigned').flatMap((event) => event['partitions'])).toHaveLength(3)
    const commits = seen.filter((event) => event.name === 'offsets_committed')
    expect(commits.length).toBeGreaterThan(0)
    expect(commits.every((event) => event['success'] === true)).toBe(true)
  })
})

interface VerifiableEvent {
  readonly name: string
  readonly [field: string]: unknown
}

function events(output: string): VerifiableEvent[] {
  return output
    .trimEnd()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as VerifiableEvent)
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}
