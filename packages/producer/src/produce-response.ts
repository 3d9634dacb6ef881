import { ErrorCode } from '@millrace/protocol'
import type { PartitionProduceResponse, ProduceResponse, TopicProduceResponse } from '@millrace/protocol/apis/produce'
import type { ProducerBatch } from './producer-batch.ts'

/** What the broker says of one batch, its int64 as numbers. */
export interface PartitionResult {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly baseOffset: number
  readonly logAppendTime: number
  readonly logStartOffset: number
  /** Who leads the partition, when the broker that was asked does not (KIP-951). */
  readonly newLeader: { readonly leaderId: number; readonly leaderEpoch: number } | null
}

/** With acks 0 nothing is known, and nothing went wrong. */
const UNACKNOWLEDGED: PartitionResult = resultWith(ErrorCode.NONE, null)

/** The results of the call's batches, in their order. A batch that the answer leaves out counts as `UNKNOWN_SERVER_ERROR`. */
export function resultsOf(
  call: { readonly batches: readonly ProducerBatch[] },
  response: ProduceResponse | null,
): PartitionResult[] {
  if (response === null) return call.batches.map(() => UNACKNOWLEDGED)
  const results: Array<PartitionResult | undefined> = call.batches.map(() => undefined)
  // Brokers answer in any order, but mostly in that of the request.
  let expected = 0
  for (const topic of response.responses) {
    for (const answer of topic.partitionResponses) {
      const guess = call.batches[expected]
      const at =
        guess !== undefined && isAbout(guess, topic, answer)
          ? expected
          : call.batches.findIndex((one) => isAbout(one, topic, answer))
      if (at < 0) continue
      results[at] = resultOf(answer)
      expected = at + 1
    }
  }
  return results.map((result) => result ?? resultWith(ErrorCode.UNKNOWN_SERVER_ERROR, 'the answer leaves this partition out'))
}

function isAbout(batch: ProducerBatch, topic: TopicProduceResponse, answer: PartitionProduceResponse): boolean {
  const { queue } = batch
  if (queue.partition !== answer.index) return false
  return topic.name === '' ? queue.topic.topicId === topic.topicId : queue.topic.name === topic.name
}

function resultOf(answer: PartitionProduceResponse): PartitionResult {
  const { leaderId, leaderEpoch } = answer.currentLeader
  return {
    errorCode: answer.errorCode,
    errorMessage: messageOf(answer),
    baseOffset: Number(answer.baseOffset),
    logAppendTime: Number(answer.logAppendTimeMs),
    logStartOffset: Number(answer.logStartOffset),
    newLeader: leaderId >= 0 ? { leaderId, leaderEpoch } : null,
  }
}

function messageOf(answer: PartitionProduceResponse): string | null {
  const perRecord = answer.recordErrors.map(
    ({ batchIndex, batchIndexErrorMessage }) => `record ${batchIndex}: ${batchIndexErrorMessage ?? 'invalid'}`,
  )
  if (perRecord.length === 0) return answer.errorMessage
  return [answer.errorMessage, ...perRecord].filter((part) => part !== null).join('; ')
}

function resultWith(errorCode: number, errorMessage: string | null): PartitionResult {
  return { errorCode, errorMessage, baseOffset: -1, logAppendTime: -1, logStartOffset: -1, newLeader: null }
}
