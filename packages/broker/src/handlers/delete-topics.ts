/** DeleteTopics v1-6: by name, and from v6 by name or id. Deletion is done when the reply is sent. Internal topics stay. */
import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import {
  deleteTopicsApi,
  type DeletableTopicResult,
  type DeleteTopicsRequest,
  type DeleteTopicsResponse,
  type DeleteTopicState,
} from '@millrace/protocol/apis/delete-topics'
import type { Handler, RequestContext } from '../core/handler.ts'
import { FAULT_MESSAGE, itemErrors, topicNameOf } from '../faults/error-shape.ts'
import { refusal, type Refusal } from '../core/outcome.ts'

export const deleteTopicsHandler: Handler<DeleteTopicsRequest, DeleteTopicsResponse> = {
  api: deleteTopicsApi,
  minVersion: 1,
  maxVersion: 6,
  errors: itemErrors({
    selectors: ['topic'],
    items: (request) => askedOf(request),
    target: (topic, context) => ({ topic: topicNameOf(topic, context), partition: null, group: null }),
    withItems: (request, topics) => ({ ...request, topics, topicNames: topics.map(({ name }) => name ?? '') }),
    answers: ({ responses }) => responses,
    failed: ({ name, topicId }, errorCode) => result(name, topicId, refusal(errorCode, FAULT_MESSAGE)),
  }),
  handle(request, context) {
    const asked = askedOf(request)
    const times = countMentions(asked, context)
    return { throttleTimeMs: 0, responses: withoutRepeats(asked).map((topic) => deleteOne(topic, times, context)) }
  },
}

function deleteOne(
  { name, topicId }: DeleteTopicState,
  times: ReadonlyMap<string, number>,
  context: RequestContext,
): DeletableTopicResult {
  const { image, controller } = context.broker
  if ((name === null) === (topicId === ZERO_UUID)) {
    const message =
      name === null ? 'Neither topic name nor id were specified.' : 'You may not specify both topic name and topic id.'
    return result(name, topicId, refusal(ErrorCode.INVALID_REQUEST, message))
  }
  const topic = name === null ? image.topicById(topicId) : image.topicByName(name)
  if (topic === undefined) {
    const code = name === null ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return result(name, topicId, refusal(code, 'This server does not host this topic.'))
  }
  if (times.get(topic.id)! > 1) {
    return result(topic.name, topic.id, refusal(ErrorCode.INVALID_REQUEST, 'The request names the topic more than once.'))
  }
  return result(topic.name, topic.id, controller.deleteTopic(topic, context.now))
}

function result(name: string | null, topicId: string, failed: Refusal | null): DeletableTopicResult {
  return { name, topicId, errorCode: failed?.errorCode ?? ErrorCode.NONE, errorMessage: failed?.errorMessage ?? null }
}

/** How often each topic is meant, by name or by id: Kafka deletes none that is meant twice. */
function countMentions(asked: readonly DeleteTopicState[], { broker }: RequestContext): Map<string, number> {
  const times = new Map<string, number>()
  for (const { name, topicId } of asked) {
    const id = name === null ? topicId : broker.image.topicByName(name)?.id
    if (id !== undefined) times.set(id, (times.get(id) ?? 0) + 1)
  }
  return times
}

function withoutRepeats(topics: readonly DeleteTopicState[]): DeleteTopicState[] {
  const byKey = new Map(topics.map((topic) => [`${topic.name === null ? 'id' : 'name'} ${topic.name ?? topic.topicId}`, topic]))
  return [...byKey.values()]
}

/** Up to v5 there are names alone, and from v6 on there is no such list. */
function askedOf({ topics, topicNames }: DeleteTopicsRequest): DeleteTopicState[] {
  return topics.length > 0 ? topics : topicNames.map((name) => ({ name, topicId: ZERO_UUID }))
}
