import { ErrorCode, errorFor, KafkaError } from '@millrace/protocol'
import type { ConsumerConfig } from '../config.ts'
import { CommitError } from '../errors.ts'
import type { EventSource } from '../events.ts'
import type { PartitionCursor } from '../fetch/partition-cursor.ts'
import type { InHand } from '../in-hand.ts'
import type { Membership } from '../membership/membership.ts'
import type { GroupOffsets } from './group-offsets.ts'
import type { OffsetToCommit } from './offset-requests.ts'

/** What says that the member is not, or not in this generation, in the group. */
const MEMBERSHIP_ERRORS: ReadonlySet<number> = new Set([
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.FENCED_INSTANCE_ID,
])

/** Commits what was handled, and nothing that was not: one commit at a time, so that an older one never overtakes a newer. */
export class Committer {
  readonly #config: ConsumerConfig
  readonly #offsets: GroupOffsets
  readonly #member: Membership
  readonly #inHand: InHand
  readonly #events: EventSource
  readonly #now: () => number
  #last: Promise<void> = Promise.resolve()

  constructor(
    config: ConsumerConfig,
    offsets: GroupOffsets,
    member: Membership,
    inHand: InHand,
    events: EventSource,
    now: () => number,
  ) {
    this.#config = config
    this.#offsets = offsets
    this.#member = member
    this.#inHand = inHand
    this.#events = events
    this.#now = now
  }

  /** @throws {CommitError} as a rejection */
  commitHandled(cursors: Iterable<PartitionCursor>): Promise<void> {
    const list = [...cursors]
    return this.#next(() => {
      const pending = list.filter((cursor) => {
        const offset = this.#inHand.unhandledOf(cursor)
        return offset >= 0 && offset !== cursor.committed
      })
      return pending.map((cursor) => ({ cursor, offset: this.#inHand.unhandledOf(cursor), leaderEpoch: cursor.positionEpoch }))
    })
  }

  /** @throws {CommitError} as a rejection */
  commitOffsets(offsets: ReadonlyArray<{ readonly cursor: PartitionCursor; readonly offset: number }>): Promise<void> {
    return this.#next(() => offsets.map(({ cursor, offset }) => ({ cursor, offset, leaderEpoch: -1 })))
  }

  #next(choose: () => Array<{ cursor: PartitionCursor; offset: number; leaderEpoch: number }>): Promise<void> {
    const commit = this.#last.then(() => this.#commit(choose()))
    this.#last = commit.catch(() => {})
    return commit
  }

  async #commit(chosen: ReadonlyArray<{ cursor: PartitionCursor; offset: number; leaderEpoch: number }>): Promise<void> {
    if (chosen.length === 0) return
    const { groupId, groupInstanceId, requestTimeoutMs } = this.#config
    const identity = { groupId, groupInstanceId, ...this.#member.identity }
    if (identity.memberId === '') throw this.#refused(ErrorCode.UNKNOWN_MEMBER_ID)
    const offsets: OffsetToCommit[] = chosen.map(({ cursor, offset, leaderEpoch }) => {
      return { topic: cursor.topic, partition: cursor.partition, offset, leaderEpoch }
    })
    let code: number
    try {
      code = await this.#offsets.commit(identity, offsets, requestTimeoutMs)
    } catch (error) {
      throw error instanceof KafkaError ? new CommitError(groupId, error) : error
    }
    if (code !== ErrorCode.NONE) {
      if (MEMBERSHIP_ERRORS.has(code)) this.#member.refused(code, identity, this.#now())
      throw this.#refused(code)
    }
    for (const { cursor, offset } of chosen) cursor.committed = offset
    this.#events.emit('committed', { offsets: offsets.map(({ topic, partition, offset }) => ({ topic, partition, offset })) })
  }

  #refused(code: number): CommitError {
    return new CommitError(this.#config.groupId, errorFor(code))
  }
}
