import type { KafkaError } from '@millrace/protocol'
import type { ConsumerGroupHeartbeatRequest } from '@millrace/protocol/apis/consumer-group-heartbeat'
import type { ConsumerEvents } from '../events.ts'
import type { TopicPartition } from '../topic-partition.ts'

/**
 * As in Java's MemberState. `unsubscribed`: not in the group. `joining`: asks for epoch 1. `reconciling`: gives up and takes over what the coordinator
 * assigned. `acknowledging`: is to tell that it did. `stable`. `fenced`: the coordinator put it out; it joins again when the listener knows. `prepareLeaving`:
 * the listener is told. `leaving`: said so. `stale`: left, because the application made no progress. `fatal`: over.
 */
export type ConsumerMemberState =
  | 'unsubscribed'
  | 'joining'
  | 'reconciling'
  | 'acknowledging'
  | 'stable'
  | 'fenced'
  | 'prepareLeaving'
  | 'leaving'
  | 'stale'
  | 'fatal'

/** What a member wants done. `serial` goes back with the answer: an answer to what is no longer asked is dropped. */
export type ConsumerMemberEffect =
  | { readonly kind: 'heartbeat'; readonly serial: number; readonly request: ConsumerGroupHeartbeatRequest }
  /** The answer means nothing. */
  | { readonly kind: 'leave'; readonly request: ConsumerGroupHeartbeatRequest }
  /** Find the names of `unresolved`, then call `namesChanged`. */
  | { readonly kind: 'resolve-topics' }
  /** Stop delivering these, let what is in the application's hands be finished, commit, then answer by `revoked`. */
  | { readonly kind: 'revoke'; readonly serial: number; readonly partitions: readonly TopicPartition[] }
  /** These are ours, in addition to those that we keep; answered by `assigned`. */
  | { readonly kind: 'assign'; readonly serial: number; readonly partitions: readonly TopicPartition[]; readonly epoch: number }
  /** All that it had belongs to others already; answered by `released`. */
  | { readonly kind: 'lose'; readonly serial: number; readonly reason: string }
  | { readonly kind: 'coordinator-lost' }
  | { readonly kind: 'topics-refused'; readonly error: KafkaError }
  | { readonly kind: 'zombie'; readonly event: ConsumerEvents['zombie'] }
  | { readonly kind: 'failed'; readonly error: KafkaError }

/** In these the coordinator expects heartbeats. */
export const HEARTBEATING: ReadonlySet<ConsumerMemberState> = new Set([
  'joining',
  'reconciling',
  'acknowledging',
  'stable',
  'prepareLeaving',
])
/** In these an assignment is taken. */
export const ASSIGNABLE: ReadonlySet<ConsumerMemberState> = new Set(['joining', 'reconciling', 'acknowledging', 'stable'])
