import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { TOPIC_ATTEMPTS, TOPIC_RETRY_MS } from './limits.ts'

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
  await retried(() => admin.fetchOffsets({ groupId: 'bench-warm-up' }))
  return {
    create: async (topic, numPartitions) => {
      await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1 }], waitForLeaders: false })
      // kafkajs' own wait gives up on a broker that does not know the topic yet. Offsets are there when every partition has its leader.
      await retried(async () => {
        const offsets = await admin.fetchTopicOffsets(topic)
        if (offsets.length < numPartitions) throw new Error(`${topic} has ${offsets.length} of ${numPartitions} partitions`)
      })
    },
    stored: async (topic) => {
      const offsets = await retried(() => admin.fetchTopicOffsets(topic))
      return offsets.reduce((total, { high }) => total + Number(high), 0)
    },
    remove: (topic) => admin.deleteTopics({ topics: [topic] }),
    close: () => admin.disconnect(),
  }
}

async function retried<Result>(action: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action()
    } catch (error) {
      if (attempt === TOPIC_ATTEMPTS) throw error
      await sleep(TOPIC_RETRY_MS)
    }
  }
}
