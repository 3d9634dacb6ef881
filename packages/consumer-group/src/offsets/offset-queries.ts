import { ErrorCode, type KafkaError } from '@millrace/protocol'
import { asKafkaError } from '@millrace/protocol/internal'
import { errorAbout, isRetriable, RetryPolicy, TimeoutError, timeoutOption, type ClusterClient } from '@millrace/client/internal'
import type { ConsumerConfig } from '../config.ts'
import { keyOf, type TopicPartition } from '../topic-partition.ts'
import type { GroupOffsets } from './group-offsets.ts'
import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, listOffsets, type ListedOffset, type OffsetQuestion } from './list-offsets.ts'
import { PositionWaits } from './position-waits.ts'

export interface PartitionOffset extends TopicPartition {
  readonly offset: number
}

export interface PartitionTimestamp extends TopicPartition {
  /** Epoch milliseconds. */
  readonly timestamp: number
}

export interface OffsetAndTimestamp extends TopicPartition {
  /** Of the first record that is not older than what was asked for; null when there is none. */
  readonly offset: number | null
  /** That record's; -1 without one. */
  readonly timestamp: number
  /** Of that record; -1 when unknown. */
  readonly leaderEpoch: number
}

export interface CommittedPosition extends TopicPartition {
  /** Of the next record to be handled; null when the group has committed none. */
  readonly offset: number | null
  /** -1 when unknown. */
  readonly leaderEpoch: number
  readonly metadata: string
}

export interface QueryOptions {
  readonly signal?: AbortSignal | undefined
  /** Default: `defaultApiTimeoutMs`. */
  readonly timeoutMs?: number | undefined
}

interface Progress {
  /** The last attempt's. */
  failure: KafkaError | null
  isOver: boolean
}

const LATE: unique symbol = Symbol('late')

/** What the application asks about offsets, of any partitions: answers come for all of them or for none. */
export class OffsetQueries {
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

  async committed(groupId: string, partitions: readonly TopicPartition[], options: QueryOptions): Promise<CommittedPosition[]> {
    return this.#persist('committed', options, async () => {
      const answers = await this.#offsets.fetch(groupId, partitions)
      return partitions.map(({ topic, partition }) => {
        const answer = answers.find((one) => one.topic === topic && one.partition === partition)
        const code = answer === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : answer.errorCode
        if (code !== ErrorCode.NONE) throw errorAbout(code, `offset of group ${groupId} for ${topic}-${partition}`)
        const { offset, leaderEpoch, metadata } = answer!
        return { topic, partition, offset: offset < 0 ? null : offset, leaderEpoch, metadata }
      })
    })
  }

  beginningOffsets(partitions: readonly TopicPartition[], options: QueryOptions): Promise<PartitionOffset[]> {
    return this.#ends('beginningOffsets', partitions, EARLIEST_TIMESTAMP, options)
  }

  endOffsets(partitions: readonly TopicPartition[], options: QueryOptions): Promise<PartitionOffset[]> {
    return this.#ends('endOffsets', partitions, LATEST_TIMESTAMP, options)
  }

  async offsetsForTimes(questions: readonly PartitionTimestamp[], options: QueryOptions): Promise<OffsetAndTimestamp[]> {
    const answers = await this.#list('offsetsForTimes', questions, options)
    return answers.map(({ topic, partition, offset, timestamp, leaderEpoch }) => {
      return { topic, partition, offset: offset < 0 ? null : offset, timestamp, leaderEpoch }
    })
  }

  async #ends(
    call: string,
    partitions: readonly TopicPartition[],
    timestamp: number,
    options: QueryOptions,
  ): Promise<PartitionOffset[]> {
    const questions = partitions.map(({ topic, partition }) => ({ topic, partition, timestamp }))
    const answers = await this.#list(call, questions, options)
    return answers.map(({ topic, partition, offset }) => ({ topic, partition, offset }))
  }

  /** In the order of the questions. */
  async #list(call: string, questions: readonly OffsetQuestion[], options: QueryOptions): Promise<ListedOffset[]> {
    const found = new Map<string, ListedOffset>()
    await this.#persist(call, options, async () => {
      const left = questions.filter((one) => !found.has(keyOf(one)))
      const stale = new Set(left.filter((one) => this.#isUnknown(one)).map(({ topic }) => topic))
      if (stale.size > 0) await this.#cluster.refreshMetadata([...stale], { signal: options.signal })
      for (const one of left) this.#expectPartition(one)
      const result = await listOffsets(this.#cluster, left, this.#config.isolationLevel)
      for (const one of result.found) found.set(keyOf(one), one)
      const fatal = result.failed.find(({ error }) => !isRetriable(error))
      const failure = fatal ?? result.failed[0]
      if (failure === undefined) return
      if (fatal === undefined)
        await this.#cluster.refreshMetadata([...new Set(result.failed.map(({ topic }) => topic))], { signal: options.signal })
      throw failure.error
    })
    return questions.map((one) => found.get(keyOf(one))!)
  }

  #isUnknown({ topic, partition }: TopicPartition): boolean {
    return this.#cluster.leaderFor(topic, partition) === undefined
  }

  /** A topic that is not there may come yet; one that cannot be had, or has fewer partitions, is an error at once. */
  #expectPartition({ topic, partition }: TopicPartition): void {
    const code = this.#cluster.topicError(topic)
    if (code !== ErrorCode.NONE) throw errorAbout(code, `topic ${topic}`)
    const { length } = this.#cluster.partitionsFor(topic)
    if (length > 0 && partition >= length) {
      const error = errorAbout(
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        `${topic}-${partition}, as ${topic} has ${length} partitions`,
      )
      throw Object.assign(error, { retriable: false })
    }
  }

  /** Until it succeeds, fails for good or the time is over, whether or not a request is under way then. */
  async #persist<Result>(call: string, options: QueryOptions, attempt: () => Promise<Result>): Promise<Result> {
    const timeoutMs = timeoutOption(options.timeoutMs, this.#config.defaultApiTimeoutMs)
    const end = new PositionWaits(this.#cluster.environment.clock)
    const late = end.next(timeoutMs, options.signal).then((): typeof LATE => LATE)
    const progress: Progress = { failure: null, isOver: false }
    try {
      const result = await Promise.race([this.#attempts(attempt, progress), late])
      if (result !== LATE) return result
    } finally {
      progress.isOver = true
      end.wake()
    }
    const { failure } = progress
    const reason = failure === null ? 'no answer' : failure.message
    throw new TimeoutError('API_TIMED_OUT', timeoutMs, `${call} did not succeed within ${timeoutMs} ms: ${reason}`, failure)
  }

  async #attempts<Result>(attempt: () => Promise<Result>, progress: Progress): Promise<Result> {
    for (let failures = 0; ; failures++) {
      try {
        return await attempt()
      } catch (error) {
        if (!isRetriable(error) || progress.isOver) throw error
        progress.failure = asKafkaError(error)
        await this.#cluster.sleep(this.#retryPolicy.delayMs(failures, this.#cluster.environment.random()))
      }
    }
  }
}
