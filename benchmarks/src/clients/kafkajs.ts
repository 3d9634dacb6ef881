import { Kafka, logLevel } from 'kafkajs'
import { CALLS_IN_FLIGHT, FETCH_PARTITION_BYTES } from '../limits.ts'
import type { BenchClient, BenchConsumer, BenchProducer, Workload } from '../workload.ts'

function connectTo(workload: Workload): Kafka {
  return new Kafka({ clientId: 'bench', brokers: [workload.bootstrapServers], logLevel: logLevel.ERROR })
}

async function openProducer(workload: Workload, values: readonly Buffer[]): Promise<BenchProducer> {
  const producer = connectTo(workload).producer({ maxInFlightRequests: CALLS_IN_FLIGHT })
  await producer.connect()
  const messages = values.map((value) => ({ key: null, value }))
  return {
    send: () => producer.send({ topic: workload.topic, acks: -1, messages }),
    close: () => producer.disconnect(),
  }
}

async function openConsumer(workload: Workload, onMessages: (count: number, bytes: number) => void): Promise<BenchConsumer> {
  const consumer = connectTo(workload).consumer({
    groupId: `bench-${workload.topic}-${process.pid}`,
    maxBytesPerPartition: FETCH_PARTITION_BYTES,
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [workload.topic], fromBeginning: true })
  await consumer.run({
    partitionsConsumedConcurrently: 3,
    eachBatch: async ({ batch }) => {
      let bytes = 0
      for (const message of batch.messages) bytes += message.value!.length
      onMessages(batch.messages.length, bytes)
    },
  })
  return { close: () => consumer.disconnect() }
}

export const kafkajs: BenchClient = { openProducer, openConsumer }
