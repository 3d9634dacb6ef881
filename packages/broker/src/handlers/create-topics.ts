/**
 * CreateTopics v2-7, with Kafka's checks and messages. Creation is done when the reply is sent, whatever the timeout. One broker:
 * a replication factor above 1 is refused, -1 means 1. Topics are created one by one: one that fails does not undo the others.
 */
import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import {
  createTopicsApi,
  type CreatableTopic,
  type CreatableTopicResult,
  type CreateTopicsRequest,
  type CreateTopicsResponse,
} from '@millrace/protocol/apis/create-topics'
import { topicConfigValues } from '../config/topic-config.ts'
import { TOPIC_CONFIGS } from '../config/topic-config-definitions.ts'
import type { Handler, RequestContext } from '../core/handler.ts'
import { FAULT_MESSAGE, itemErrors, TOPICS } from '../faults/error-shape.ts'
import { isRefusal, refusal, type Refusal } from '../core/outcome.ts'
import { PARTITIONS_PER_REQUEST_MAX } from '../limits.ts'
import type { CreatedTopic } from '../metadata/controller.ts'

export const createTopicsHandler: Handler<CreateTopicsRequest, CreateTopicsResponse> = {
  api: createTopicsApi,
  minVersion: 2,
  maxVersion: 7,
  errors: itemErrors({
    ...TOPICS,
    items: ({ topics }) => topics,
    withItems: (request, topics) => ({ ...request, topics }),
    answers: ({ topics }) => topics,
    failed: ({ name }, errorCode) => refused(name, refusal(errorCode, FAULT_MESSAGE)),
  }),
  handle(request, context) {
    const repeated = repeatedNames(request.topics)
    const tooMany = checkTotal(request.topics, context.broker.config.numPartitions)
    const results: CreatableTopicResult[] = []
    const answered = new Set<string>()
    for (const topic of request.topics) {
      if (answered.has(topic.name)) continue
      answered.add(topic.name)
      results.push(create(topic, repeated, tooMany, request.validateOnly, context))
    }
    return { throttleTimeMs: 0, topics: results }
  },
}

function create(
  topic: CreatableTopic,
  repeated: ReadonlySet<string>,
  tooMany: Refusal | null,
  validateOnly: boolean,
  context: RequestContext,
): CreatableTopicResult {
  if (repeated.has(topic.name)) return refused(topic.name, refusal(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.'))
  if (tooMany !== null) return refused(topic.name, tooMany)
  const configs = new Map(topic.configs.map(({ name, value }) => [name, value]))
  const created = context.broker.controller.createTopic({ ...topic, configs }, validateOnly, context.now)
  return isRefusal(created) ? refused(topic.name, created) : accepted(created, context)
}

function accepted(topic: CreatedTopic, { broker, version }: RequestContext): CreatableTopicResult {
  const configs = TOPIC_CONFIGS.map((definition) => {
    const { value, source } = topicConfigValues(definition, topic.configs, broker.config.given)[0]!
    return { name: definition.name, value, readOnly: false, configSource: source, isSensitive: false }
  })
  return {
    name: topic.name,
    topicId: topic.id,
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    topicConfigErrorCode: ErrorCode.NONE,
    numPartitions: topic.numPartitions,
    replicationFactor: 1,
    configs: version >= 5 ? configs.toSorted((a, b) => (a.name < b.name ? -1 : 1)) : [],
  }
}

function refused(name: string, { errorCode, errorMessage }: Refusal): CreatableTopicResult {
  return {
    name,
    topicId: ZERO_UUID,
    errorCode,
    errorMessage,
    topicConfigErrorCode: ErrorCode.NONE,
    numPartitions: -1,
    replicationFactor: -1,
    configs: [],
  }
}

function repeatedNames(topics: readonly CreatableTopic[]): Set<string> {
  const seen = new Set<string>()
  const repeated = new Set<string>()
  for (const { name } of topics) (seen.has(name) ? repeated : seen).add(name)
  return repeated
}

function checkTotal(topics: readonly CreatableTopic[], defaultPartitions: number): Refusal | null {
  let total = 0
  for (const { assignments, numPartitions } of topics) {
    if (assignments.length > 0) total += assignments.length
    else total += numPartitions === -1 ? defaultPartitions : Math.max(0, numPartitions)
  }
  if (total <= PARTITIONS_PER_REQUEST_MAX) return null
  // Kafka's words: ReplicationControlManager.validateTotalNumberOfPartitions.
  return refusal(ErrorCode.POLICY_VIOLATION, `Excessively large number of partitions per request.`)
}
