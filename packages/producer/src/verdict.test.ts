import { ErrorCode } from '@millrace/protocol'
import { describe, expect, test } from 'vitest'
import { BatchDeliveries } from './delivery.ts'
import { ProducerIdentity } from './idempotence.ts'
import { PartitionQueue, TopicQueues } from './partition-queue.ts'
import type { PartitionResult } from './produce-response.ts'
import { ProducerBatch } from './producer-batch.ts'
import { StickyPartitioner } from './sticky-partitioner.ts'
import { verdictOf } from './verdict.ts'

const identity = new ProducerIdentity()
identity.assign(7, 0)

function batchIn(queue: PartitionQueue, recordCount = 2): ProducerBatch {
  const batch = new ProducerBatch(queue, null, new BatchDeliveries(), 0, 0)
  batch.recordCount = recordCount
  queue.sequences.assign(batch, identity)
  return batch
}

function queue(): PartitionQueue {
  return new PartitionQueue(new TopicQueues('t', new StickyPartitioner(1, () => 0, null)), 3)
}

function result(errorCode: number, logStartOffset = 0): PartitionResult {
  return { errorCode, errorMessage: null, baseOffset: -1, logAppendTime: -1, logStartOffset, newLeader: null }
}

type Name = keyof typeof ErrorCode
/** Every error that a broker may answer a Produce request with, and what Java's idempotent producer makes of it. */
const RETRIED: readonly Name[] = [
  'CORRUPT_MESSAGE',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_OR_FOLLOWER',
  'REQUEST_TIMED_OUT',
  'NETWORK_EXCEPTION',
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'KAFKA_STORAGE_ERROR',
  'UNKNOWN_TOPIC_ID',
  'INCONSISTENT_TOPIC_ID',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'THROTTLING_QUOTA_EXCEEDED',
]
const REFUSED: readonly Name[] = [
  'UNKNOWN_SERVER_ERROR',
  'INVALID_TOPIC_EXCEPTION',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_REQUIRED_ACKS',
  'TOPIC_AUTHORIZATION_FAILED',
  'INVALID_TIMESTAMP',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'POLICY_VIOLATION',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_TXN_STATE',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'INVALID_RECORD',
]
const FATAL: readonly Name[] = [
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'PRODUCER_FENCED',
  'UNSUPPORTED_VERSION',
  'INVALID_PRODUCER_ID_MAPPING',
]

describe('with idempotence', () => {
  test.each(RETRIED)('%s is retried', (name) => {
    expect(verdictOf(batchIn(queue()), result(ErrorCode[name]), true)).toMatchObject({
      kind: 'retry',
      error: { code: name, message: expect.stringContaining('t-3') },
      resetSequences: false,
    })
  })

  test.each(REFUSED)('%s is the end of the batch', (name) => {
    expect(verdictOf(batchIn(queue()), result(ErrorCode[name]), true)).toMatchObject({ kind: 'failed', error: { code: name } })
  })

  test.each(FATAL)('%s is the end of the producer', (name) => {
    expect(verdictOf(batchIn(queue()), result(ErrorCode[name]), true)).toMatchObject({ kind: 'fatal', error: { code: name } })
    expect(verdictOf(batchIn(queue()), result(ErrorCode[name]), false)).toMatchObject({ kind: 'failed', error: { code: name } })
  })

  test('DUPLICATE_SEQUENCE_NUMBER: it is stored, where is forgotten', () => {
    const verdict = verdictOf(batchIn(queue()), result(ErrorCode.DUPLICATE_SEQUENCE_NUMBER), true)
    expect(verdict).toMatchObject({ kind: 'delivered', resetSequences: false })
  })

  test('OUT_OF_ORDER_SEQUENCE_NUMBER: retried; next in line, there is a gap, and numbers begin anew', () => {
    const partition = queue()
    const [first, second] = [batchIn(partition), batchIn(partition)]
    const answer = result(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(verdictOf(second, answer, true)).toMatchObject({ kind: 'retry', resetSequences: false, isOutcomeUnknown: false })
    expect(verdictOf(first, answer, true)).toMatchObject({ kind: 'retry', resetSequences: true, isOutcomeUnknown: false })
    expect(verdictOf(first, answer, false)).toMatchObject({ kind: 'failed' })
  })

  test('UNKNOWN_PRODUCER_ID: numbers begin anew, once the log start offset shows that the answer is to be trusted', () => {
    const batch = batchIn(queue())
    expect(verdictOf(batch, result(ErrorCode.UNKNOWN_PRODUCER_ID, -1), true)).toMatchObject({
      kind: 'retry',
      resetSequences: false,
    })
    expect(verdictOf(batch, result(ErrorCode.UNKNOWN_PRODUCER_ID, 5), true)).toMatchObject({
      kind: 'retry',
      resetSequences: true,
    })
  })

  test('MESSAGE_TOO_LARGE: split, while there is more than one record', () => {
    expect(verdictOf(batchIn(queue(), 2), result(ErrorCode.MESSAGE_TOO_LARGE), true)).toMatchObject({ kind: 'split' })
    expect(verdictOf(batchIn(queue(), 1), result(ErrorCode.MESSAGE_TOO_LARGE), true)).toMatchObject({ kind: 'failed' })
  })

  test.each(['REQUEST_TIMED_OUT', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND'] as const)('%s: it may be stored all the same', (name) => {
    expect(verdictOf(batchIn(queue()), result(ErrorCode[name]), true)).toMatchObject({ isOutcomeUnknown: true })
  })

  test('what says that the leader is another one asks for metadata', () => {
    const verdict = (name: Name): unknown => verdictOf(batchIn(queue()), result(ErrorCode[name]), true).refreshMetadata
    expect(
      ['NOT_LEADER_OR_FOLLOWER', 'FENCED_LEADER_EPOCH', 'UNKNOWN_TOPIC_ID', 'UNKNOWN_TOPIC_OR_PARTITION'].map((name) =>
        verdict(name as Name),
      ),
    ).toEqual([true, true, true, true])
    expect([verdict('NOT_ENOUGH_REPLICAS'), verdict('INVALID_RECORD')]).toEqual([false, false])
  })
})
