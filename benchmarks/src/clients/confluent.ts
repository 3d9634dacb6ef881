import { KafkaJS } from '@confluentinc/kafka-javascript'
import { FETCH_PARTITION_BYTES, IDEMPOTENT_IN_FLIGHT } from '../limits.ts'
import type {
  BenchClient,
  BenchConsumer,
  BenchProducer,
  Compression,
  ConsumerWorkload,
  ProducerWorkload,
  Workload,
} from '../workload.ts'

const { CompressionTypes, Kafka, logLevel } = KafkaJS

const CODECS: Readonly<Record<Compression, KafkaJS.CompressionTypes>> = {
  none: CompressionTypes.None,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

function connectTo(workload: Pick<Workload, 'bootstrapServers'>): KafkaJS.Kafka {
  return new Kafka({ kafkaJS: { clientId: 'bench', brokers: [workload.bootstrapServers], logLevel: logLevel.ERROR } })
}

async function openProducer(workload: ProducerWorkload, values: readonly (readonly Buffer[])[]): Promise<BenchProducer> {
  const producer = connectTo(workload).producer({
    kafkaJS: {
      acks: -1,
      idempotent: true,
      maxInFlightRequests: IDEMPOTENT_IN_FLIGHT,
      compression: CODECS[workload.compression],
    },
    'linger.ms': workload.lingerMs,
    'batch.size': workload.batchBytes,
    'socket.nagle.disable': true,
  })
  await producer.connect()
  const { topic } = workload
  const chunks = values.map((chunk) => chunk.map((value) => ({ value })))
  const one = chunks[0]!.slice(0, 1)
  return {
    send: (chunk) => producer.send({ topic, messages: chunks[chunk]! }),
    sendOne: () => producer.send({ topic, messages: one }),
    close: () => producer.disconnect(),
  }
}

async function openConsumer(
  workload: ConsumerWorkload,
  onMessages: (count: number, bytes: number) => void,
): Promise<BenchConsumer> {
  const consumer = connectTo(workload).consumer({
    kafkaJS: {
      groupId: `bench-${workload.topic}-${process.pid}`,
      fromBeginning: true,
      readUncommitted: true,
      maxBytesPerPartition: FETCH_PARTITION_BYTES,
    },
    'js.consumer.max.batch.size': -1,
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [workload.topic] })
  await consumer.run({
    partitionsConsumedConcurrently: workload.partitions,
    eachBatch: async ({ batch }) => {
      let bytes = 0
      for (const message of batch.messages) bytes += message.value!.length
      onMessages(batch.messages.length, bytes)
    },
  })
  return { close: () => consumer.disconnect() }
}

/** Node's door to librdkafka, with its KafkaJS-like promises. */
export const confluent: BenchClient = { openProducer, openConsumer }
