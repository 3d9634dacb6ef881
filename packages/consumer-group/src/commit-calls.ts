import { ConfigError } from '@millrace/protocol'
import { KafkaRecord } from '@millrace/records/internal'
import type { Assignment } from './assignment.ts'
import type { ConsumerRecord } from './consumer-record.ts'
import { leaderEpochOf } from './delivery/record-decoder.ts'
import type { CommittedOffset } from './events.ts'
import { ConsumerBatch } from './fetch/consumer-batch.ts'
import type { PartitionCursor } from './fetch/partition-cursor.ts'
import { checkLeaderEpoch, checkOffset, checkPartition } from './position-calls.ts'

export interface CommitOptions {
  /** Kept with the offset of a record or batch. Default `''`. */
  readonly metadata?: string
}

export interface ChosenOffset {
  readonly cursor: PartitionCursor
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
  readonly topicId: string
}

/**
 * What `commit` was given, checked.
 * @throws {ConfigError}, or {KafkaError} NOT_ASSIGNED, INVALID_OFFSET
 */
export function chosenOffsets(
  assignment: Assignment,
  what: readonly CommittedOffset[] | ConsumerRecord<unknown, unknown> | ConsumerBatch,
  options: CommitOptions,
): ChosenOffset[] {
  const offsets = Array.isArray(what) ? (what as readonly CommittedOffset[]) : [offsetAfter(what, options)]
  return offsets.map((one) => {
    const { topic, partition } = checkPartition('commit', one)
    const offset = checkOffset('commit', one, one.offset)
    const { leaderEpoch = -1, metadata = '' } = one
    checkLeaderEpoch('commit', leaderEpoch)
    if (typeof metadata !== 'string') throw new ConfigError('commit.metadata', metadata, 'a string')
    const cursor = assignment.committable('commit', topic, partition)
    return { cursor, offset, leaderEpoch, metadata, topicId: cursor.topicId }
  })
}

function offsetAfter(what: unknown, { metadata = '' }: CommitOptions): CommittedOffset {
  if (what instanceof ConsumerBatch) {
    const { topic, partition, lastOffset, leaderEpoch } = what
    return { topic, partition, offset: lastOffset + 1, leaderEpoch, metadata }
  }
  if (typeof what !== 'object' || what === null) {
    throw new ConfigError('commit', what, 'a record or batch of this consumer, or an array of { topic, partition, offset }')
  }
  const { topic, partition, offset } = what as ConsumerRecord
  const leaderEpoch = what instanceof KafkaRecord ? what.batch.partitionLeaderEpoch : leaderEpochOf(what)
  return { topic, partition, offset: Number.isSafeInteger(offset) ? offset + 1 : offset, leaderEpoch, metadata }
}
