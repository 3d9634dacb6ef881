import { ErrorCode, errorFor, KafkaError, ZERO_UUID } from '@millrace/protocol'
import { asKafkaError } from '@millrace/protocol/internal'
import type { ClusterClient } from '@millrace/client/internal'
import type { ConsumerConfig } from '../config.ts'
import { CommitError, notAssigned } from '../errors.ts'
import type { EventSource } from '../events.ts'
import type { PartitionCursor } from '../fetch/partition-cursor.ts'
import type { MemberIdentity } from '../membership/membership.ts'
import { keyOf } from '../topic-partition.ts'
import type { GroupOffsets } from './group-offsets.ts'
import type { FetchedOffset, OffsetToCommit } from './offset-requests.ts'

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
  readonly era: number
}

/** Why an attempt did not commit everything. */
interface Refusal {
  readonly error: KafkaError
  /** The same may succeed soon, with another identity. */
  readonly mayRetry: boolean
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
      const { handledOffset: offset, handledEpoch: leaderEpoch, topicId, committed } = cursor
      if (offset >= 0) handled.push({ cursor, offset, leaderEpoch, metadata: '', topicId, era: committed.era })
    }
    return this.#next(async () => {
      const inDoubt = handled.filter(({ cursor, offset, era }) => !cursor.isGone && cursor.committed.isInDoubt(offset, era))
      if (inDoubt.length > 0) await this.#clearDoubts(inDoubt)
      await this.#commit(() =>
        handled.filter(({ cursor, offset, topicId, era }) => {
          return !cursor.isGone && cursor.committed.isBehind(offset, era) && !this.#isOfAnother(cursor, topicId)
        }),
      )
    })
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
    const asked = offsets.map((one) => ({ ...one, era: one.cursor.committed.era }))
    const choose = (): readonly Asked[] => {
      expectOurs(asked)
      if (asked.some(({ cursor, topicId }) => this.#isOfAnother(cursor, topicId)))
        throw this.#failed(errorFor(ErrorCode.UNKNOWN_TOPIC_ID))
      return asked
    }
    return this.#next(() => this.#commit(choose))
  }

  #next(commit: () => Promise<void>): Promise<void> {
    const committed = this.#last.then(commit)
    this.#last = committed.catch(() => {})
    return committed
  }

  /** @param choose what is to be committed now; asked again before each attempt, since partitions may be lost meanwhile */
  async #commit(choose: () => readonly Asked[]): Promise<void> {
    const { clock } = this.#cluster.environment
    const { defaultApiTimeoutMs, retryBackoffMs } = this.#config
    const deadline = clock.now() + defaultApiTimeoutMs
    for (;;) {
      const chosen = choose()
      if (chosen.length === 0) return
      const refusal = await this.#attempt(chosen)
      if (refusal === null) {
        const offsets = chosen.map(({ cursor: { topic, partition }, offset }) => ({ topic, partition, offset }))
        this.#events.emit('committed', { offsets })
        return
      }
      if (!refusal.mayRetry || clock.now() + retryBackoffMs >= deadline) throw this.#failed(refusal.error)
      await this.#cluster.sleep(retryBackoffMs)
    }
  }

  /**
   * Whether a commit without an answer was made is not known. What was handled lies before it: to commit that might take the group back, and to
   * leave it out might lose it. So the coordinator is asked.
   */
  async #clearDoubts(inDoubt: readonly Asked[]): Promise<void> {
    const partitions = inDoubt.map(({ cursor: { topic, partition } }) => ({ topic, partition }))
    let found: readonly FetchedOffset[]
    try {
      found = await this.#offsets.fetch(this.#groupId, partitions, this.#config.requestTimeoutMs)
    } catch (error) {
      throw this.#failed(error)
    }
    const offsets = new Map(found.map((one) => [keyOf(one), one]))
    for (const { cursor, era } of inDoubt) {
      const { offset, errorCode } = offsets.get(keyOf(cursor)) ?? { offset: -1, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }
      if (errorCode !== ErrorCode.NONE) throw this.#failed(errorFor(errorCode))
      cursor.committed.made(offset, era)
    }
  }

  /** It was chosen in a topic that is gone: it says nothing of the one that has the name now. */
  #isOfAnother(cursor: PartitionCursor, topicId: string): boolean {
    if (topicId === ZERO_UUID) return false
    return topicId !== cursor.topicId || cursor.isOfAnother(this.#cluster.topicId(cursor.topic))
  }

  /** Null when all of it is committed. */
  async #attempt(chosen: readonly Asked[]): Promise<Refusal | null> {
    const { groupInstanceId, requestTimeoutMs } = this.#config
    const member = this.#membership.identity
    if (member !== null && member.memberId === '') return { error: errorFor(ErrorCode.UNKNOWN_MEMBER_ID), mayRetry: false }
    const used = member ?? NOT_A_MEMBER
    const identity = { groupId: this.#groupId, groupInstanceId: member === null ? null : groupInstanceId, ...used }
    const { clock } = this.#cluster.environment
    const startedAt = clock.now()
    const { codes, failure, isInDoubt } = await this.#offsets.commit(identity, chosen.map(offsetOf), requestTimeoutMs)
    for (const [index, { cursor, offset, era }] of chosen.entries()) {
      const code = codes[index]!
      if (code === ErrorCode.NONE) cursor.committed.made(offset, era)
      else if (isInDoubt || code === ErrorCode.UNKNOWN_SERVER_ERROR) cursor.committed.perhapsMade(offset, era)
    }
    if (failure !== null) throw this.#failed(failure)
    this.#observer.committed(clock.now() - startedAt)
    const code = codes.find((one) => one !== ErrorCode.NONE)
    if (code === undefined) return null
    const isOfMembership = member !== null && code !== null && MEMBERSHIP_ERRORS.has(code)
    const mayRetry = isOfMembership && this.#membership.refused(code, member) === 'retry'
    return { error: errorFor(code ?? ErrorCode.UNKNOWN_SERVER_ERROR), mayRetry }
  }

  #failed(error: unknown): unknown {
    return error instanceof KafkaError ? new CommitError(this.#groupId, error) : error
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

function offsetOf({ cursor, offset, leaderEpoch, metadata, topicId }: Chosen): OffsetToCommit {
  return { topic: cursor.topic, partition: cursor.partition, topicId, offset, leaderEpoch, metadata }
}
