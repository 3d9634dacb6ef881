import { CompressionType, compressionCodecs, createLz4Codec, createZstdCodec, KafkaClient } from '@kafkats/client'
import { FETCH_PARTITION_BYTES, IDEMPOTENT_IN_FLIGHT } from '../limits.ts'
import type { BenchClient, BenchConsumer, BenchProducer, ConsumerWorkload, ProducerWorkload, Workload } from '../workload.ts'

function connectTo(workload: Pick<Workload, 'bootstrapServers'>): KafkaClient {
  return new KafkaClient({ clientId: 'bench', brokers: [workload.bootstrapServers], logLevel: 'error' })
}

async function registerCodecs(): Promise<void> {
  const { lz4Library, zstdLibrary } = await import('./codecs.ts')
  compressionCodecs.register(
    CompressionType.Lz4,
    createLz4Codec({ ...lz4Library, compress: lz4Library.compressFrame, uncompress: lz4Library.decompressFrame }),
  )
  compressionCodecs.register(CompressionType.Zstd, createZstdCodec(zstdLibrary))
}

async function openProducer(workload: ProducerWorkload, values: readonly (readonly Buffer[])[]): Promise<BenchProducer> {
  if (workload.compression !== 'none') await registerCodecs()
  const client = connectTo(workload)
  await client.connect()
  const producer = client.producer({
    acks: 'all',
    idempotent: true,
    compression: workload.compression,
    lingerMs: workload.lingerMs,
    maxBatchBytes: workload.batchBytes,
    maxInFlight: IDEMPOTENT_IN_FLIGHT,
  })
  const chunks = values.map((chunk) => chunk.map((value) => ({ value })))
  const one = chunks[0]![0]!
  return {
    send: (chunk) => producer.send(workload.topic, chunks[chunk]!),
    sendOne: () => producer.send(workload.topic, one),
    close: () => client.disconnect(),
  }
}

async function openConsumer(
  workload: ConsumerWorkload,
  onMessages: (count: number, bytes: number) => void,
): Promise<BenchConsumer> {
  if (workload.compression !== 'none') await registerCodecs()
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
    { partitionConcurrency: workload.partitions, signal: stop.signal },
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
