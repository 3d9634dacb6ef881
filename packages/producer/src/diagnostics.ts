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

/** Published on `millrace:producer:refused` when records failed that never were in a batch: wrong input, time-outs, `close`, … */
export interface ProducerRefusedMessage {
  readonly topic: string
  readonly recordCount: number
  readonly error: KafkaError
}

const refusedChannel = channel('millrace:producer:refused')

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

export function publishRefused(topic: string, recordCount: number, error: KafkaError): void {
  if (!refusedChannel.hasSubscribers) return
  const message: ProducerRefusedMessage = { topic, recordCount, error }
  refusedChannel.publish(message)
}
