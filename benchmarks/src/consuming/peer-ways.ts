import { groupOf, type Handler, type Way } from './ways.ts'

const CLIENT_ID = 'bench'

// Each client is loaded where it is used, so that the process holds no other; as it comes, with its own defaults.

export const kafkajs: Way = async ({ bootstrapServers, topic, partitions }, handle) => {
  const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = (await import('kafkajs')).default
  const { lz4Library, zstdLibrary } = await import('../clients/codecs.ts')
  CompressionCodecs[CompressionTypes.LZ4] = () => ({ decompress: lz4Library.decompressFrame })
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({ decompress: zstdLibrary.decompress })
  const kafka = new Kafka({ clientId: CLIENT_ID, brokers: [bootstrapServers], logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: groupOf(topic) })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({ partitionsConsumedConcurrently: partitions, eachBatch: ({ batch }) => eachOf(batch.messages, handle) })
  await forEver()
}

export const platformatic: Way = async ({ bootstrapServers, topic }, handle) => {
  const { Consumer, FetchIsolationLevels, MessagesStreamFallbackModes, MessagesStreamModes } = await import('@platformatic/kafka')
  const consumer = new Consumer({ clientId: CLIENT_ID, groupId: groupOf(topic), bootstrapBrokers: [bootstrapServers] })
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: MessagesStreamFallbackModes.EARLIEST,
    isolationLevel: FetchIsolationLevels.READ_UNCOMMITTED,
    autocommit: 5_000,
  })
  for await (const message of stream) {
    const waiting = handle(1, message.value.length)
    if (waiting !== undefined) await waiting
  }
}

export const kafkats: Way = async ({ bootstrapServers, topic, partitions }, handle) => {
  const { CompressionType, compressionCodecs, createLz4Codec, createZstdCodec, KafkaClient } = await import('@kafkats/client')
  const { lz4Library, zstdLibrary } = await import('../clients/codecs.ts')
  const { compressFrame: compress, decompressFrame: uncompress } = lz4Library
  compressionCodecs.register(CompressionType.Lz4, createLz4Codec({ ...lz4Library, compress, uncompress }))
  compressionCodecs.register(CompressionType.Zstd, createZstdCodec(zstdLibrary))
  const client = new KafkaClient({ clientId: CLIENT_ID, brokers: [bootstrapServers], logLevel: 'error' })
  await client.connect()
  const consumer = client.consumer({ groupId: groupOf(topic), autoOffsetReset: 'earliest', isolationLevel: 'read_uncommitted' })
  await consumer.runBatch(topic, (messages) => eachOf(messages, handle), { partitionConcurrency: partitions })
}

export const confluent: Way = async ({ bootstrapServers, topic, partitions }, handle) => {
  const { KafkaJS } = await import('@confluentinc/kafka-javascript')
  const kafka = new KafkaJS.Kafka({
    kafkaJS: { clientId: CLIENT_ID, brokers: [bootstrapServers], logLevel: KafkaJS.logLevel.ERROR },
  })
  const consumer = kafka.consumer({ kafkaJS: { groupId: groupOf(topic), fromBeginning: true, readUncommitted: true } })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic] })
  await consumer.run({ partitionsConsumedConcurrently: partitions, eachBatch: ({ batch }) => eachOf(batch.messages, handle) })
  await forEver()
}

async function eachOf(messages: ReadonlyArray<{ readonly value?: Buffer | null }>, handle: Handler): Promise<void> {
  for (const { value } of messages) {
    const waiting = handle(1, value!.length)
    if (waiting !== undefined) await waiting
  }
}

function forEver(): Promise<never> {
  return new Promise(() => {})
}
