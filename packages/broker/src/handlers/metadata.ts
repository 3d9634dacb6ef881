/**
 * Metadata v0-13. Topics by name or (v12+) by id; creates missing topics when both the client and the broker allow it. The
 * reply to a request that creates a topic already holds it, for creation is done before the reply is made. There is one broker:
 * it leads every partition and is the controller.
 */
import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import {
  metadataApi,
  type MetadataRequest,
  type MetadataResponse,
  type MetadataResponsePartition,
  type MetadataResponseTopic,
} from '@millrace/protocol/apis/metadata'
import type { Handler, RequestContext } from '../core/handler.ts'
import { overwrittenErrors, topicNameOf, type Chosen, type Target } from '../faults/error-shape.ts'
import { isRefusal } from '../core/outcome.ts'
import type { Topic } from '../core/topic-registry.ts'
import { autoCreateTopic } from '../metadata/auto-create.ts'
import { invalidTopicName, isInternalTopic } from '../metadata/topic-name.ts'
import { CLUSTER_OPERATIONS, OPERATIONS_OMITTED, TOPIC_OPERATIONS } from './authorized-operations.ts'

export const metadataHandler: Handler<MetadataRequest, MetadataResponse> = {
  api: metadataApi,
  minVersion: 0,
  maxVersion: 13,
  errors: overwrittenErrors({
    selectors: ['topic', 'partition'],
    targets: topicTargets,
    // A topic that is refused is not created; the others are at the next request.
    rest(request, chosen, context) {
      const isRefused = topicTargets(request, context).some(chosen)
      return { ...request, allowAutoTopicCreation: request.allowAutoTopicCreation && !isRefused }
    },
    overwrite(response, chosen, errorCode) {
      const topics = response.topics.map((topic) => withError(topic, chosen, errorCode))
      return { ...response, topics }
    },
  }),
  handle(request, context) {
    const { broker, version } = context
    const { host, port } = broker.endpoint
    return {
      throttleTimeMs: 0,
      brokers: [{ nodeId: broker.nodeId, host, port, rack: null }],
      clusterId: broker.clusterId,
      controllerId: broker.nodeId,
      topics: describeTopics(request, context),
      clusterAuthorizedOperations:
        version >= 8 && version <= 10 && request.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : OPERATIONS_OMITTED,
      errorCode: ErrorCode.NONE,
    }
  },
}

function describeTopics(request: MetadataRequest, context: RequestContext): MetadataResponseTopic[] {
  const { topics } = context.broker
  const operations = request.includeTopicAuthorizedOperations ? TOPIC_OPERATIONS : OPERATIONS_OMITTED
  if (request.topics === null || (context.version === 0 && request.topics.length === 0)) {
    return [...topics.all()].map((topic) => found(topic, context, operations))
  }
  // As in Kafka, one id in the request means that it asks by ids.
  const ids = [...new Set(request.topics.map(({ topicId }) => topicId))].filter((id) => id !== ZERO_UUID)
  if (ids.length > 0) {
    if (context.version < 12)
      return request.topics.map(({ name, topicId }) => missing(ErrorCode.INVALID_REQUEST, name ?? '', topicId))
    return ids.map((id) => {
      const topic = topics.byId(id)
      return topic === undefined ? missing(ErrorCode.UNKNOWN_TOPIC_ID, null, id) : found(topic, context, operations)
    })
  }
  const names = new Set(request.topics.map(({ name }) => name ?? ''))
  return [...names].map((name) => byName(name, request.allowAutoTopicCreation, context, operations))
}

function byName(name: string, allowCreation: boolean, context: RequestContext, operations: number): MetadataResponseTopic {
  const { broker, now } = context
  const topic = broker.topics.byName(name)
  if (topic !== undefined) return found(topic, context, operations)
  if (invalidTopicName(name) !== null) return missing(ErrorCode.INVALID_TOPIC_EXCEPTION, name, ZERO_UUID)
  if (!allowCreation || !broker.config.autoCreateTopics) return missing(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name, ZERO_UUID)
  const created = autoCreateTopic(broker, name, now)
  return isRefusal(created) ? missing(created.errorCode, name, ZERO_UUID) : found(created, context, operations)
}

function missing(errorCode: number, name: string | null, topicId: string): MetadataResponseTopic {
  const isInternal = name !== null && isInternalTopic(name)
  return { errorCode, name, topicId, isInternal, partitions: [], topicAuthorizedOperations: OPERATIONS_OMITTED }
}

function found(topic: Topic, context: RequestContext, topicAuthorizedOperations: number): MetadataResponseTopic {
  const { nodeId } = context.broker
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.internal,
    partitions: topic.partitions.map(({ index, leaderEpoch }): MetadataResponsePartition => {
      return {
        errorCode: ErrorCode.NONE,
        partitionIndex: index,
        leaderId: nodeId,
        leaderEpoch,
        replicaNodes: [nodeId],
        isrNodes: [nodeId],
        offlineReplicas: [],
      }
    }),
    topicAuthorizedOperations,
  }
}

/** Those that it asks for by name or id, with the partitions they have. */
function topicTargets({ topics }: MetadataRequest, context: RequestContext): Target[] {
  const registry = context.broker.topics
  const all = topics === null || (context.version === 0 && topics.length === 0)
  const names = all ? [...registry.all()].map(({ name }) => name) : topics.map((topic) => topicNameOf(topic, context))
  return names.flatMap((topic) => {
    const partitions = topic === null ? [] : (registry.byName(topic)?.partitions ?? [])
    return [{ topic, partition: null, group: null }, ...partitions.map(({ index }) => ({ topic, partition: index, group: null }))]
  })
}

/** A topic that is chosen as a whole has the error alone; of one with a chosen partition, that partition has it, and no leader. */
function withError(topic: MetadataResponseTopic, chosen: Chosen, errorCode: number): MetadataResponseTopic {
  const { name } = topic
  if (chosen({ topic: name, partition: null, group: null })) return { ...topic, errorCode, partitions: [] }
  const partitions = topic.partitions.map((partition) => {
    const isChosen = chosen({ topic: name, partition: partition.partitionIndex, group: null })
    return isChosen ? { ...partition, errorCode, leaderId: -1 } : partition
  })
  return { ...topic, partitions }
}
