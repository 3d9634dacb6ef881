import { Kafka, logLevel } from 'kafkajs'

/** Creates, reads and deletes topics outside what is measured. */
export interface Topics {
  create(topic: string, partitions: number): Promise<void>
  /** How many messages were ever stored in a topic. */
  stored(topic: string): Promise<number>
  remove(topic: string): Promise<void>
  close(): Promise<void>
}

/** Waits until the broker's group coordinator answers, too. */
export async function connectTopics(bootstrapServers: string): Promise<Topics> {
  const admin = new Kafka({ clientId: 'bench-helper', brokers: [bootstrapServers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  for (let attempt = 1; ; attempt++) {
    try {
      await admin.fetchOffsets({ groupId: 'bench-warm-up' })
      break
    } catch (error) {
      if (attempt === 10) throw error
    }
  }
  return {
    create: async (topic, numPartitions) => {
      await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1 }], waitForLeaders: true })
    },
    stored: async (topic) => {
      const offsets = await admin.fetchTopicOffsets(topic)
      return offsets.reduce((total, { high }) => total + Number(high), 0)
    },
    remove: (topic) => admin.deleteTopics({ topics: [topic] }),
    close: () => admin.disconnect(),
  }
}
