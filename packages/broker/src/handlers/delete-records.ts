import { ErrorCode } from '@millrace/protocol'
import {
  deleteRecordsApi,
  type DeleteRecordsPartition,
  type DeleteRecordsPartitionResult,
  type DeleteRecordsRequest,
  type DeleteRecordsResponse,
  type DeleteRecordsTopic,
  type DeleteRecordsTopicResult,
} from '@millrace/protocol/apis/delete-records'
import type { Handler } from '../core/handler.ts'
import { namedPartitionErrors } from '../faults/error-shape.ts'
import type { Topic } from '../core/topic-registry.ts'
import { LogError } from '../log/log-error.ts'

/** Stands for the high watermark (DeleteRecordsRequest.HIGH_WATERMARK). */
const HIGH_WATERMARK = -1n
const NO_LOW_WATERMARK = -1n

/** DeleteRecords: moves log start offsets. It is on disk before the answer, so that deleted records do not come back after a crash. */
export const deleteRecordsHandler: Handler<DeleteRecordsRequest, DeleteRecordsResponse> = {
  api: deleteRecordsApi,
  minVersion: 0,
  maxVersion: 2,
  errors: namedPartitionErrors({
    indexOf: ({ partitionIndex }: DeleteRecordsPartition) => partitionIndex,
    topicAnswer: ({ name }: DeleteRecordsTopic): DeleteRecordsTopicResult => ({ name, partitions: [] }),
    failed: ({ partitionIndex }, errorCode) => failed(partitionIndex, errorCode),
  }),
  handle(request, { broker }) {
    return {
      throttleTimeMs: 0,
      topics: request.topics.map(({ name, partitions }) => {
        const topic = broker.topics.byName(name)
        return { name, partitions: partitions.map((partition) => deleteRecords(topic, partition)) }
      }),
    }
  },
}

function deleteRecords(topic: Topic | undefined, asked: DeleteRecordsPartition): DeleteRecordsPartitionResult {
  const { partitionIndex, offset } = asked
  const partition = topic?.partitions[partitionIndex]
  if (topic === undefined || partition === undefined) return failed(partitionIndex, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  if (topic.internal) return failed(partitionIndex, ErrorCode.INVALID_TOPIC_EXCEPTION)
  const { log } = partition
  try {
    const lowWatermark = log.deleteRecordsBefore(offset === HIGH_WATERMARK ? log.highWatermark : Number(offset))
    return { partitionIndex, lowWatermark: BigInt(lowWatermark), errorCode: ErrorCode.NONE }
  } catch (error) {
    const isOutOfRange = error instanceof LogError && error.code === 'OFFSET_OUT_OF_RANGE'
    return failed(partitionIndex, isOutOfRange ? ErrorCode.OFFSET_OUT_OF_RANGE : ErrorCode.KAFKA_STORAGE_ERROR)
  }
}

function failed(partitionIndex: number, errorCode: number): DeleteRecordsPartitionResult {
  return { partitionIndex, lowWatermark: NO_LOW_WATERMARK, errorCode }
}
