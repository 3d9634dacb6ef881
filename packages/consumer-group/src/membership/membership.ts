import type { KafkaError } from '@millrace/protocol'
import type { TopicPartition } from '../topic-partition.ts'

/** Who a member is to the coordinator, in commits above all. */
export interface MemberIdentity {
  /** Empty while it has none. */
  readonly memberId: string
  /** The generation (classic) or the member epoch (KIP-848); -1 while it is in no group. */
  readonly generationId: number
}

/** Topics by name, or all whose name matches the pattern, those that come later too. */
export type TopicSelection = { readonly topics: readonly string[] } | { readonly pattern: RegExp }

/**
 * `idle`: not started. `joining`: on its way into the group or through a rebalance. `stable`: in the group, with what it has.
 * `expired`: left, because the application made no progress, and joins again when it does. `left`, `failed`: over.
 */
export type MembershipStatus = 'idle' | 'joining' | 'stable' | 'expired' | 'left' | 'failed'

/**
 * What the group is told when a member leaves (KIP-1092). `'default'`: a dynamic member's partitions go to others at once, a static one may be back before its
 * session ends. `'leave'`: at once for both. `'remain'`: when the session ends for both.
 */
export type LeaveOperation = 'default' | 'leave' | 'remain'

/**
 * What the rest of the consumer sees of being in a group, whatever the protocol. Nothing of it waits for the application:
 * what the member has to say to the coordinator is sent by `run` and on answers, and changes come by `PartitionOwner`.
 */
export interface Membership {
  readonly status: MembershipStatus
  /** To be read anew for each attempt to commit: an epoch goes on without a rebalance of ours. */
  readonly identity: MemberIdentity
  /** What is subscribed to: the names that were given, or those that match the pattern as far as they are known here. */
  readonly topics: readonly string[]
  /** When `run` is next due. */
  readonly deadline: number
  /** Whether the group gave us the partition of the topic of this id, which has the name now. */
  mayRead(topicId: string, partition: number): boolean
  /** Joins the group, unless it did so already. */
  start(now: number): void
  /** Does what is due. */
  run(now: number): void
  /** Another subscription in place of the one it has. */
  subscribe(selection: TopicSelection, now: number): void
  /** Until when the application must ask for records; `Infinity` while it waits for us. One that had expired joins again. */
  setPollDeadline(deadline: number, now: number): void
  /**
   * A request with this identity was refused because of the membership: the code tells how. `'retry'`: with the identity
   * of then, after a backoff, the same may succeed, as the partitions are still ours (STALE_MEMBER_EPOCH).
   */
  refused(errorCode: number, used: MemberIdentity, now: number): 'retry' | 'final'
  /** Leaves for good: resolves when the coordinator knows, or cannot be told. */
  leave(reason: string, operation?: LeaveOperation): Promise<void>
}

/**
 * The consumer's side of a membership. Assignments come as `assigning`, then the application's listener, then `assigned`;
 * revocations as `revoking`, the listener, then `revoked`: so the listener may seek before anything is fetched, and commit
 * before anything is given up. Heartbeats go on meanwhile.
 */
export interface PartitionOwner {
  /** These are ours from now on, in addition to those that we keep. Nothing of them is fetched or handed out yet. */
  assigning(partitions: readonly TopicPartition[], generationId: number): void
  /** Those of `assigning` that are still ours may be fetched. Called with no partitions, too, after a rebalance that brought none. */
  assigned(partitions: readonly TopicPartition[], generationId: number): void
  /**
   * Nothing of these is handed out from now on. Resolves when nothing of them is in the application's hands any more and what
   * was handled is committed. Until `revoked` they are still ours, for commits.
   */
  revoking(partitions: readonly TopicPartition[]): Promise<void>
  /** These are not ours any more. */
  revoked(partitions: readonly TopicPartition[]): void
  /** These belong to others already; nothing of them can be committed. */
  lost(partitions: readonly TopicPartition[], reason: string): void
  /** The membership is over. */
  failed(error: KafkaError): void
  /** Something happened: `deadline` may be another. */
  changed(): void
}
