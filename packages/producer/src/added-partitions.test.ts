import { Admin } from '@millrace/admin'
import { Broker } from '@millrace/broker'
import { expect, test, vi } from 'vitest'
import { Producer } from './producer.ts'

test('a partition that was added is found when it is asked for', async () => {
  await using broker = await Broker.start({ port: 0 })
  const { bootstrapServers } = broker
  await using admin = new Admin({ bootstrapServers })
  await using producer = new Producer({ bootstrapServers })
  const topic = 'growing'
  await admin.createTopics([{ name: topic, numPartitions: 1 }])
  await producer.send({ topic, value: 'first' })
  await admin.createPartitions([{ topic, totalCount: 3 }])
  const added = { topic, partition: 2, value: 'added' }
  await expect(producer.send(added)).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
  await vi.waitFor(async () => expect(await producer.send(added)).toMatchObject({ partition: 2, offset: 0 }), { timeout: 20_000 })
})
