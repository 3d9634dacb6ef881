import { ZERO_UUID } from '@millrace/protocol'
import {
  fetchApi,
  type FetchPartition,
  type FetchRequest,
  type FetchResponse,
  type PartitionData,
} from '@millrace/protocol/apis/fetch'
import { produceApi, type PartitionProduceResponse, type ProduceRequest } from '@millrace/protocol/apis/produce'
import type { TestBroker, WireClient } from './core-fixtures.ts'

const ID_LENGTH = 22

/** A topic as a request names it: a name of 22 characters is taken for an id. */
function named(topic: string): { name: string; topicId: string } {
  return topic.length === ID_LENGTH ? { name: '', topicId: topic } : { name: topic, topicId: ZERO_UUID }
}

export function produceRequest(
  topic: string,
  records: Buffer | null,
  overrides: Partial<ProduceRequest> = {},
  index = 0,
): ProduceRequest {
  const topicData = [{ ...named(topic), partitionData: [{ index, records }] }]
  return { transactionalId: null, acks: -1, timeoutMs: 1000, topicData, ...overrides }
}

/** Produces to one partition and returns what the reply says of it. */
export function produce(
  broker: TestBroker,
  topic: string,
  records: Buffer | null,
  version = 12,
  index = 0,
): PartitionProduceResponse {
  return broker.client.ask(produceApi, version, produceRequest(topic, records, {}, index)).responses[0]!.partitionResponses[0]!
}

export interface FetchAsk {
  readonly topic: string
  readonly partition?: number
  readonly offset?: number
  readonly maxBytes?: number
  readonly leaderEpoch?: number
  readonly lastFetchedEpoch?: number
}

/** A sessionless fetch that does not wait, unless `overrides` says otherwise. */
export function fetchRequest(asks: readonly FetchAsk[], overrides: Partial<FetchRequest> = {}): FetchRequest {
  return {
    clusterId: null,
    replicaId: -1,
    replicaState: { replicaId: -1, replicaEpoch: -1n },
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 50 * 1024 * 1024,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    topics: asks.map((ask) => {
      const { name, topicId } = named(ask.topic)
      return { topic: name, topicId, partitions: [fetchPartition(ask)] }
    }),
    forgottenTopicsData: [],
    rackId: '',
    ...overrides,
  }
}

function fetchPartition(ask: FetchAsk): FetchPartition {
  return {
    partition: ask.partition ?? 0,
    currentLeaderEpoch: ask.leaderEpoch ?? -1,
    fetchOffset: BigInt(ask.offset ?? 0),
    lastFetchedEpoch: ask.lastFetchedEpoch ?? -1,
    logStartOffset: -1n,
    partitionMaxBytes: ask.maxBytes ?? 1024 * 1024,
    replicaDirectoryId: ZERO_UUID,
    highWatermark: 9_223_372_036_854_775_807n,
  }
}

/** All partitions of a reply, in order. */
export function partitionsOf(response: FetchResponse): PartitionData[] {
  return response.responses.flatMap((topic) => topic.partitions)
}

/** Fetches one partition and returns what the reply says of it. */
export function fetchOne(client: WireClient, ask: FetchAsk, overrides: Partial<FetchRequest> = {}, version = 12): PartitionData {
  return partitionsOf(client.ask(fetchApi, version, fetchRequest([ask], overrides)))[0]!
}
