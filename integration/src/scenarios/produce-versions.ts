import { Producer, type ProducerOptions } from '@millrace/producer'
import { apiVersionsApi } from '@millrace/protocol/apis/api-versions'
import { produceApi } from '@millrace/protocol/apis/produce'
import { rewrite, rewritingEnvironment } from '@millrace/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { uniqueName, type SuiteBroker } from '../suite.ts'
import { Clients, read } from './clients.ts'

const OLDEST = 3
const NEWEST = 13
const FIRST_WITH_ZSTD = 7
const FIRST_WITH_RECORD_ERRORS = 8
const DAY_MS = 86_400_000
const VERSIONS = Array.from({ length: NEWEST - OLDEST + 1 }, (_, index) => OLDEST + index)

/** A producer to which the broker says that it serves Produce up to `version`; `used` gets the versions that it then uses. */
function producerAt(broker: SuiteBroker, version: number, used: Set<number>, options: Partial<ProducerOptions> = {}): Producer {
  const environment = rewritingEnvironment(
    [
      rewrite(apiVersionsApi, (response) => ({
        ...response,
        apiKeys: response.apiKeys.map((one) =>
          one.apiKey === produceApi.key ? { ...one, maxVersion: Math.min(one.maxVersion, version) } : one,
        ),
      })),
    ],
    (request) => {
      if (request.apiKey === produceApi.key) used.add(request.version)
    },
  )
  const producer = new Producer({ bootstrapServers: broker.bootstrapServers, ...options }, environment)
  onTestFinished(() => producer.close())
  return producer
}

/** Every version of Produce that there is to speak, to the same effect. */
export function produceVersions(broker: SuiteBroker): void {
  describe.each(VERSIONS)('Produce v%i', (version) => {
    test('stores the same records', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(2)
      const used = new Set<number>()
      const compressionType = version < FIRST_WITH_ZSTD ? 'gzip' : 'zstd'
      const producer = producerAt(broker, version, used, { compressionType })
      const records = [
        {
          key: 'k',
          value: 'v',
          headers: [
            ['a', '1'],
            ['a', null],
          ] as const,
          timestamp: 1_700_000_000_000,
          partition: 0,
        },
        { key: null, value: '', partition: 0 },
        { key: '', value: null, partition: 0 },
        ...Array.from({ length: 300 }, (_, index) => ({ value: `${index} ${'abc'.repeat(index)}`, partition: 1 })),
      ]
      const { ranges } = await producer.sendAll(topic, records)
      expect(ranges.reduce((sum, { recordCount }) => sum + recordCount, 0)).toBe(records.length)
      for (const { partition, firstOffset, recordCount, logAppendTime } of ranges) {
        expect([firstOffset, logAppendTime]).toEqual([0, -1])
        expect(recordCount).toBe(partition === 0 ? 3 : 300)
      }
      const stored = await read(clients.consumer(topic, uniqueName('versions')), records.length)
      const first = stored.filter(({ partition }) => partition === 0)
      expect(first.map(({ key, value }) => [key, value])).toEqual([
        ['k', 'v'],
        [null, ''],
        ['', null],
      ])
      expect([first[0]!.timestamp, first[0]!.headers]).toEqual([
        1_700_000_000_000,
        [
          ['a', '1'],
          ['a', null],
        ],
      ])
      expect(stored.filter(({ partition }) => partition === 1).map(({ value }) => value)).toEqual(
        records.slice(3).map(({ value }) => value),
      )
      expect([...used]).toEqual([version])
    })

    test('gives the time at which the broker stored a record, where the topic says so', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1, { 'message.timestamp.type': 'LogAppendTime' })
      const producer = producerAt(broker, version, new Set())
      const { offset, timestamp } = await producer.send({ topic, value: 'v', timestamp: 1_000 })
      const [record] = await read(clients.consumer(topic, uniqueName('append-time')), 1)
      expect([offset, timestamp]).toEqual([0, record!.timestamp])
      expect(timestamp).toBeGreaterThan(1_700_000_000_000)
    })

    test('says what the broker refuses, and goes on', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1, { 'message.timestamp.after.max.ms': '60000', 'max.message.bytes': '2000' })
      const producer = producerAt(broker, version, new Set())
      const early: unknown = await producer
        .send({ topic, value: 'v', timestamp: Date.now() + DAY_MS })
        .catch((error: unknown) => error)
      expect(early).toMatchObject({ code: 'INVALID_TIMESTAMP' })
      if (version >= FIRST_WITH_RECORD_ERRORS) expect(early).toMatchObject({ message: expect.stringContaining('record 0: ') })
      await expect(producer.send({ topic, value: 'x'.repeat(4_000) })).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
      expect(await producer.send({ topic, value: 'good' })).toMatchObject({ offset: 0 })
    })
  })

  test('zstd is refused by the versions that do not know it', async () => {
    const topic = await new Clients(broker).topic(1)
    const producer = producerAt(broker, FIRST_WITH_ZSTD - 1, new Set(), { compressionType: 'zstd' })
    await expect(producer.send({ topic, value: 'v' })).rejects.toMatchObject({ code: 'UNSUPPORTED_COMPRESSION_TYPE' })
  })

  test('a broker older than every version that is spoken is refused by name', async () => {
    const topic = await new Clients(broker).topic(1)
    const producer = producerAt(broker, OLDEST - 1, new Set())
    const error: unknown = await producer.send({ topic, value: 'v' }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'UNSUPPORTED_VERSION', message: expect.stringContaining('Produce') })
  })
}
