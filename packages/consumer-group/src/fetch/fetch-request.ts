import { ZERO_UUID } from '@millrace/protocol'
import type { FetchRequest, FetchTopic, ForgottenTopic } from '@millrace/protocol/apis/fetch'
import type { FetchTarget, PlannedFetch } from './fetch-session.ts'

export interface FetchSettings {
  readonly fetchMinBytes: number
  readonly fetchMaxWaitMs: number
  readonly fetchMaxBytes: number
  readonly maxPartitionFetchBytes: number
  readonly isolationLevel: 'read_uncommitted' | 'read_committed'
  readonly clientRack: string
}

const CONSUMER = -1
const UNKNOWN_HIGH_WATERMARK = 0x7fffffffffffffffn

export const LAST_FETCH_VERSION_BY_NAME = 12

/** Whether all topics can be named by their ids, as Fetch v13 does (KIP-516). */
export function hasTopicIds(planned: PlannedFetch): boolean {
  return [...planned.targets, ...planned.forgotten].every((target) => target.topicId !== ZERO_UUID)
}

export function fetchRequestOf(planned: PlannedFetch, settings: FetchSettings): FetchRequest {
  return {
    clusterId: null,
    replicaId: CONSUMER,
    replicaState: { replicaId: CONSUMER, replicaEpoch: -1n },
    maxWaitMs: settings.fetchMaxWaitMs,
    minBytes: settings.fetchMinBytes,
    maxBytes: settings.fetchMaxBytes,
    isolationLevel: settings.isolationLevel === 'read_committed' ? 1 : 0,
    sessionId: planned.sessionId,
    sessionEpoch: planned.sessionEpoch,
    topics: topicsOf(planned.targets),
    forgottenTopicsData: forgottenOf(planned.forgotten),
    rackId: settings.clientRack,
  }
}

function topicsOf(targets: readonly FetchTarget[]): FetchTopic[] {
  const topics = new Map<string, FetchTopic>()
  for (const target of targets) {
    let topic = topics.get(target.topic)
    if (topic === undefined) topics.set(target.topic, (topic = { topic: target.topic, topicId: target.topicId, partitions: [] }))
    topic.partitions.push({
      partition: target.partition,
      currentLeaderEpoch: target.leaderEpoch,
      fetchOffset: BigInt(target.fetchOffset),
      lastFetchedEpoch: -1,
      logStartOffset: -1n,
      partitionMaxBytes: target.maxBytes,
      replicaDirectoryId: ZERO_UUID,
      highWatermark: UNKNOWN_HIGH_WATERMARK,
    })
  }
  return [...topics.values()]
}

/** By id, since a topic that was made anew is forgotten under its old id. */
function forgottenOf(forgotten: readonly FetchTarget[]): ForgottenTopic[] {
  const topics = new Map<string, ForgottenTopic>()
  for (const { topic, topicId, partition } of forgotten) {
    const key = `${topicId} ${topic}`
    const known = topics.get(key)
    if (known === undefined) topics.set(key, { topic, topicId, partitions: [partition] })
    else known.partitions.push(partition)
  }
  return [...topics.values()]
}
