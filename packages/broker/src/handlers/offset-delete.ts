/** OffsetDelete v0. A consumer group with members keeps the offsets of topics that it subscribes to; other groups must be empty. */
import { ErrorCode } from '@millrace/protocol'
import {
  offsetDeleteApi,
  type OffsetDeleteRequest,
  type OffsetDeleteRequestPartition,
  type OffsetDeleteRequestTopic,
  type OffsetDeleteResponse,
  type OffsetDeleteResponseTopic,
} from '@millrace/protocol/apis/offset-delete'
import { CONSUMER_PROTOCOL_TYPE } from '../coordinator/consumer-protocol.ts'
import type { Group } from '../coordinator/group-coordinator.ts'
import type { Handler, RequestContext } from '../core/handler.ts'
import { namedPartitionErrors, type ErrorShape } from '../faults/error-shape.ts'

const offsetErrors: ErrorShape<OffsetDeleteRequest, OffsetDeleteResponse> = namedPartitionErrors({
  groupOf: ({ groupId }) => groupId,
  indexOf: ({ partitionIndex }: OffsetDeleteRequestPartition) => partitionIndex,
  topicAnswer: ({ name }: OffsetDeleteRequestTopic): OffsetDeleteResponseTopic => ({ name, partitions: [] }),
  failed: ({ partitionIndex }, errorCode) => ({ partitionIndex, errorCode }),
})

export const offsetDeleteHandler: Handler<OffsetDeleteRequest, OffsetDeleteResponse> = {
  api: offsetDeleteApi,
  minVersion: 0,
  maxVersion: 0,
  errors: {
    ...offsetErrors,
    // Without a topic it is the whole request that fails, as with NOT_COORDINATOR.
    answer: (served, request, chosen, errorCode, context) =>
      chosen({ topic: null, partition: null, group: request.groupId })
        ? failed(errorCode)
        : offsetErrors.answer(served, request, chosen, errorCode, context),
  },
  handle(request, context) {
    const { groups } = context.broker
    const group = groups.group(request.groupId)
    if (request.groupId === '') return failed(ErrorCode.INVALID_GROUP_ID)
    if (group === undefined) return failed(ErrorCode.GROUP_ID_NOT_FOUND)
    if (group.state !== 'Empty' && group.protocolType !== CONSUMER_PROTOCOL_TYPE) return failed(ErrorCode.NON_EMPTY_GROUP)
    const topics = request.topics.map((topic) => judge(topic, group, context))
    const doomed = topics.flatMap(({ name, partitions }) =>
      partitions
        .filter(({ errorCode }) => errorCode === ErrorCode.NONE)
        .map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
    )
    const errorCode = groups.deleteOffsets(request.groupId, doomed, context.now)
    return errorCode === ErrorCode.NONE ? { errorCode, throttleTimeMs: 0, topics } : failed(errorCode)
  },
}

function judge(
  { name, partitions }: OffsetDeleteRequestTopic,
  group: Group,
  { broker }: RequestContext,
): OffsetDeleteResponseTopic {
  const subscribed = group.isSubscribedTo(name)
  return {
    name,
    partitions: partitions.map(({ partitionIndex }) => {
      let errorCode: number = ErrorCode.NONE
      if (broker.topics.partition(name, partitionIndex) === undefined) errorCode = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      else if (subscribed) errorCode = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
      return { partitionIndex, errorCode }
    }),
  }
}

function failed(errorCode: number): OffsetDeleteResponse {
  return { errorCode, throttleTimeMs: 0, topics: [] }
}
