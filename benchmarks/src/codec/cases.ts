import { createRequire } from 'node:module'
import { buildBatch, encodedBatch, encodeMetadata, METADATA_PARTITIONS, values } from './fixtures.ts'

/** One operation of one codec. It returns what it saw, so that a codec that skips its work is found out before it is timed. */
export interface CodecCase {
  readonly run: () => number | Promise<number>
  readonly expected: number
}

export type Operation = 'encode batch' | 'decode batch' | 'walk batch' | 'encode metadata' | 'decode metadata'
export const operations: readonly Operation[] = [
  'encode batch',
  'decode batch',
  'walk batch',
  'encode metadata',
  'decode metadata',
]

const TOTAL_BYTES: number = values.reduce((sum, value) => sum + value.length, 0)
const SUM_OF_OFFSETS: number = (values.length * (values.length - 1)) / 2
const TIMESTAMP = 1_767_225_600_000

type Codec = Partial<Record<Operation, CodecCase>>

/** Loaded on demand: each measurement has a process of its own. */
export const codecs: Readonly<Record<string, () => Promise<Codec>>> = {
  millrace: millraceCodec,
  '@kafkats/client': kafkatsCodec,
  '@platformatic/kafka': platformaticCodec,
  kafkajs: kafkajsCodec,
}

async function millraceCodec(): Promise<Codec> {
  const { readBatches } = await import('@millrace/records/internal')
  const { Reader } = await import('@millrace/protocol/internal')
  const { metadataApi } = await import('@millrace/protocol/apis/metadata')
  const metadata = encodeMetadata(12)
  return {
    'encode batch': { run: () => buildBatch().length, expected: encodedBatch.length },
    'decode batch': {
      run: () => {
        let bytes = 0
        for (const batch of readBatches(encodedBatch)) for (const record of batch) bytes += record.value!.length
        return bytes
      },
      expected: TOTAL_BYTES,
    },
    'walk batch': {
      run: () => {
        let offsets = 0
        for (const batch of readBatches(encodedBatch)) for (const record of batch) offsets += record.offset
        return offsets
      },
      expected: SUM_OF_OFFSETS,
    },
    'encode metadata': { run: () => encodeMetadata(12).length, expected: metadata.length },
    'decode metadata': {
      run: () => metadataApi.decodeResponse(new Reader(metadata), 12).topics[0]!.partitions.length,
      expected: METADATA_PARTITIONS,
    },
  }
}

async function kafkatsCodec(): Promise<Codec> {
  const { createRecordBatch, Decoder, decodeRecordBatchFromSync, encodeRecordBatchSync, responses } =
    await import('@kafkats/client')
  const messages = values.map((value) => ({ value }))
  const metadata = encodeMetadata(12)
  const encode = (): Buffer => encodeRecordBatchSync(createRecordBatch(messages, 0n, BigInt(TIMESTAMP)))
  return {
    'encode batch': { run: () => encode().length, expected: encode().length },
    'decode batch': {
      // As its consumer calls it.
      run: () => {
        let bytes = 0
        const batch = decodeRecordBatchFromSync(new Decoder(encodedBatch), { assumeSequentialOffsets: true })
        for (const record of batch.records) bytes += record.value!.length
        return bytes
      },
      expected: TOTAL_BYTES,
    },
    'walk batch': {
      run: () => {
        let offsets = 0
        const batch = decodeRecordBatchFromSync(new Decoder(encodedBatch), { assumeSequentialOffsets: true })
        for (const record of batch.records) offsets += Number(record.offset)
        return offsets
      },
      expected: SUM_OF_OFFSETS,
    },
    'decode metadata': {
      run: () => responses.decodeMetadataResponse(new Decoder(metadata), 12).topics[0]!.partitions.length,
      expected: METADATA_PARTITIONS,
    },
  }
}

async function platformaticCodec(): Promise<Codec> {
  const { createRecordsBatch, metadataV12, Reader, readRecordsBatch } = await import('@platformatic/kafka')
  const messages = values.map((value) => ({ topic: 'events', value, timestamp: BigInt(TIMESTAMP) }))
  const metadata = encodeMetadata(12)
  // The bytes that it hands to its socket.
  const encode = (): Buffer => createRecordsBatch(messages, { compression: 'none' }).dynamicBuffer.buffer
  const parse = metadataV12.parseResponse
  return {
    'encode batch': { run: () => encode().length, expected: encodedBatch.length },
    'decode batch': {
      run: () => {
        let bytes = 0
        for (const record of readRecordsBatch(Reader.from(encodedBatch)).records) bytes += record.value!.length
        return bytes
      },
      expected: TOTAL_BYTES,
    },
    'walk batch': {
      run: () => {
        let offsets = 0
        for (const record of readRecordsBatch(Reader.from(encodedBatch)).records) offsets += record.offsetDelta
        return offsets
      },
      expected: SUM_OF_OFFSETS,
    },
    'decode metadata': {
      run: () => parse(0, 3, 12, Reader.from(metadata)).topics[0]!.partitions.length,
      expected: METADATA_PARTITIONS,
    },
  }
}

/** Its codec is not exported, but its files can be required: it has no `exports` map. */
async function kafkajsCodec(): Promise<Codec> {
  const require = createRequire(import.meta.url)
  const record = require('kafkajs/src/protocol/recordBatch/record/v0') as (fields: object) => object
  const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
    RecordBatch: (fields: object) => Promise<{ buffer: Buffer }>
  }
  const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder') as (decoder: object) => Promise<{
    records: { offset: string; value: Buffer }[]
  }>
  const Decoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object
  const { decode } = require('kafkajs/src/protocol/requests/metadata/v6/response') as {
    decode: (bytes: Buffer) => Promise<{ topicMetadata: { partitionMetadata: unknown[] }[] }>
  }
  const metadata = encodeMetadata(6)
  const encode = async (): Promise<Buffer> => {
    const records = values.map((value, offsetDelta) => record({ offsetDelta, timestampDelta: 0, key: null, value }))
    const fields = { firstTimestamp: TIMESTAMP, maxTimestamp: TIMESTAMP, lastOffsetDelta: records.length - 1, records }
    return (await RecordBatch(fields)).buffer
  }
  return {
    'encode batch': { run: async () => (await encode()).length, expected: encodedBatch.length },
    'decode batch': {
      run: async () => {
        let bytes = 0
        for (const one of (await decodeBatch(new Decoder(encodedBatch))).records) bytes += one.value.length
        return bytes
      },
      expected: TOTAL_BYTES,
    },
    'walk batch': {
      run: async () => {
        let offsets = 0
        for (const one of (await decodeBatch(new Decoder(encodedBatch))).records) offsets += Number(one.offset)
        return offsets
      },
      expected: SUM_OF_OFFSETS,
    },
    'decode metadata': {
      run: async () => (await decode(metadata)).topicMetadata[0]!.partitionMetadata.length,
      expected: METADATA_PARTITIONS,
    },
  }
}
