import { Admin } from '@millrace/admin'
import { Broker } from '@millrace/broker'
import { Consumer, type ConsumerRecord } from '@millrace/consumer-group'
import { afterAll } from 'vitest'

export interface TestBroker {
  readonly bootstrapServers: string
  /** A new topic's name. */
  newTopic(numPartitions?: number): Promise<string>
  /** The first `count` records of a topic, by partition and offset. */
  readAll(topic: string, count: number): Promise<ConsumerRecord[]>
}

/** A broker for the tests of one file: awaited where the file begins, closed after its tests. */
export async function testBroker(config: Readonly<Record<string, number>> = {}): Promise<TestBroker> {
  const broker = await Broker.start({ port: 0, config })
  afterAll(() => broker.close())
  const { bootstrapServers } = broker
  let names = 0
  return {
    bootstrapServers,
    async newTopic(numPartitions = 1) {
      const name = `t${names++}`
      await using admin = new Admin({ bootstrapServers })
      await admin.createTopics([{ name, numPartitions }])
      return name
    },
    async readAll(topic, count) {
      const groupId = `reader-${names++}`
      await using consumer = new Consumer({ bootstrapServers, groupId, topics: [topic], autoOffsetReset: 'earliest' })
      const records: ConsumerRecord[] = []
      for await (const record of consumer) {
        records.push(record)
        if (records.length >= count) consumer.stop()
      }
      return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset)
    },
  }
}
