import { ConfigError } from '@millrace/protocol'
import { checkTopicName } from './config.ts'
import type { ManualPartition } from './consumer-core.ts'
import { invalidOffset } from './errors.ts'
import type { TopicPartition } from './topic-partition.ts'

/** Where to go on, as `seek` takes it: an offset, or one with the leader epoch of the record before it, so that a truncated log is noticed (KIP-320). */
export interface SeekPosition {
  readonly offset: number
  readonly leaderEpoch?: number
  /** Of no account here; what `committed` gives can be handed to `seek` as it is. */
  readonly metadata?: string
}

const INT32_MAX = 0x7fffffff

/** @throws {ConfigError} naming `option` */
export function checkPartitions(option: string, partitions: unknown): readonly TopicPartition[] {
  if (!Array.isArray(partitions)) throw new ConfigError(option, partitions, 'an array of { topic, partition }')
  for (const one of partitions as unknown[]) checkPartition(option, one)
  return partitions as TopicPartition[]
}

/** @throws {ConfigError} naming `option` */
export function checkPartition(option: string, value: unknown): TopicPartition {
  if (typeof value !== 'object' || value === null) throw new ConfigError(option, value, '{ topic, partition }')
  const { topic, partition } = value as Partial<TopicPartition>
  checkTopicName(`${option}.topic`, topic)
  if (!Number.isInteger(partition) || partition! < 0 || partition! > INT32_MAX) {
    throw new ConfigError(`${option}.partition`, partition, `a whole number from 0 to ${INT32_MAX}`)
  }
  return value as TopicPartition
}

/** @throws {ConfigError} or {KafkaError} INVALID_OFFSET */
export function checkManualPartitions(partitions: unknown): readonly ManualPartition[] {
  for (const one of checkPartitions('assign', partitions) as readonly ManualPartition[]) {
    if (one.offset !== undefined) checkOffset('assign', one, one.offset)
  }
  return partitions as ManualPartition[]
}

/** @throws {KafkaError} INVALID_OFFSET */
export function checkOffset(call: string, { topic, partition }: TopicPartition, offset: unknown): number {
  if (Number.isSafeInteger(offset) && (offset as number) >= 0) return offset as number
  throw invalidOffset(call, topic, partition, offset)
}

/** @throws {ConfigError} or {KafkaError} INVALID_OFFSET */
export function checkSeekPosition(to: TopicPartition, position: unknown): Required<Omit<SeekPosition, 'metadata'>> {
  const given = typeof position === 'object' && position !== null ? (position as SeekPosition) : { offset: position }
  const { offset, leaderEpoch = -1 } = given as SeekPosition
  return { offset: checkOffset('seek', to, offset), leaderEpoch: checkLeaderEpoch('seek', leaderEpoch) }
}

/** @throws {ConfigError} */
export function checkLeaderEpoch(call: string, epoch: unknown): number {
  if (Number.isInteger(epoch) && (epoch as number) >= -1 && (epoch as number) <= INT32_MAX) return epoch as number
  throw new ConfigError(`${call}.leaderEpoch`, epoch, `a leader epoch: a whole number from 0 to ${INT32_MAX}, or -1 for unknown`)
}

/** @throws {ConfigError} */
export function checkTimestamps(questions: unknown): void {
  for (const one of checkPartitions('offsetsForTimes', questions)) {
    const { timestamp } = one as { timestamp?: unknown }
    if (!Number.isSafeInteger(timestamp) || (timestamp as number) < 0) {
      throw new ConfigError('offsetsForTimes.timestamp', timestamp, 'epoch milliseconds: a whole number of at least 0')
    }
  }
}
