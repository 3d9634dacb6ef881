/**
 * How fast the codec is, in isolation: a Metadata response of 1,000 partitions, and a Produce and a Fetch round.
 *
 *     node --conditions=@millrace/source packages/protocol/test/codec-benchmark.ts
 */
import {
  decodeRequestBody,
  decodeRequestHeader,
  decodeResponseBody,
  encodeRequestFrame,
  encodeResponseFrame,
} from '../src/frame.ts'
import { fetchApi } from '../src/generated/fetch.ts'
import type { FetchRequest, FetchResponse } from '../src/generated/fetch.ts'
import { metadataApi } from '../src/generated/metadata.ts'
import type { MetadataResponse } from '../src/generated/metadata.ts'
import { produceApi } from '../src/generated/produce.ts'
import type { ProduceRequest } from '../src/generated/produce.ts'
import { Reader } from '../src/wire/reader.ts'

const PARTITIONS = 1000
const ROUND_MS = 300
const ROUNDS = 7
const TOPIC_ID = 'AAECAwQFBgcICQoLDA0ODw'

function metadataResponse(): MetadataResponse {
  return {
    throttleTimeMs: 0,
    brokers: [1, 2, 3].map((nodeId) => ({ nodeId, host: `broker-${nodeId}.example.com`, port: 9092, rack: null })),
    clusterId: 'cluster-of-the-benchmark',
    controllerId: 1,
    topics: Array.from({ length: 20 }, (_, topic) => ({
      errorCode: 0,
      name: `topic-number-${topic}`,
      topicId: TOPIC_ID,
      isInternal: false,
      partitions: Array.from({ length: PARTITIONS / 20 }, (__, partitionIndex) => ({
        errorCode: 0,
        partitionIndex,
        leaderId: 1,
        leaderEpoch: 5,
        replicaNodes: [1, 2, 3],
        isrNodes: [1, 2, 3],
        offlineReplicas: [],
      })),
      topicAuthorizedOperations: -2147483648,
    })),
    clusterAuthorizedOperations: -2147483648,
    errorCode: 0,
  }
}

function produceRequest(): ProduceRequest {
  const partitionData = [0, 1, 2].map((index) => ({ index, records: Buffer.alloc(16384) }))
  return {
    transactionalId: null,
    acks: -1,
    timeoutMs: 30000,
    topicData: [{ name: '', topicId: TOPIC_ID, partitionData }],
  }
}

function fetchRequest(): FetchRequest {
  return {
    clusterId: null,
    replicaId: -1,
    replicaState: { replicaId: -1, replicaEpoch: -1n },
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: 52428800,
    isolationLevel: 0,
    sessionId: 77,
    sessionEpoch: 3,
    topics: [{ topic: '', topicId: TOPIC_ID, partitions: [0, 1, 2].map(fetchPartition) }],
    forgottenTopicsData: [],
    rackId: '',
  }
}

function fetchPartition(partition: number): FetchRequest['topics'][number]['partitions'][number] {
  return {
    partition,
    currentLeaderEpoch: 5,
    fetchOffset: 123456n,
    lastFetchedEpoch: -1,
    logStartOffset: -1n,
    partitionMaxBytes: 1048576,
    replicaDirectoryId: 'AAAAAAAAAAAAAAAAAAAAAA',
    highWatermark: 9223372036854775807n,
  }
}

function fetchResponse(): FetchResponse {
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    sessionId: 77,
    nodeEndpoints: [],
    responses: [
      {
        topic: '',
        topicId: TOPIC_ID,
        partitions: [0, 1, 2].map((partitionIndex) => ({
          partitionIndex,
          errorCode: 0,
          highWatermark: 123999n,
          lastStableOffset: 123999n,
          logStartOffset: 0n,
          divergingEpoch: { epoch: -1, endOffset: -1n },
          currentLeader: { leaderId: -1, leaderEpoch: -1 },
          snapshotId: { endOffset: -1n, epoch: -1 },
          abortedTransactions: null,
          preferredReadReplica: -1,
          records: Buffer.alloc(65536),
        })),
      },
    ],
  }
}

/** The best of some rounds, in microseconds per run. */
function measure(name: string, run: () => unknown): void {
  let best = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    let runs = 0
    const start = performance.now()
    let elapsed = 0
    while (elapsed < ROUND_MS) {
      for (let index = 0; index < 20; index++) run()
      runs += 20
      elapsed = performance.now() - start
    }
    best = Math.min(best, (elapsed * 1000) / runs)
  }
  process.stdout.write(`${name.padEnd(40)} ${best.toFixed(2)} us\n`)
}

const metadata = metadataResponse()
const metadataFrame = Buffer.concat(encodeResponseFrame(metadataApi, 13, 1, metadata)).subarray(4)
measure(`Metadata response, ${PARTITIONS} partitions: encode`, () => encodeResponseFrame(metadataApi, 13, 1, metadata))
measure(`Metadata response, ${PARTITIONS} partitions: decode`, () =>
  decodeResponseBody(metadataApi, 13, new Reader(metadataFrame, 4)),
)

const produce = produceRequest()
const produceFrame = Buffer.concat(encodeRequestFrame(produceApi, 13, 1, 'producer-1', produce)).subarray(4)
measure('Produce request, 3 x 16 KiB: encode', () => encodeRequestFrame(produceApi, 13, 1, 'producer-1', produce))
measure('Produce request, 3 x 16 KiB: decode', () => {
  const reader = new Reader(produceFrame)
  decodeRequestHeader(reader)
  return decodeRequestBody(produceApi, 13, reader)
})

const fetching = fetchRequest()
const fetched = fetchResponse()
const fetchFrame = Buffer.concat(encodeResponseFrame(fetchApi, 17, 1, fetched)).subarray(4)
measure('Fetch request, 3 partitions: encode', () => encodeRequestFrame(fetchApi, 17, 1, 'consumer-1', fetching))
measure('Fetch response, 3 x 64 KiB: encode', () => encodeResponseFrame(fetchApi, 17, 1, fetched))
measure('Fetch response, 3 x 64 KiB: decode', () => decodeResponseBody(fetchApi, 17, new Reader(fetchFrame, 4)))
