import { ErrorCode } from '@millrace/protocol'
import {
  offsetForLeaderEpochApi,
  type EpochEndOffset,
  type OffsetForLeaderEpochRequest,
  type OffsetForLeaderEpochResponse,
  type OffsetForLeaderPartition,
  type OffsetForLeaderTopicResult,
} from '@millrace/protocol/apis/offset-for-leader-epoch'
import type { Handler, RequestContext } from '../core/handler.ts'
import { partitionErrors } from '../faults/error-shape.ts'
import { checkLeaderEpoch } from '../fetch/leader-epoch-check.ts'

/** OffsetForLeaderEpoch: where the records of a leader epoch end (KIP-101, KIP-320). */
export const offsetForLeaderEpochHandler: Handler<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse> = {
  api: offsetForLeaderEpochApi,
  minVersion: 2,
  maxVersion: 4,
  errors: partitionErrors({
    topics: ({ topics }: OffsetForLeaderEpochRequest) => topics,
    withTopics: (request, topics) => ({ ...request, topics }),
    nameOf: ({ topic }) => ({ name: topic }),
    partitions: ({ partitions }) => partitions,
    withPartitions: (topic, partitions) => ({ ...topic, partitions }),
    indexOf: ({ partition }) => partition,
    topicAnswers: ({ topics }) => topics,
    answers: ({ partitions }) => partitions,
    topicAnswer: ({ topic }): OffsetForLeaderTopicResult => ({ topic, partitions: [] }),
    failed: ({ partition }, errorCode) => failed(partition, errorCode),
  }),
  handle(request, context) {
    return {
      throttleTimeMs: 0,
      topics: request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map((asked) => epochEnd(topic, asked, context)),
      })),
    }
  },
}

function epochEnd(topic: string, asked: OffsetForLeaderPartition, { broker }: RequestContext): EpochEndOffset {
  const partition = broker.topics.partition(topic, asked.partition)
  if (partition === undefined) return failed(asked.partition, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const epochError = checkLeaderEpoch(partition, asked.currentLeaderEpoch)
  if (epochError !== ErrorCode.NONE) return failed(asked.partition, epochError)
  const { epoch, endOffset } = partition.log.epochEndOffset(asked.leaderEpoch)
  return { errorCode: ErrorCode.NONE, partition: asked.partition, leaderEpoch: epoch, endOffset: BigInt(endOffset) }
}

function failed(partition: number, errorCode: number): EpochEndOffset {
  return { errorCode, partition, leaderEpoch: -1, endOffset: -1n }
}
