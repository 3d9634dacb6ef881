import { KafkaClient } from '@kafkats/client'
import { BATCH_BYTES, CALLS_IN_FLIGHT, FETCH_PARTITION_BYTES, LINGER_MS } from '../limits.ts'
import type { BenchClient, BenchConsumer, BenchProducer, Workload } from '../workload.ts'

function connectTo(workload: Workload): KafkaClient {
  return new KafkaClient({ clientId: 'bench', brokers: [workload.bootstrapServers], logLevel: 'error' })
}

async function openProducer(workload: Workload, values: readonly Buffer[]): Promise<BenchProducer> {
  const client = connectTo(workload)
  await client.connect()
  const producer = client.producer({
    acks: 'all',
    lingerMs: LINGER_MS,
    maxBatchBytes: BATCH_BYTES,
    maxInFlight: CALLS_IN_FLIGHT,
  })
  const messages = values.map((value) => ({ value }))
  return { send: () => producer.send(workload.topic, messages), close: () => client.disconnect() }
}

async function openConsumer(workload: Workload, onMessages: (count: number, bytes: number) => void): Promise<BenchConsumer> {
  const client = connectTo(workload)
  await client.connect()
  const consumer = client.consumer({
    groupId: `bench-${workload.topic}-${process.pid}`,
    autoOffsetReset: 'earliest',
    isolationLevel: 'read_uncommitted',
    maxBytesPerPartition: FETCH_PARTITION_BYTES,
    maxRecords: 50_000,
  })
  const stop = new AbortController()
  const running = consumer.runBatch(
    workload.topic,
    async (messages) => {
      let bytes = 0
      for (const message of messages) bytes += message.value.length
      onMessages(messages.length, bytes)
    },
    { partitionConcurrency: 3, signal: stop.signal },
  )
  return {
    close: async () => {
      stop.abort()
      await running
      await client.disconnect()
    },
  }
}

export const kafkats: BenchClient = { openProducer, openConsumer }
