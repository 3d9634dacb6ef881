import { channel } from 'node:diagnostics_channel'
import type { KafkaError } from '@millrace/protocol'
import type { BatchOutcome } from './delivery.ts'
import type { ProducerBatch } from './producer-batch.ts'

/** Published on `millrace:producer:batch` when a batch was stored or failed. */
export interface ProducerBatchMessage {
  readonly topic: string
  readonly partition: number
  readonly recordCount: number
  /** Requests that carried it. */
  readonly attempts: number
  readonly baseOffset: number
  readonly error: KafkaError | null
}

const batchChannel = channel('millrace:producer:batch')

export function publishBatch(batch: ProducerBatch, outcome: BatchOutcome): void {
  if (!batchChannel.hasSubscribers) return
  const { topic, partition, baseOffset, error } = outcome
  const message: ProducerBatchMessage = {
    topic,
    partition,
    recordCount: batch.recordCount,
    attempts: batch.attempts,
    baseOffset,
    error,
  }
  batchChannel.publish(message)
}
