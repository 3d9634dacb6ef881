import kafkajsModule from 'kafkajs'
import { CALLS_IN_FLIGHT, FETCH_PARTITION_BYTES } from '../limits.ts'
import type {
  BenchClient,
  BenchConsumer,
  BenchProducer,
  Compression,
  ConsumerWorkload,
  ProducerWorkload,
  Workload,
} from '../workload.ts'

// Node finds not all of its names as exports.
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajsModule

const CODECS: Readonly<Record<Compression, kafkajsModule.CompressionTypes>> = {
  none: CompressionTypes.None,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

function connectTo(workload: Pick<Workload, 'bootstrapServers'>): kafkajsModule.Kafka {
  return new Kafka({ clientId: 'bench', brokers: [workload.bootstrapServers], logLevel: logLevel.ERROR })
}

/** What its plugins do: `encoder.buffer` is what is to be compressed. */
async function registerCodecs(): Promise<void> {
  const { lz4Library, zstdLibrary } = await import('./codecs.ts')
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: (encoder: { buffer: Buffer }) => lz4Library.compressFrame(encoder.buffer),
    decompress: lz4Library.decompressFrame,
  })
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: (encoder: { buffer: Buffer }) => zstdLibrary.compress(encoder.buffer),
    decompress: zstdLibrary.decompress,
  })
}

async function openProducer(workload: ProducerWorkload, values: readonly (readonly Buffer[])[]): Promise<BenchProducer> {
  if (workload.compression !== 'none') await registerCodecs()
  const producer = connectTo(workload).producer({ maxInFlightRequests: CALLS_IN_FLIGHT })
  await producer.connect()
  const chunks = values.map((chunk) => chunk.map((value) => ({ key: null, value })))
  const one = chunks[0]!.slice(0, 1)
  const options = { topic: workload.topic, acks: -1, compression: CODECS[workload.compression] }
  return {
    send: (chunk) => producer.send({ ...options, messages: chunks[chunk]! }),
    sendOne: () => producer.send({ ...options, messages: one }),
    close: () => producer.disconnect(),
  }
}

async function openConsumer(
  workload: ConsumerWorkload,
  onMessages: (count: number, bytes: number) => void,
): Promise<BenchConsumer> {
  if (workload.compression !== 'none') await registerCodecs()
  const consumer = connectTo(workload).consumer({
    groupId: `bench-${workload.topic}-${process.pid}`,
    maxBytesPerPartition: FETCH_PARTITION_BYTES,
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [workload.topic], fromBeginning: true })
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

export const kafkajs: BenchClient = { openProducer, openConsumer }
