import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect, test } from 'vitest'
import { testBroker } from '../test/test-broker.ts'
import { Producer } from './producer.ts'

const { bootstrapServers, newTopic } = await testBroker()

test('one has what was refused before it was in a batch', async () => {
  const topic = await newTopic(1)
  const messages: unknown[] = []
  const listen = (message: unknown): void => void messages.push(message)
  subscribe('millrace:producer:refused', listen)
  try {
    const producer = new Producer({ bootstrapServers })
    const records = [{ value: 'good' }, { value: 1 as never }]
    await producer.send({ topic, value: 'v', partition: 1 }).catch(() => {})
    await producer.sendAll(topic, records).catch(() => {})
    await producer.sendAll(topic, records, { allOrNothing: true }).catch(() => {})
    expect(() => producer.post({ topic, value: 1 as never })).toThrow('value is 1')
    await producer.close()
    await producer.sendAll(topic, records).catch(() => {})
  } finally {
    unsubscribe('millrace:producer:refused', listen)
  }
  const refused = (recordCount: number, code: string): object => ({ topic, recordCount, error: { code } })
  expect(messages).toMatchObject([
    refused(1, 'UNKNOWN_TOPIC_OR_PARTITION'),
    refused(1, 'INVALID_RECORD'),
    refused(2, 'INVALID_RECORD'),
    refused(1, 'INVALID_RECORD'),
    refused(2, 'PRODUCER_CLOSED'),
  ])
})

test('one has each batch', async () => {
  const topic = await newTopic(1)
  const messages: unknown[] = []
  const listen = (message: unknown): void => void messages.push(message)
  subscribe('millrace:producer:batch', listen)
  try {
    await using producer = new Producer({ bootstrapServers })
    await producer.sendAll(topic, [{ value: 'a' }, { value: 'b' }])
  } finally {
    unsubscribe('millrace:producer:batch', listen)
  }
  expect(messages).toEqual([{ topic, partition: 0, recordCount: 2, attempts: 1, baseOffset: 0, error: null }])
})
