import { ErrorCode } from '@millrace/protocol'
import type { FetchableTopicResponse, FetchResponse } from '@millrace/protocol/apis/fetch'
import type { FetchTarget } from './fetch-session.ts'
import type { PartitionCursor } from './partition-cursor.ts'

/** Errors after which the same fetch makes sense again, from whoever the metadata names then. */
export const STALE_METADATA: ReadonlySet<number> = new Set([
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.REPLICA_NOT_AVAILABLE,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.OFFSET_NOT_AVAILABLE,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.INCONSISTENT_TOPIC_ID,
  ErrorCode.LEADER_NOT_AVAILABLE,
])

/** The broker does not know the session as we do: it begins anew. */
export function isSessionError(errorCode: number): boolean {
  return (
    errorCode === ErrorCode.FETCH_SESSION_ID_NOT_FOUND ||
    errorCode === ErrorCode.INVALID_FETCH_SESSION_EPOCH ||
    errorCode === ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR
  )
}

/** What the answer calls the topic. */
export function nameOrId(topic: FetchableTopicResponse): string {
  return topic.topic === '' ? topic.topicId : topic.topic
}

/** By name and by id, as the answer may name topics either way. */
export function indexByTopic(wanted: ReadonlyMap<PartitionCursor, FetchTarget>): Map<string, Map<number, PartitionCursor>> {
  const index = new Map<string, Map<number, PartitionCursor>>()
  for (const [cursor, { topic, topicId }] of wanted) {
    for (const key of [topic, topicId]) {
      const partitions = index.get(key)
      if (partitions === undefined) index.set(key, new Map([[cursor.partition, cursor]]))
      else partitions.set(cursor.partition, cursor)
    }
  }
  return index
}

/** Of all batches in it. */
export function bytesOf(response: FetchResponse): number {
  let bytes = 0
  for (const { partitions } of response.responses) for (const { records } of partitions) bytes += records?.length ?? 0
  return bytes
}
