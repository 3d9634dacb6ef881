import { ErrorCode, type KafkaError } from '@millrace/protocol'
import { errorAbout, isRetriable, RetryPolicy, type ClusterClient } from '@millrace/client/internal'
import type { ConsumerConfig } from '../config.ts'
import { NoOffsetError } from '../errors.ts'
import type { PartitionCursor } from '../fetch/partition-cursor.ts'
import type { GroupOffsets } from './group-offsets.ts'
import { listOffsets } from './list-offsets.ts'

/**
 * Finds where to begin in partitions that were just assigned, or whose offset the log has no more. A failure that may pass
 * is waited out: it must never look like "nothing was committed".
 */
export class PositionResolver {
  readonly #config: ConsumerConfig
  readonly #cluster: ClusterClient
  readonly #offsets: GroupOffsets
  readonly #retryPolicy: RetryPolicy

  constructor(config: ConsumerConfig, cluster: ClusterClient, offsets: GroupOffsets) {
    this.#config = config
    this.#cluster = cluster
    this.#offsets = offsets
    this.#retryPolicy = new RetryPolicy(config.retryBackoffMs, config.retryBackoffMaxMs)
  }

  /**
   * From the committed offset, or else by `autoOffsetReset`. Partitions that are given up meanwhile are left alone.
   * @throws {KafkaError} that is not retriable, or {NoOffsetError}
   */
  async begin(cursors: readonly PartitionCursor[]): Promise<void> {
    const without: PartitionCursor[] = []
    await this.#persist(async () => {
      const active = cursors.filter((cursor) => cursor.isActive && cursor.position < 0)
      if (active.length === 0) return
      const index = new Map(
        (await this.#offsets.fetch(this.#config.groupId, active)).map((one) => [`${one.topic} ${one.partition}`, one]),
      )
      without.length = 0
      for (const cursor of active) {
        const committed = index.get(`${cursor.topic} ${cursor.partition}`)
        if (committed === undefined)
          throw errorAbout(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `offset of ${cursor.topic}-${cursor.partition}`)
        if (committed.offset < 0) {
          without.push(cursor)
          continue
        }
        cursor.seek(committed.offset, committed.leaderEpoch)
        cursor.committed = committed.offset
      }
    })
    await this.reset(without)
  }

  /**
   * By `autoOffsetReset`.
   * @param offsets what the log has no more, for the error
   * @throws {KafkaError} that is not retriable, or {NoOffsetError}
   */
  async reset(cursors: readonly PartitionCursor[], offsets: readonly number[] = []): Promise<void> {
    const { autoOffsetReset, isolationLevel } = this.#config
    if (autoOffsetReset === 'none') {
      const at = cursors.findIndex((cursor) => cursor.isActive)
      if (at >= 0) throw new NoOffsetError(cursors[at]!.topic, cursors[at]!.partition, offsets[at] ?? -1)
      return
    }
    const left = new Set(cursors)
    await this.#persist(async () => {
      for (const cursor of left) if (!cursor.isActive) left.delete(cursor)
      if (left.size === 0) return
      const { found, failure } = await listOffsets(this.#cluster, [...left], autoOffsetReset, isolationLevel)
      for (const cursor of left) {
        const answer = found.find((one) => one.topic === cursor.topic && one.partition === cursor.partition)
        if (answer === undefined) continue
        left.delete(cursor)
        cursor.seek(answer.offset, answer.leaderEpoch)
      }
      if (left.size === 0) return
      await this.#cluster.refreshMetadata([...new Set([...left].map((cursor) => cursor.topic))])
      throw failure ?? errorAbout(ErrorCode.LEADER_NOT_AVAILABLE, 'the answer leaves partitions out')
    })
  }

  /** Does `attempt` until it succeeds, with backoff, unless it fails for good. */
  async #persist(attempt: () => Promise<void>): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        return await attempt()
      } catch (error) {
        if (!isRetriable(error)) throw error as KafkaError
        await this.#cluster.sleep(this.#retryPolicy.delayMs(failures, this.#cluster.environment.random()))
      }
    }
  }
}
