/** CreatePartitions v0-3. Partitions are only ever added; those that exist keep their data. */
import { ErrorCode } from '@millrace/protocol'
import {
  createPartitionsApi,
  type CreatePartitionsRequest,
  type CreatePartitionsResponse,
  type CreatePartitionsTopic,
} from '@millrace/protocol/apis/create-partitions'
import type { Handler, RequestContext } from '../core/handler.ts'
import { FAULT_MESSAGE, itemErrors, TOPICS } from '../faults/error-shape.ts'
import { refusal, type Refusal } from '../core/outcome.ts'

export const createPartitionsHandler: Handler<CreatePartitionsRequest, CreatePartitionsResponse> = {
  api: createPartitionsApi,
  minVersion: 0,
  maxVersion: 3,
  errors: itemErrors({
    ...TOPICS,
    items: ({ topics }) => topics,
    withItems: (request, topics) => ({ ...request, topics }),
    answers: ({ results }) => results,
    failed: ({ name }, errorCode) => ({ name, errorCode, errorMessage: FAULT_MESSAGE }),
  }),
  handle(request, context) {
    const count = new Map<string, number>()
    for (const { name } of request.topics) count.set(name, (count.get(name) ?? 0) + 1)
    const results = [...new Map(request.topics.map((topic) => [topic.name, topic])).values()].map((topic) => {
      const repeated = count.get(topic.name)! > 1
      const failed = repeated
        ? refusal(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.')
        : increase(topic, request.validateOnly, context)
      return { name: topic.name, errorCode: failed?.errorCode ?? ErrorCode.NONE, errorMessage: failed?.errorMessage ?? null }
    })
    return { throttleTimeMs: 0, results }
  },
}

function increase(topic: CreatePartitionsTopic, validateOnly: boolean, { broker, now }: RequestContext): Refusal | null {
  const current = broker.image.topicByName(topic.name)?.partitions.length ?? 0
  const assignments = topic.assignments?.map(({ brokerIds }, i) => ({ partitionIndex: current + i, brokerIds })) ?? null
  return broker.controller.createPartitions(topic.name, topic.count, assignments, validateOnly, now)
}
