import type { KafkaError } from '@millrace/protocol'
import type { HeartbeatRequest } from '@millrace/protocol/apis/heartbeat'
import type { JoinGroupRequest } from '@millrace/protocol/apis/join-group'
import type { LeaveGroupRequest } from '@millrace/protocol/apis/leave-group'
import type { SyncGroupRequest } from '@millrace/protocol/apis/sync-group'
import type { ConsumerEvents } from '../events.ts'
import type { TopicPartition } from '../topic-partition.ts'

/** What a member wants done. `serial` goes back with the answer: an answer to what is no longer asked is dropped. */
export type MemberEffect =
  | { readonly kind: 'join'; readonly serial: number; readonly request: JoinGroupRequest; readonly timeoutMs: number }
  | { readonly kind: 'sync'; readonly serial: number; readonly request: SyncGroupRequest; readonly timeoutMs: number }
  | { readonly kind: 'heartbeat'; readonly serial: number; readonly request: HeartbeatRequest }
  | { readonly kind: 'leave'; readonly request: (version: number) => LeaveGroupRequest }
  /** As leader: how many partitions do these topics have, and where? Answered by `topicsDescribed`. */
  | { readonly kind: 'describe-topics'; readonly serial: number; readonly topics: readonly string[] }
  /** Stop delivering these, let what is in the application's hands be finished, commit, then answer by `revoked`. */
  | { readonly kind: 'revoke'; readonly serial: number; readonly partitions: readonly TopicPartition[] }
  /** All that it had belongs to others already; nothing of it may be committed. */
  | { readonly kind: 'lost'; readonly reason: string }
  /** These are ours from now on, in addition to those that we keep. */
  | { readonly kind: 'assigned'; readonly partitions: readonly TopicPartition[]; readonly generationId: number }
  /** Whoever was asked is not the coordinator, or cannot be reached: look it up again. */
  | { readonly kind: 'coordinator-lost' }
  /** As leader: a member whose subscription cannot be read gets nothing. */
  | { readonly kind: 'member-ignored'; readonly memberId: string; readonly error: KafkaError }
  | { readonly kind: 'zombie'; readonly event: ConsumerEvents['zombie'] }
  | { readonly kind: 'failed'; readonly error: KafkaError }
