import { ErrorCode, type KafkaError } from '@millrace/protocol'
import { errorAbout } from '@millrace/client/internal'
import type { PartitionResult } from './produce-response.ts'
import type { ProducerBatch } from './producer-batch.ts'

/** What becomes of a batch after its answer. */
export type Verdict = Delivered | NotDelivered

interface Delivered {
  readonly kind: 'delivered'
  readonly refreshMetadata: false
  readonly resetSequences: false
  readonly isOutcomeUnknown: false
}

interface NotDelivered {
  /** `fatal`: the whole producer can send no more. */
  readonly kind: 'retry' | 'split' | 'failed' | 'fatal'
  readonly error: KafkaError
  readonly refreshMetadata: boolean
  /** The partition's sequence has a gap: everything outstanding is numbered anew under a new epoch. */
  readonly resetSequences: boolean
  /** True: the broker may have stored it all the same. False: it has not, in this attempt or an earlier one. Undefined: this one changes nothing about it. */
  readonly isOutcomeUnknown: boolean | undefined
}

const DELIVERED: Delivered = { kind: 'delivered', refreshMetadata: false, resetSequences: false, isOutcomeUnknown: false }

/** Errors of an append that was made, but not replicated in time. */
const MAYBE_STORED: ReadonlySet<number> = new Set([ErrorCode.REQUEST_TIMED_OUT, ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND])

/** Errors which say that what we believe about the topic or its leader is wrong (Java: InvalidMetadataException). */
const STALE_METADATA: ReadonlySet<number> = new Set([
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.REPLICA_NOT_AVAILABLE,
  ErrorCode.NETWORK_EXCEPTION,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.LISTENER_NOT_FOUND,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.INCONSISTENT_TOPIC_ID,
])

/** Errors after which an idempotent producer cannot go on (Java: TransactionManager.maybeTransitionToErrorState). */
const FATAL: ReadonlySet<number> = new Set([
  ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
  ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
  ErrorCode.PRODUCER_FENCED,
  ErrorCode.UNSUPPORTED_VERSION,
  ErrorCode.INVALID_PRODUCER_ID_MAPPING,
])

/** The rules of Java's Sender.completeBatch and TransactionManager.canRetry for the idempotent producer. */
export function verdictOf(batch: ProducerBatch, result: PartitionResult, idempotent: boolean): Verdict {
  const code = result.errorCode
  if (code === ErrorCode.NONE) return DELIVERED
  // The broker has the batch, and has forgotten its offset.
  if (code === ErrorCode.DUPLICATE_SEQUENCE_NUMBER) return DELIVERED
  const { topic, partition } = batch.queue
  const error = errorAbout(code, `${topic.name}-${partition}`, result.errorMessage)
  const refreshMetadata = STALE_METADATA.has(code)
  const isOutcomeUnknown = MAYBE_STORED.has(code) ? true : undefined
  const notDelivered = { error, refreshMetadata, resetSequences: false, isOutcomeUnknown }
  if (idempotent && FATAL.has(code)) return { ...notDelivered, kind: 'fatal' }
  if (code === ErrorCode.MESSAGE_TOO_LARGE && batch.recordCount > 1) return { ...notDelivered, kind: 'split' }
  if (idempotent && code === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER) {
    // Behind another that has no outcome yet, this is what happens. Next in line, it means that the broker lost one.
    return {
      ...notDelivered,
      kind: 'retry',
      resetSequences: batch.queue.sequences.isFirstOutstanding(batch),
      isOutcomeUnknown: false,
    }
  }
  if (idempotent && code === ErrorCode.UNKNOWN_PRODUCER_ID) {
    // The broker forgot this producer, by retention for example. Without a log start offset it cannot be told yet.
    return { ...notDelivered, kind: 'retry', resetSequences: result.logStartOffset >= 0, isOutcomeUnknown: false }
  }
  return { ...notDelivered, kind: error.retriable ? 'retry' : 'failed' }
}
