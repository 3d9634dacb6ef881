import { once } from 'node:events'
import {
  Consumer,
  FetchIsolationLevels,
  MessagesStreamFallbackModes,
  MessagesStreamModes,
  ProduceAcks,
  Producer,
} from '@platformatic/kafka'
import { CALLS_IN_FLIGHT, FETCH_BYTES, FETCH_PARTITION_BYTES } from '../limits.ts'
import type { BenchClient, BenchConsumer, BenchProducer, ConsumerWorkload, ProducerWorkload } from '../workload.ts'

async function openProducer(workload: ProducerWorkload, values: readonly (readonly Buffer[])[]): Promise<BenchProducer> {
  const producer = new Producer({
    clientId: 'bench',
    bootstrapBrokers: [workload.bootstrapServers],
    maxInflights: CALLS_IN_FLIGHT,
  })
  const chunks = values.map((chunk) => chunk.map((value) => ({ topic: workload.topic, value })))
  const one = chunks[0]!.slice(0, 1)
  const options = { acks: ProduceAcks.ALL, compression: workload.compression }
  return {
    send: (chunk) => producer.send({ ...options, messages: chunks[chunk]! }),
    sendOne: () => producer.send({ ...options, messages: one }),
    close: () => producer.close(),
  }
}

async function openConsumer(
  workload: ConsumerWorkload,
  onMessages: (count: number, bytes: number) => void,
): Promise<BenchConsumer> {
  const consumer = new Consumer({
    clientId: 'bench',
    groupId: `bench-${workload.topic}-${process.pid}`,
    bootstrapBrokers: [workload.bootstrapServers],
    maxBytes: FETCH_BYTES,
    maxBytesPerPartition: FETCH_PARTITION_BYTES,
    highWaterMark: 50_000,
  })
  const stream = await consumer.consume({
    topics: [workload.topic],
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: MessagesStreamFallbackModes.EARLIEST,
    isolationLevel: FetchIsolationLevels.READ_UNCOMMITTED,
    autocommit: 5_000,
  })
  stream.on('data', (message) => onMessages(1, message.value.length))
  stream.on('error', (error) => {
    throw error
  })
  return {
    close: async () => {
      const ended = once(stream, 'close')
      await stream.close()
      await ended
      await consumer.close(true)
    },
  }
}

export const platformatic: BenchClient = { openProducer, openConsumer }
