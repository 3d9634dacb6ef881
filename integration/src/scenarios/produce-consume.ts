import { KafkaError } from '@millrace/protocol'
import { describe, expect, test } from 'vitest'
import { uniqueName, type SuiteBroker } from '../suite.ts'
import { Clients, read } from './clients.ts'

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

export function produceAndConsume(broker: SuiteBroker): void {
  describe('producing and consuming', () => {
    test('records of one key stay in one partition and in order', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(3)
      const producer = clients.producer()
      const keys = Array.from({ length: 9 }, (_, index) => `key-${index}`)
      const sent = await Promise.all(
        Array.from({ length: 900 }, (_, index) => producer.send({ topic, key: keys[index % keys.length]!, value: `${index}` })),
      )
      const records = await read(clients.consumer(topic, uniqueName('ordered')), sent.length)
      for (const key of keys) {
        const ofKey = records.filter((record) => record.key === key)
        expect(new Set(ofKey.map((record) => record.partition)).size).toBe(1)
        const values = ofKey.map((record) => Number(record.value))
        expect(values).toEqual(Array.from({ length: 100 }, (_, index) => index * keys.length + keys.indexOf(key)))
      }
      const places = new Map(records.map((record) => [record.value, `${record.partition}@${record.offset}`]))
      for (const [index, { partition, offset }] of sent.entries()) expect(places.get(`${index}`)).toBe(`${partition}@${offset}`)
    })

    test('sendAll says where its records are, and batches give them back', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(2)
      const result = await clients.producer().sendAll(
        topic,
        Array.from({ length: 5_000 }, (_, index) => ({ value: `record ${index}` })),
      )
      expect(result.recordCount).toBe(5_000)
      const consumer = clients.consumer(topic, uniqueName('batched'), { maxPollRecords: 100 })
      const values = new Set<string>()
      const next = new Map<number, number>()
      for await (const batch of consumer.batches()) {
        expect(batch.firstOffset).toBe(next.get(batch.partition) ?? 0)
        let count = 0
        for (const record of batch) {
          expect(record.offset).toBe(batch.firstOffset + count++)
          values.add(record.value!.toString())
        }
        expect(count).toBeLessThanOrEqual(100)
        expect(batch.lastOffset).toBe(batch.firstOffset + count - 1)
        next.set(batch.partition, batch.lastOffset + 1)
        if (values.size === 5_000) consumer.stop()
      }
      expect([...next.values()].reduce((sum, end) => sum + end, 0)).toBe(5_000)
    })

    test.each(CODECS)('records arrive as sent with %s', async (compressionType) => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1)
      const values = Array.from({ length: 300 }, (_, index) => `${compressionType} ${index} ${'abcdefgh'.repeat(index)}`)
      await clients.producer({ compressionType }).sendAll(
        topic,
        values.map((value, index) => ({ key: `${index}`, value })),
      )
      const records = await read(clients.consumer(topic, uniqueName('codec')), values.length)
      expect(records.map((record) => record.value)).toEqual(values)
      expect(records.map((record) => record.key)).toEqual(values.map((_, index) => `${index}`))
    })

    test('headers, nulls, empty and unicode values, timestamps and large records keep their shape', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1)
      const large = 'ß'.repeat(450_000)
      const timestamp = Date.now() - 5_000
      const producer = clients.producer()
      const shapes = [
        {
          key: 'k',
          value: 'v',
          headers: [
            ['a', '1'],
            ['a', '2'],
            ['none', null],
            ['empty', ''],
            ['ключ', '値'],
          ] as const,
          timestamp,
        },
        { key: 'tombstone', value: null },
        { key: null, value: '' },
        { key: '', value: '🌍 grüße \u0000 end' },
        { value: large },
      ]
      for (const shape of shapes) await producer.send({ topic, ...shape })
      const records = await read(clients.consumer(topic, uniqueName('shapes')), shapes.length)
      expect(records.map(({ key, value }) => [key, value])).toEqual([
        ['k', 'v'],
        ['tombstone', null],
        [null, ''],
        ['', '🌍 grüße \u0000 end'],
        [null, large],
      ])
      expect(records[0]!.headers).toEqual([
        ['a', '1'],
        ['a', '2'],
        ['none', null],
        ['empty', ''],
        ['ключ', '値'],
      ])
      expect(records[0]!.timestamp).toBe(timestamp)
      expect(records[1]!.headers).toEqual([])
    })

    test.each(['all', 1, 0] as const)('acks %s', async (acks) => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1)
      const producer = clients.producer({ acks })
      const first = await producer.send({ topic, value: 'one' })
      expect(first.offset).toBe(acks === 0 ? -1 : 0)
      await producer.send({ topic, value: 'two' })
      const records = await read(clients.consumer(topic, uniqueName('acks')), 2)
      expect(records.map((record) => record.value)).toEqual(['one', 'two'])
    })

    test('a partition that is named is used, and one that does not exist is refused', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(3)
      const producer = clients.producer({ maxBlockMs: 5_000 })
      expect(await producer.send({ topic, value: 'here', partition: 2, key: 'any' })).toMatchObject({
        topic,
        partition: 2,
        offset: 0,
      })
      await expect(producer.send({ topic, value: 'nowhere', partition: 7 })).rejects.toThrow(KafkaError)
      await expect(producer.send({ topic, value: 'nowhere', partition: 7 })).rejects.toThrow(/7/)
    })

    test('a record too large for the topic is refused by the broker, one too large for the producer before it is sent', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1, { 'max.message.bytes': '2000' })
      const producer = clients.producer()
      await expect(producer.send({ topic, value: 'x'.repeat(5_000) })).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
      await expect(producer.send({ topic, value: 'x'.repeat(2_000_000) })).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' })
      expect(await producer.send({ topic, value: 'fits' })).toMatchObject({ offset: 0 })
    })

    test('producing to an unknown topic creates it; a name that no topic can have is refused', async () => {
      const clients = new Clients(broker)
      const topic = clients.topicName('created')
      const producer = clients.producer()
      expect(await producer.send({ topic, value: 'first' })).toMatchObject({ topic, offset: 0 })
      expect((await clients.admin.listTopics()).map((listed) => listed.name)).toContain(topic)
      await expect(producer.send({ topic: 'no spaces', value: '' })).rejects.toMatchObject({ code: 'INVALID_TOPIC_EXCEPTION' })
    })

    test('flush sends what lingers, and a closed producer refuses', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1)
      const producer = clients.producer({ lingerMs: 60_000, deliveryTimeoutMs: 120_000 })
      const sent = producer.send({ topic, value: 'lingering' })
      await producer.flush()
      expect(await sent).toMatchObject({ offset: 0 })
      await producer.close()
      await expect(producer.send({ topic, value: 'late' })).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' })
    })

    test('consuming begins where autoOffsetReset says', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1)
      const producer = clients.producer()
      await producer.send({ topic, value: 'before' })
      const latest = clients.consumer(topic, uniqueName('latest'), { autoOffsetReset: 'latest' })
      const assigned = new Promise((resolve) => latest.on('assigned', resolve))
      const first = read(latest, 1)
      await assigned
      // The position is looked up after the assignment, so more than one record may come too early for it.
      const progress = { isRead: false }
      void first.finally(() => (progress.isRead = true))
      while (!progress.isRead) await producer.send({ topic, value: 'after' })
      expect((await first)[0]!.value).toBe('after')
      const none = clients.consumer(topic, uniqueName('none'), { autoOffsetReset: 'none' })
      await expect(read(none, 1)).rejects.toMatchObject({ name: 'NoOffsetError' })
    })
  })
}
