import { Admin } from '@millrace/admin'
import { Broker } from '@millrace/broker'
import { expect, test } from 'vitest'
import { Producer } from './producer.ts'

test.each([
  { before: 4, after: 2 },
  { before: 2, after: 4 },
  { before: 1, after: 1 },
])(
  'a topic that is made anew, with $after partitions instead of $before, gets records in all that it has now',
  async ({ before, after }) => {
    await using broker = await Broker.start({ port: 0, config: { 'auto.create.topics.enable': false } })
    const { bootstrapServers } = broker
    await using admin = new Admin({ bootstrapServers })
    await using producer = new Producer({ bootstrapServers, deliveryTimeoutMs: 3_000, requestTimeoutMs: 2_000 })
    const topic = 'again'
    await admin.createTopics([{ name: topic, numPartitions: before }])
    const records = Array.from({ length: 100 }, (_, index) => ({ key: `k${index}`, value: 'v' }))
    expect((await producer.sendAll(topic, records)).ranges).toHaveLength(before)

    await admin.deleteTopics([topic])
    await admin.createTopics([{ name: topic, numPartitions: after }])
    expect(await producer.send({ topic, partition: 0, value: 'first' })).toMatchObject({ partition: 0, offset: 0 })
    expect((await producer.sendAll(topic, records)).ranges).toHaveLength(after)
    const places = await Promise.all(records.map(() => producer.send({ topic, value: 'unkeyed' })))
    expect(Math.max(...places.map(({ partition }) => partition))).toBeLessThan(after)
  },
)
