import type { ConsumerRecord } from '@millrace/consumer-group'
import { describe, expect, test } from 'vitest'
import { uniqueName, type SuiteBroker } from '../suite.ts'
import { ascending, Clients } from './clients.ts'

const KEYS = 12
const PER_KEY = 25
const CONCURRENCY = 8

/** `KEYS * PER_KEY` records of three partitions, by turns of their keys; the value is the place among those of its key. */
async function produceKeyed(clients: Clients, topic: string): Promise<void> {
  const records = Array.from({ length: KEYS * PER_KEY }, (_, index) => ({
    key: `key ${index % KEYS}`,
    value: `${Math.floor(index / KEYS)}`,
    partition: (index % KEYS) % 3,
  }))
  await clients.producer().sendAll(topic, records)
}

/** A promise that the test resolves. */
function gate(): { opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

export function running(broker: SuiteBroker): void {
  describe('handlers by run', () => {
    test('handle the records of a key one after another, those of others side by side', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(3)
      await produceKeyed(clients, topic)
      const group = uniqueName('by-key')
      const consumer = clients.consumer(topic, group)
      const handled = new Map<string, number[]>()
      const busy = new Set<string>()
      let count = 0
      let most = 0
      await consumer.run({
        concurrency: CONCURRENCY,
        orderedBy: 'key',
        eachRecord: async ({ key, value }) => {
          const name = String(key)
          expect(busy.has(name)).toBe(false)
          busy.add(name)
          most = Math.max(most, busy.size)
          // Handlers of different lengths overtake each other.
          for (let turn = 0; turn < (count * 7) % 5; turn++) await new Promise((resolve) => setImmediate(resolve))
          handled.set(name, [...(handled.get(name) ?? []), Number(value)])
          busy.delete(name)
          if (++count === KEYS * PER_KEY) consumer.stop()
        },
      })
      expect(handled.size).toBe(KEYS)
      for (const values of handled.values()) expect(values).toEqual(Array.from({ length: PER_KEY }, (_, index) => index))
      expect(most).toBeGreaterThan(1)
      expect(most).toBeLessThanOrEqual(CONCURRENCY)
      const each = (KEYS * PER_KEY) / 3
      expect(await clients.committed(group, topic)).toEqual(new Map([0, 1, 2].map((partition) => [partition, each])))
    })

    test('commit what lies before the first record that is not handled, and no more', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1)
      const records = Array.from({ length: 10 }, (_, index) => ({ key: `${index}`, value: `${index}` }))
      await clients.producer().sendAll(topic, records)
      const group = uniqueName('prefix')
      const consumer = clients.consumer(topic, group)
      const slow = gate()
      const others = gate()
      const seen: number[] = []
      const done = consumer.run({
        concurrency: CONCURRENCY,
        orderedBy: 'key',
        eachRecord: async ({ offset }) => {
          if (offset === 4) await slow.opened
          seen.push(offset)
          if (seen.length === 9) others.open()
        },
      })
      await others.opened
      expect(seen.toSorted(ascending)).toEqual([0, 1, 2, 3, 5, 6, 7, 8, 9])
      await consumer.commit()
      expect(await clients.committed(group, topic)).toEqual(new Map([[0, 4]]))
      slow.open()
      consumer.stop()
      await done
      expect(await clients.committed(group, topic)).toEqual(new Map([[0, 10]]))
    })

    test('send what fails to the retry topic, then to the dead letters with its cause; the others go on', async () => {
      const clients = new Clients(broker)
      const [topic, retryTopic, deadLetterTopic] = [await clients.topic(2), await clients.topic(1), await clients.topic(1)]
      const producer = clients.producer()
      const headers = [['trace', 'abc']] as const
      await producer.sendAll(topic, [
        { key: 'a', value: 'good', partition: 1 },
        { key: 'b', value: 'passing', partition: 1 },
        { key: 'c', value: 'hopeless', partition: 1, headers, timestamp: 1_700_000_000_000 },
        { key: 'd', value: 'good', partition: 1 },
      ])
      const group = uniqueName('failing')
      const consumer = clients.consumer(topic, group)
      const calls: string[] = []
      const ended = new Set<string>()
      const over = (what: string): void => {
        ended.add(what)
        if (ended.size === 4) consumer.stop()
      }
      consumer.on('handlerFailed', ({ action }) => {
        if (action === 'deadLetter') over('hopeless')
      })
      await consumer.run({
        concurrency: CONCURRENCY,
        orderedBy: 'key',
        retry: { retries: 1, backoffMs: 1 },
        retryTopics: [{ topic: retryTopic, delayMs: 20 }],
        deadLetterTopic,
        producer,
        eachRecord: (record, { attempt }) => {
          const value = String(record.value)
          calls.push(`${record.topic === retryTopic ? 'retry' : 'first'} ${value} #${attempt}`)
          if (value === 'hopeless' || (value === 'passing' && attempt < 3)) throw new RangeError(`${value} at ${attempt}`)
          over(`${value} ${String(record.key)}`)
        },
      })
      const of = (value: string): string[] => calls.filter((call) => call.includes(value))
      expect(of('good')).toEqual(['first good #1', 'first good #1'])
      expect(of('passing')).toEqual(['first passing #1', 'first passing #2', 'retry passing #3'])
      expect(of('hopeless')).toEqual(['first hopeless #1', 'first hopeless #2', 'retry hopeless #3', 'retry hopeless #4'])
      expect((await clients.committed(group, topic)).get(1)).toBe(4)
      expect(await clients.committed(group, retryTopic)).toEqual(new Map([[0, 2]]))
      expectLetter(await onlyRecord(clients, deadLetterTopic), topic, group)
    })
  })
}

/** The record of a topic that has one. */
async function onlyRecord(clients: Clients, topic: string): Promise<ConsumerRecord> {
  const reader = clients.reader()
  const [end] = await reader.endOffsets([{ topic, partition: 0 }])
  expect(end!.offset).toBe(1)
  reader.assign([{ topic, partition: 0, offset: 0 }])
  for await (const record of reader) return record
  throw new Error(`nothing came from ${topic}`)
}

function expectLetter(letter: ConsumerRecord, topic: string, group: string): void {
  expect([String(letter.key), String(letter.value)]).toEqual(['c', 'hopeless'])
  expect(letter.headers[0]).toEqual(['trace', Buffer.from('abc')])
  const said = new Map(letter.headers)
  const text = (name: string): string => String(said.get(`kafka_dlt-${name}`))
  expect([text('original-topic'), text('original-consumer-group')]).toEqual([topic, group])
  expect(said.get('kafka_dlt-original-partition')!.readInt32BE()).toBe(1)
  expect(said.get('kafka_dlt-original-offset')!.readBigInt64BE()).toBe(2n)
  expect(said.get('kafka_dlt-original-timestamp')!.readBigInt64BE()).toBe(1_700_000_000_000n)
  expect(text('original-timestamp-type')).toBe('CreateTime')
  expect([text('exception-fqcn'), text('exception-message')]).toEqual(['RangeError', 'hopeless at 4'])
  expect(said.get('retry_topic-attempts')!.readInt32BE()).toBe(4)
}
