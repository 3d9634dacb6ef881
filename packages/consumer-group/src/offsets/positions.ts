import { ErrorCode, type KafkaError } from '@millrace/protocol'
import { errorAbout, isRetriable, RetryPolicy, type ClusterClient } from '@millrace/client/internal'
import type { ConsumerConfig } from '../config.ts'
import { LogTruncationError, NoOffsetError } from '../errors.ts'
import type { PartitionCursor, PositionPhase } from '../fetch/partition-cursor.ts'
import { epochEnds, type EpochEnd } from './epoch-ends.ts'
import { keyOf } from '../topic-partition.ts'
import type { GroupOffsets } from './group-offsets.ts'
import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, listOffsets, type OffsetQuestion } from './list-offsets.ts'
import { PositionTask, type PositionListener } from './position-task.ts'
import type { ResetStrategy } from './reset-strategy.ts'

export interface PositionsListener extends PositionListener {
  /** The log does not have any more what was read before `offset`; reading goes on at `divergentOffset`, or where `autoOffsetReset` says if that is null. */
  truncated(cursor: PartitionCursor, offset: number, divergentOffset: number | null): void
  /** Forgets what is buffered of the partition. */
  discard(cursor: PartitionCursor): void
  /** The topic of this name has another id: it was deleted and made anew. */
  newTopic(cursor: PartitionCursor, topicId: string): void
  /** Whether the partition of the topic of this id is ours. */
  mayRead(cursor: PartitionCursor, topicId: string): boolean
}

const UNKNOWN_TOPIC: ReadonlySet<number> = new Set([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID])

/** A partition and its `serial` when a question about it was asked: an answer for another serial is dropped. */
interface Asked {
  readonly cursor: PartitionCursor
  readonly serial: number
}

/** Finds where to begin in partitions, finds it anew when the log does not have that offset (any more), and checks it against new leaders. */
export class Positions {
  readonly #config: ConsumerConfig
  readonly #cluster: ClusterClient
  readonly #offsets: GroupOffsets
  readonly #listener: PositionsListener
  readonly #tasks: ReadonlyMap<PositionPhase, PositionTask>

  constructor(config: ConsumerConfig, cluster: ClusterClient, offsets: GroupOffsets, listener: PositionsListener) {
    this.#config = config
    this.#cluster = cluster
    this.#offsets = offsets
    this.#listener = listener
    const retryPolicy = new RetryPolicy(config.retryBackoffMs, config.retryBackoffMaxMs)
    const task = (phase: PositionPhase, attempt: (asked: Asked[]) => Promise<void>): [PositionPhase, PositionTask] => {
      const run = (cursors: readonly PartitionCursor[]): Promise<void> => this.#try(phase, cursors, attempt)
      return [phase, new PositionTask(phase, run, cluster, retryPolicy, listener)]
    }
    this.#tasks = new Map([
      task('locating', (asked) => this.#locate(asked)),
      task('resetting', (asked) => this.#reset(asked)),
      task('validating', (asked) => this.#validate(asked)),
    ])
  }

  /** Does what the partition's phase asks for, until it can be fetched, or fails. */
  pursue(cursor: PartitionCursor): void {
    this.#tasks.get(cursor.phase)?.add(cursor)
  }

  /** What is not known is asked for first, so that what is refused is refused now, and that it is known which topic the answers are about. */
  async #try(
    phase: PositionPhase,
    cursors: readonly PartitionCursor[],
    attempt: (asked: Asked[]) => Promise<void>,
  ): Promise<void> {
    const unknown = cursors.filter(({ topic, partition }) => this.#cluster.leaderFor(topic, partition) === undefined)
    if (unknown.length > 0) await this.#cluster.refreshMetadata([...new Set(unknown.map(({ topic }) => topic))])
    const asked: Asked[] = []
    let failure: KafkaError | null = null
    for (const cursor of cursors) {
      if (!cursor.isActive || cursor.phase !== phase) continue
      const topicId = this.#cluster.topicId(cursor.topic)
      if (topicId !== undefined && !this.#listener.mayRead(cursor, topicId))
        failure = errorAbout(ErrorCode.UNKNOWN_TOPIC_ID, `topic ${cursor.topic}`)
      // A position that the application asked for is as good in the new topic.
      else if (cursor.isOfAnother(topicId) && cursor.reset === null) this.#listener.newTopic(cursor, topicId!)
      else {
        if (topicId !== undefined) cursor.topicId = topicId
        asked.push({ cursor, serial: cursor.serial })
      }
    }
    if (asked.length > 0) await attempt(asked)
    if (failure === null) return
    await this.#cluster.refreshMetadata([...new Set(cursors.map(({ topic }) => topic))])
    throw failure
  }

  /** From the committed offset, or else by `autoOffsetReset`. */
  async #locate(asked: readonly Asked[]): Promise<void> {
    const { groupId } = this.#config
    if (groupId === null) return asked.forEach(({ cursor }) => this.#resetByPolicy(cursor))
    const cursors = asked.map(({ cursor }) => cursor)
    const answers = new Map((await this.#offsets.fetch(groupId, cursors)).map((one) => [keyOf(one), one]))
    let failure: KafkaError | null = null
    const unknown = new Set<string>()
    for (const { cursor, serial } of asked) {
      if (!isCurrent(cursor, serial, 'locating')) continue
      const answer = answers.get(keyOf(cursor))
      const code = answer === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : answer.errorCode
      if (code !== ErrorCode.NONE) {
        const error = errorAbout(code, `offset of group ${groupId} for ${cursor.topic}-${cursor.partition}`)
        if (error.retriable) failure = error
        else this.#fail(cursor, error)
        if (UNKNOWN_TOPIC.has(code)) unknown.add(cursor.topic)
      } else if (answer!.offset < 0) {
        this.#resetByPolicy(cursor)
      } else {
        cursor.seek(answer!.offset, answer!.leaderEpoch)
        cursor.committed.found(answer!.offset)
        // What was committed may be of a log that was truncated since (KIP-320).
        if (answer!.leaderEpoch >= 0) this.validate(cursor)
      }
    }
    // Another topic may have the name by now.
    if (unknown.size > 0) await this.#cluster.refreshMetadata([...unknown])
    if (failure !== null) throw failure
  }

  /** The log may have changed before the position: nothing is handed out until that is known. */
  validate(cursor: PartitionCursor): void {
    cursor.phase = 'validating'
    this.pursue(cursor)
  }

  /**
   * The application knows that the position could not be found, and may be on its way to ask again. Not at once: one that goes on whatever it is
   * told would get nothing but the same error.
   */
  tryAgain(cursor: PartitionCursor): void {
    this.#cluster.environment.clock.after(this.#config.retryBackoffMs, () => {
      if (!cursor.isActive || cursor.phase !== 'failed') return
      cursor.phase = cursor.failedPhase
      this.pursue(cursor)
      this.#listener.settled()
    })
  }

  #resetByPolicy(cursor: PartitionCursor): void {
    cursor.resetBy(null)
    this.pursue(cursor)
  }

  async #reset(asked: readonly Asked[]): Promise<void> {
    const wanted = asked.filter(({ cursor }) => this.#mayReset(cursor))
    const questions = wanted.map(({ cursor }) => this.#endQuestion(cursor, this.#strategyOf(cursor)!))
    const ends = await listOffsets(this.#cluster, questions, this.#config.isolationLevel)
    const found = new Map(ends.found.map((one) => [keyOf(one), one]))
    const failed = new Map(ends.failed.map((one) => [keyOf(one), one.error]))
    // The end is asked for first: what is written in between is new enough for every duration.
    const byTime = wanted.flatMap(({ cursor }) => this.#timeQuestion(cursor, this.#strategyOf(cursor)!))
    if (byTime.length > 0) {
      const times = await listOffsets(this.#cluster, byTime, this.#config.isolationLevel)
      for (const one of times.found) if (one.offset >= 0) found.set(keyOf(one), one)
      for (const one of times.failed) failed.set(keyOf(one), one.error)
    }
    await this.#apply(wanted, 'resetting', failed, (cursor) => {
      const answer = found.get(keyOf(cursor))
      if (answer === undefined || failed.has(keyOf(cursor))) return false
      // No epoch, as in Java: that of the answer is not that of the record before it.
      cursor.seek(answer.offset, -1)
      cursor.committed.forget()
      return true
    })
  }

  #strategyOf(cursor: PartitionCursor): ResetStrategy | null {
    return cursor.reset ?? this.#config.autoOffsetReset
  }

  #mayReset(cursor: PartitionCursor): boolean {
    if (this.#strategyOf(cursor) !== null) return true
    this.#fail(cursor, new NoOffsetError(cursor.topic, cursor.partition, cursor.position))
    return false
  }

  #endQuestion({ topic, partition }: PartitionCursor, strategy: ResetStrategy): OffsetQuestion {
    return { topic, partition, timestamp: strategy.kind === 'earliest' ? EARLIEST_TIMESTAMP : LATEST_TIMESTAMP }
  }

  #timeQuestion({ topic, partition }: PartitionCursor, strategy: ResetStrategy): OffsetQuestion[] {
    if (strategy.kind !== 'by_duration') return []
    return [{ topic, partition, timestamp: Math.max(0, this.#cluster.environment.clock.now() - strategy.durationMs) }]
  }

  /** Whether the leader of now has what was read: all up to `fetchOffset`. */
  async #validate(asked: readonly Asked[]): Promise<void> {
    const leaderEpochs = new Map(asked.map(({ cursor }) => [cursor, this.#leaderEpochOf(cursor)]))
    const questions = asked
      .filter(({ cursor }) => cursor.fetchEpoch >= 0)
      .map(({ cursor: { topic, partition, fetchEpoch }, cursor }) => ({
        topic,
        partition,
        leaderEpoch: fetchEpoch,
        currentLeaderEpoch: leaderEpochs.get(cursor)!,
      }))
    const ends = await epochEnds(this.#cluster, questions)
    const found = new Map(ends.found.map((one) => [keyOf(one), one]))
    const failed = new Map(ends.failed.map((one) => [keyOf(one), one.error]))
    await this.#apply(asked, 'validating', failed, (cursor) => {
      const end = found.get(keyOf(cursor))
      // A broker too old to be asked cannot be checked against, as in Java.
      if (cursor.fetchEpoch < 0 || failed.get(keyOf(cursor))?.code === 'UNSUPPORTED_VERSION') {
        this.#validated(cursor, leaderEpochs.get(cursor)!)
      } else if (end !== undefined) {
        this.#compare(cursor, end, leaderEpochs.get(cursor)!)
      } else {
        return false
      }
      return true
    })
  }

  #compare(cursor: PartitionCursor, { leaderEpoch, endOffset }: EpochEnd, currentEpoch: number): void {
    const isKnown = leaderEpoch >= 0 && endOffset >= 0
    if (isKnown && endOffset >= cursor.fetchOffset) return this.#validated(cursor, currentEpoch)
    if (isKnown && endOffset >= cursor.position) {
      // Only of what is buffered something is gone.
      this.#listener.discard(cursor)
      return this.#validated(cursor, currentEpoch)
    }
    const { position } = cursor
    const divergentOffset = isKnown ? endOffset : null
    if (this.#config.autoOffsetReset === null) {
      return this.#fail(cursor, new LogTruncationError(cursor.topic, cursor.partition, position, divergentOffset))
    }
    this.#listener.discard(cursor)
    cursor.committed.forget()
    this.#listener.truncated(cursor, position, divergentOffset)
    if (!isKnown) return this.#resetByPolicy(cursor)
    cursor.seek(endOffset, leaderEpoch)
    this.#validated(cursor, currentEpoch)
  }

  #validated(cursor: PartitionCursor, leaderEpoch: number): void {
    cursor.phase = 'fetching'
    cursor.validatedEpoch = leaderEpoch
  }

  #leaderEpochOf({ topic, partition }: PartitionCursor): number {
    return this.#cluster.leaderFor(topic, partition)?.leaderEpoch ?? -1
  }

  #fail(cursor: PartitionCursor, error: KafkaError): void {
    cursor.fail()
    this.#listener.positionFailed(cursor, error)
  }

  /** What `settle` has no answer for fails, or is asked for again: its leader may be another now, or will answer later. */
  async #apply(
    asked: readonly Asked[],
    phase: PositionPhase,
    failed: ReadonlyMap<string, KafkaError>,
    settle: (cursor: PartitionCursor) => boolean,
  ): Promise<void> {
    let failure: KafkaError | null = null
    const stale = new Set<string>()
    for (const { cursor, serial } of asked) {
      if (!isCurrent(cursor, serial, phase) || settle(cursor)) continue
      const { topic, partition } = cursor
      const error =
        failed.get(keyOf(cursor)) ?? errorAbout(ErrorCode.LEADER_NOT_AVAILABLE, `the answer leaves out ${topic}-${partition}`)
      if (isRetriable(error)) {
        failure = error
        stale.add(topic)
      } else {
        this.#fail(cursor, error)
      }
    }
    if (failure === null) return
    await this.#cluster.refreshMetadata([...stale])
    throw failure
  }
}

function isCurrent(cursor: PartitionCursor, serial: number, phase: PositionPhase): boolean {
  return cursor.isActive && cursor.serial === serial && cursor.phase === phase
}
