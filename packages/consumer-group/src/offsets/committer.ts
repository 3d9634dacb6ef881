import { ErrorCode, errorFor, KafkaError, ZERO_UUID } from '@millrace/protocol'
import { asKafkaError } from '@millrace/protocol/internal'
import type { ClusterClient } from '@millrace/client/internal'
import type { ConsumerConfig } from '../config.ts'
import { CommitError, notAssigned } from '../errors.ts'
import type { EventSource } from '../events.ts'
import type { PartitionCursor } from '../fetch/partition-cursor.ts'
import type { MemberIdentity } from '../membership/membership.ts'
import type { GroupOffsets } from './group-offsets.ts'
import type { OffsetToCommit } from './offset-requests.ts'

/** What says that the member is not, or not in this generation or epoch, in the group. */
const MEMBERSHIP_ERRORS: ReadonlySet<number> = new Set([
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.FENCED_INSTANCE_ID,
  ErrorCode.STALE_MEMBER_EPOCH,
  ErrorCode.FENCED_MEMBER_EPOCH,
])

/** As whom to commit. */
export interface CommitterIdentity {
  /** Null: not as a member, for partitions that were assigned by hand. */
  readonly identity: MemberIdentity | null
  /** The member was refused: `'retry'` says that the same may succeed with the identity of then. */
  refused(errorCode: number, used: MemberIdentity): 'retry' | 'final'
}

export interface CommitObserver {
  committed(latencyMs: number): void
}

interface Chosen {
  readonly cursor: PartitionCursor
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
  /** The cursor's when it was chosen. */
  readonly topicId: string
}

/** As it was when the commit was asked for. */
interface Asked extends Chosen {
  readonly serial: number
}

const NOT_A_MEMBER: MemberIdentity = { memberId: '', generationId: -1 }

/** Commits what was handled, and nothing that was not: one commit at a time, so that an older one never overtakes a newer. */
export class Committer {
  readonly #groupId: string
  readonly #config: ConsumerConfig
  readonly #cluster: ClusterClient
  readonly #offsets: GroupOffsets
  readonly #membership: CommitterIdentity
  readonly #events: EventSource
  readonly #observer: CommitObserver
  #last: Promise<void> = Promise.resolve()

  constructor(
    groupId: string,
    config: ConsumerConfig,
    cluster: ClusterClient,
    offsets: GroupOffsets,
    membership: CommitterIdentity,
    events: EventSource,
    observer: CommitObserver,
  ) {
    this.#groupId = groupId
    this.#config = config
    this.#cluster = cluster
    this.#offsets = offsets
    this.#membership = membership
    this.#events = events
    this.#observer = observer
  }

  /**
   * What was handled of these by now and is not committed. An offset that was committed and lies behind what was handled stays: only a seek, a reset
   * or the application itself moves a commit back.
   * @throws {CommitError} as a rejection
   */
  commitHandled(cursors: Iterable<PartitionCursor>): Promise<void> {
    // What is handled while other commits go first is theirs to come: commits of single records that were asked for meanwhile must not lie behind this one.
    const handled: Asked[] = []
    for (const cursor of cursors) {
      const { handledOffset: offset, handledEpoch: leaderEpoch, topicId, serial } = cursor
      if (offset >= 0) handled.push({ cursor, offset, leaderEpoch, metadata: '', topicId, serial })
    }
    return this.#next(() =>
      handled.filter(({ cursor, offset, topicId }) => {
        return !cursor.isGone && cursor.isWorthCommitting(offset) && !this.#isOfAnother(cursor, topicId)
      }),
    )
  }

  /** The same, where nobody waits for the outcome: the event `commitFailed` tells of a failure. Never rejects. */
  async commitQuietly(cursors: Iterable<PartitionCursor>): Promise<void> {
    try {
      await this.commitHandled(cursors)
    } catch (error) {
      this.#events.emit('commitFailed', { error: asKafkaError(error) })
    }
  }

  /** Exactly these. @throws {CommitError}, or {KafkaError} NOT_ASSIGNED for what is given up before its turn, as a rejection */
  commitOffsets(offsets: readonly Chosen[]): Promise<void> {
    const asked = offsets.map((one) => ({ ...one, serial: one.cursor.serial }))
    return this.#next(() => asked)
  }

  #next(choose: () => readonly Asked[]): Promise<void> {
    const commit = this.#last.then(() => this.#commit(choose()))
    this.#last = commit.catch(() => {})
    return commit
  }

  async #commit(chosen: readonly Asked[]): Promise<void> {
    if (chosen.length === 0) return
    const { clock } = this.#cluster.environment
    expectOurs(chosen)
    if (chosen.some(({ cursor, topicId }) => this.#isOfAnother(cursor, topicId))) throw this.#refused(ErrorCode.UNKNOWN_TOPIC_ID)
    const offsets: OffsetToCommit[] = chosen.map(({ cursor, offset, leaderEpoch, metadata, topicId }) => {
      return { topic: cursor.topic, partition: cursor.partition, topicId, offset, leaderEpoch, metadata }
    })
    const deadline = clock.now() + this.#config.defaultApiTimeoutMs
    for (;;) {
      const code = await this.#attempt(offsets).catch((error: unknown) => {
        // Nobody answered: it may be made all the same.
        for (const { cursor, offset, serial } of chosen) if (cursor.serial === serial) cursor.notePerhapsCommitted(offset)
        throw error
      })
      if (code === ErrorCode.NONE) break
      if (code >= 0) throw this.#refused(code)
      if (clock.now() + this.#config.retryBackoffMs >= deadline) throw this.#refused(-code)
      await this.#cluster.sleep(this.#config.retryBackoffMs)
      expectOurs(chosen)
    }
    // Where somebody sought since it was asked for, what is committed next may lie before this.
    for (const { cursor, offset, serial } of chosen) if (cursor.serial === serial) cursor.noteCommitted(offset)
    this.#events.emit('committed', { offsets: offsets.map(({ topic, partition, offset }) => ({ topic, partition, offset })) })
  }

  /** It was chosen in a topic that is gone: it says nothing of the one that has the name now. */
  #isOfAnother(cursor: PartitionCursor, topicId: string): boolean {
    if (topicId === ZERO_UUID) return false
    return topicId !== cursor.topicId || cursor.isOfAnother(this.#cluster.topicId(cursor.topic))
  }

  /** The error code, or 0; negative when the same may succeed soon with another identity. */
  async #attempt(offsets: readonly OffsetToCommit[]): Promise<number> {
    const { groupInstanceId, requestTimeoutMs } = this.#config
    const member = this.#membership.identity
    if (member !== null && member.memberId === '') return ErrorCode.UNKNOWN_MEMBER_ID
    const used = member ?? NOT_A_MEMBER
    const identity = { groupId: this.#groupId, groupInstanceId: member === null ? null : groupInstanceId, ...used }
    const { clock } = this.#cluster.environment
    const startedAt = clock.now()
    let code: number
    try {
      code = await this.#offsets.commit(identity, offsets, requestTimeoutMs)
    } catch (error) {
      throw error instanceof KafkaError ? new CommitError(this.#groupId, error) : error
    }
    this.#observer.committed(clock.now() - startedAt)
    if (member === null || !MEMBERSHIP_ERRORS.has(code)) return code
    return this.#membership.refused(code, member) === 'retry' ? -code : code
  }

  #refused(code: number): CommitError {
    return new CommitError(this.#groupId, errorFor(code))
  }
}

/**
 * A commit that waited for its turn while the partition was given up would be made in the name of a generation in which it is not ours, or begins anew: its next
 * owner may be behind it, or ahead.
 * @throws {KafkaError} NOT_ASSIGNED
 */
function expectOurs(chosen: readonly Chosen[]): void {
  for (const { cursor } of chosen) if (cursor.isGone) throw notAssigned('commit', cursor.topic, cursor.partition)
}
