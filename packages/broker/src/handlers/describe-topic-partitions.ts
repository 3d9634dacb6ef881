/**
 * DescribeTopicPartitions v0 (KIP-966): topics by name in order, at most `responsePartitionLimit` partitions, and a cursor where
 * the next request continues. An empty topic list means all topics.
 */
import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import {
  describeTopicPartitionsApi,
  type DescribeTopicPartitionsRequest,
  type DescribeTopicPartitionsResponse,
  type DescribeTopicPartitionsResponseTopic,
} from '@millrace/protocol/apis/describe-topic-partitions'
import type { Handler, RequestContext } from '../core/handler.ts'
import { overwrittenErrors } from '../faults/error-shape.ts'
import type { Partition } from '../core/topic-registry.ts'
import { DESCRIBE_PARTITIONS_MAX } from '../limits.ts'
import { invalidTopicName, isInternalTopic } from '../metadata/topic-name.ts'
import { OPERATIONS_OMITTED, TOPIC_OPERATIONS } from './authorized-operations.ts'

export const describeTopicPartitionsHandler: Handler<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse> = {
  api: describeTopicPartitionsApi,
  minVersion: 0,
  maxVersion: 0,
  errors: overwrittenErrors({
    selectors: ['topic'],
    targets: (request, context) => {
      const { topics } = request
      const asked = topics.length > 0 ? topics : [...context.broker.topics.all()]
      return asked.map(({ name }) => ({ topic: name, partition: null, group: null }))
    },
    overwrite(response, chosen, errorCode) {
      const topics = response.topics.map((topic) => {
        const { name } = topic
        return chosen({ topic: name, partition: null, group: null }) ? { ...topic, errorCode, partitions: [] } : topic
      })
      return { ...response, topics }
    },
  }),
  handle(request, context) {
    const { topics } = context.broker
    const { cursor } = request
    const wrong = checkCursor(request)
    if (wrong !== ErrorCode.NONE) {
      const failed = request.topics.map(({ name }) => absent(name, wrong, OPERATIONS_OMITTED))
      return { throttleTimeMs: 0, topics: failed, nextCursor: null }
    }
    const asked = request.topics.length > 0 ? request.topics.map(({ name }) => name) : [...topics.all()].map(({ name }) => name)
    const names = [...new Set(asked)].filter((name) => cursor === null || name >= cursor.topicName).toSorted()
    const response: DescribeTopicPartitionsResponse = { throttleTimeMs: 0, topics: [], nextCursor: null }
    let left = Math.min(DESCRIBE_PARTITIONS_MAX, Math.max(1, request.responsePartitionLimit))
    for (const name of names) {
      const from = cursor !== null && name === cursor.topicName ? cursor.partitionIndex : 0
      if (left === 0) {
        response.nextCursor = { topicName: name, partitionIndex: from }
        break
      }
      const total = topics.byName(name)?.partitions.length ?? 0
      const to = Math.min(total, from + left)
      response.topics.push(describe(name, from, to, context))
      left -= Math.max(0, to - from)
      if (to < total) {
        response.nextCursor = { topicName: name, partitionIndex: to }
        break
      }
    }
    return response
  },
}

/** A cursor names one of the topics that were asked for (Kafka: DescribeTopicPartitionsRequestHandler). */
function checkCursor({ cursor, topics }: DescribeTopicPartitionsRequest): number {
  if (cursor === null) return ErrorCode.NONE
  const isAsked = topics.length === 0 || topics.some(({ name }) => name === cursor.topicName)
  return isAsked && cursor.partitionIndex >= 0 ? ErrorCode.NONE : ErrorCode.INVALID_REQUEST
}

function absent(name: string, errorCode: number, topicAuthorizedOperations: number): DescribeTopicPartitionsResponseTopic {
  return { errorCode, name, topicId: ZERO_UUID, isInternal: isInternalTopic(name), partitions: [], topicAuthorizedOperations }
}

function describe(name: string, from: number, to: number, { broker }: RequestContext): DescribeTopicPartitionsResponseTopic {
  const topic = broker.topics.byName(name)
  if (topic === undefined) {
    const invalid = invalidTopicName(name) !== null
    const errorCode = invalid ? ErrorCode.INVALID_TOPIC_EXCEPTION : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return absent(name, errorCode, TOPIC_OPERATIONS)
  }
  return {
    errorCode: ErrorCode.NONE,
    name,
    topicId: topic.id,
    isInternal: topic.internal,
    partitions: topic.partitions.slice(from, to).map((partition) => describePartition(partition, broker.nodeId)),
    topicAuthorizedOperations: TOPIC_OPERATIONS,
  }
}

function describePartition(
  { index, leaderEpoch }: Partition,
  nodeId: number,
): DescribeTopicPartitionsResponseTopic['partitions'][number] {
  return {
    errorCode: ErrorCode.NONE,
    partitionIndex: index,
    leaderId: nodeId,
    leaderEpoch,
    replicaNodes: [nodeId],
    isrNodes: [nodeId],
    eligibleLeaderReplicas: [],
    lastKnownElr: [],
    offlineReplicas: [],
  }
}
