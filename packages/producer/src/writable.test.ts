import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { testBroker } from '../test/test-broker.ts'
import { Producer } from './producer.ts'

const { bootstrapServers, newTopic } = await testBroker({ 'message.max.bytes': 10_000 })

function newProducer(): Producer {
  const options = { bootstrapServers, bufferMemory: 20_000, batchSize: 2_000, lingerMs: 50_000 }
  return new Producer(options)
}

const many = Array.from({ length: 1_000 }, (_, index) => ({ value: `${index}`.padEnd(100, '.') }))

test('the Web stream sends through little memory, and closes when all is stored', async () => {
  const topic = await newTopic()
  await using producer = newProducer()
  await (Readable.toWeb(Readable.from(many)) as ReadableStream).pipeTo(producer.writable(topic) as never)
  expect(producer.metrics()['record-send-total']).toBe(1_000)
  const writer = producer.writable().getWriter()
  await writer.write({ topic, value: 'named' })
  await writer.close()
  const last = producer.send({ topic, value: 'last' })
  await producer.flush()
  expect((await last).offset).toBe(1_001)
})

test('the Node stream does the same', async () => {
  const topic = await newTopic()
  await using producer = newProducer()
  await pipeline(Readable.from(many), producer.nodeWritable(topic))
  expect(producer.metrics()['record-send-total']).toBe(1_000)
  await pipeline(Readable.from([{ topic, value: 'named' }]), producer.nodeWritable())
  const last = producer.send({ topic, value: 'last' })
  await producer.flush()
  expect((await last).offset).toBe(1_001)
})

test('a record that is not stored ends either stream with its error', async () => {
  const topic = await newTopic()
  await using producer = newProducer()
  const records = [{ value: 'good' }, { value: 'x'.repeat(11_000) }, { value: 'good' }]
  const writer = producer.writable(topic).getWriter()
  const closed = writer.closed.catch((error: unknown) => error)
  for (const record of records) writer.write(record).catch(() => {})
  await expect(writer.close()).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
  expect(await closed).toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
  await expect(pipeline(Readable.from(records), producer.nodeWritable(topic))).rejects.toMatchObject({
    code: 'MESSAGE_TOO_LARGE',
  })
})

test('so does wrong input; a wrong topic and a closed producer are refused', async () => {
  const topic = await newTopic()
  const producer = newProducer()
  await expect(
    producer
      .writable(topic)
      .getWriter()
      .write({ value: 1 as never }),
  ).rejects.toMatchObject({ code: 'INVALID_RECORD' })
  await expect(pipeline(Readable.from([{ value: 1 }]), producer.nodeWritable(topic))).rejects.toMatchObject({
    code: 'INVALID_RECORD',
  })
  expect(() => producer.writable('no spaces')).toThrow(expect.objectContaining({ code: 'INVALID_TOPIC_EXCEPTION' }))
  const stream = producer.writable(topic)
  await producer.close()
  await expect(stream.getWriter().write({ value: 'v' })).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' })
})
