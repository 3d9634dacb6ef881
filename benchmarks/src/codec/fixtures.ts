import { metadataApi, type MetadataResponse } from '@millrace/protocol/apis/metadata'
import { Writer } from '@millrace/protocol/internal'
import { RecordBatchBuilder } from '@millrace/records/internal'

export const BATCH_BYTES: number = 16 * 1024
export const VALUE_BYTES = 100
export const METADATA_PARTITIONS = 1_000
const TIMESTAMP = 1_767_225_600_000

/** As many values of 100 B as fill a batch of 16 KiB. */
export const values: readonly Buffer[] = fillBatch()

/** The batch that every decoder reads. */
export const encodedBatch: Buffer = buildBatch()

export function buildBatch(): Buffer {
  const builder = new RecordBatchBuilder({ batchSize: BATCH_BYTES })
  for (const value of values) {
    if (!builder.tryAppend(TIMESTAMP, null, value)) throw new Error('the fixture does not fit the batch')
  }
  return builder.seal()
}

function fillBatch(): Buffer[] {
  const builder = new RecordBatchBuilder({ batchSize: BATCH_BYTES })
  const fitting: Buffer[] = []
  for (;;) {
    const value = Buffer.alloc(VALUE_BYTES, 97 + (fitting.length % 26))
    if (!builder.tryAppend(TIMESTAMP, null, value)) return fitting
    fitting.push(value)
  }
}

/** What a broker with one topic of a thousand partitions and three replicas answers. */
export const metadata: MetadataResponse = {
  throttleTimeMs: 0,
  brokers: [1, 2, 3].map((nodeId) => ({ nodeId, host: `broker-${nodeId}.example.com`, port: 9092, rack: `rack-${nodeId}` })),
  clusterId: '4L6g3nShT-eMCtK--X86sw',
  controllerId: 1,
  topics: [
    {
      errorCode: 0,
      name: 'events',
      topicId: 'vPeOCWypqUOSepEvx0cbog',
      isInternal: false,
      partitions: Array.from({ length: METADATA_PARTITIONS }, (_, partitionIndex) => ({
        errorCode: 0,
        partitionIndex,
        leaderId: 1 + (partitionIndex % 3),
        leaderEpoch: 4,
        replicaNodes: [1, 2, 3],
        isrNodes: [1, 2, 3],
        offlineReplicas: [],
      })),
      topicAuthorizedOperations: -2147483648,
    },
  ],
  clusterAuthorizedOperations: -2147483648,
  errorCode: 0,
}

export function encodeMetadata(version: number): Buffer {
  const writer = new Writer()
  metadataApi.encodeResponse(writer, metadata, version)
  return writer.toBuffer()
}
