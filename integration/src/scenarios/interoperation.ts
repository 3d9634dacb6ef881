import { javaArguments, runOk } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import { consoleArguments, kafkaTool } from '../foreign/tools.ts'
import { startVerifiableConsumer } from '../foreign/verifiable-consumer.ts'
import { uniqueName, type SuiteBroker } from '../suite.ts'
import { ascending, Clients, read, seen, until, type Seen } from './clients.ts'

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** Our clients beside Java's on the same topics and in the same group. */
export function interoperation(broker: SuiteBroker): void {
  describe("beside Java's clients", () => {
    test.each(CODECS)('Java reads what we wrote, with keys, headers and nulls (%s)', async (compressionType) => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1)
      await clients.producer({ compressionType }).sendAll(topic, [
        {
          key: 'k1',
          value: 'first',
          headers: [
            ['h', 'x'],
            ['h', 'y'],
          ],
        },
        { key: null, value: 'ünïcode 🌍' },
        { key: 'k3', value: null },
      ])
      const printed = await kafkaTool('kafka-console-consumer', [
        ...consoleArguments(broker.bootstrapServers, topic, 3),
        ...['print.key', 'print.headers', 'print.offset'].flatMap((name) => ['--formatter-property', `${name}=true`]),
      ])
      expect(printed.trimEnd().split('\n')).toEqual([
        'Offset:0\th:x,h:y\tk1\tfirst',
        'Offset:1\tNO_HEADERS\tnull\tünïcode 🌍',
        'Offset:2\tNO_HEADERS\tk3\tnull',
      ])
    })

    test.each(CODECS)('we read what Java wrote, and put its keys where Java puts them (%s)', async (codec) => {
      const clients = new Clients(broker)
      const topic = await clients.topic(6)
      const keys = Array.from({ length: 40 }, (_, index) => `schlüssel-${index * 7919}`)
      await kafkaTool(
        'kafka-console-producer',
        [
          '--bootstrap-server',
          broker.bootstrapServers,
          '--topic',
          topic,
          '--compression-codec',
          codec,
          '--reader-property',
          'parse.key=true',
          '--reader-property',
          'parse.headers=true',
        ],
        { input: keys.map((key) => `from:java\t${key}\tvalue of ${key}\n`).join('') },
      )
      const producer = clients.producer()
      const ours = await Promise.all(keys.map((key) => producer.send({ topic, key, value: 'ours' })))
      const records = await read(clients.consumer(topic, uniqueName('interop')), 2 * keys.length)
      const javas = new Map(records.filter((record) => record.value !== 'ours').map((record) => [record.key, record]))
      expect(javas.size).toBe(keys.length)
      for (const [index, key] of keys.entries()) {
        expect(javas.get(key)).toMatchObject({
          value: `value of ${key}`,
          headers: [['from', 'java']],
          partition: ours[index]!.partition,
        })
      }
    })

    test('a Java consumer and ours share a group', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(4)
      const group = uniqueName('mixed')
      const java = startVerifiableConsumer(await javaArguments(), broker.bootstrapServers, topic, group)
      await until(() => java.assigned().length === 4, 'Java to own all partitions')
      const consumer = clients.consumer(topic, group, { heartbeatIntervalMs: 300 })
      const records: Seen[] = []
      const loop = (async (): Promise<void> => {
        for await (const record of consumer) records.push(seen(record))
      })()
      await until(() => consumer.assignment.length === 2 && java.assigned().length === 2, 'two partitions for each')
      expect([...consumer.assignment.map(({ partition }) => partition), ...java.assigned()].toSorted(ascending)).toEqual([
        0, 1, 2, 3,
      ])
      await clients.producer().sendAll(
        topic,
        Array.from({ length: 200 }, (_, index) => ({ value: `${index}`, partition: index % 4 })),
      )
      await until(() => records.length + java.values().length >= 200, 'all 200 records')
      const values = [...records.map((record) => Number(record.value)), ...java.values().map(Number)]
      expect(values.toSorted(ascending)).toEqual(Array.from({ length: 200 }, (_, index) => index))
      expect(records).toHaveLength(100)

      await java.stop()
      await until(() => consumer.assignment.length === 4, 'all partitions after Java left')
      consumer.stop()
      await loop
    })
  })
}

/** kcat reads what we wrote and the other way round, where it is installed. */
export function interoperationWithKcat(broker: SuiteBroker): void {
  test('kcat and we read each other', async () => {
    const clients = new Clients(broker)
    const topic = await clients.topic(1)
    await clients.producer().send({ topic, key: 'k', value: 'ours' })
    await runOk('kcat', ['-b', broker.bootstrapServers, '-P', '-t', topic, '-p', '0', '-K', ':'], { input: 'k:theirs\n' })
    const printed = await runOk('kcat', [
      '-b',
      broker.bootstrapServers,
      '-C',
      '-t',
      topic,
      '-o',
      'beginning',
      '-e',
      '-q',
      '-f',
      '%o %k=%s\n',
    ])
    expect(printed.stdout).toBe('0 k=ours\n1 k=theirs\n')
    const records = await read(clients.consumer(topic, uniqueName('kcat')), 2)
    expect(records.map((record) => record.value)).toEqual(['ours', 'theirs'])
  })
}
