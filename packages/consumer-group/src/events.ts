import { channel } from 'node:diagnostics_channel'
import type { KafkaError } from '@millrace/protocol'
import type { RebalanceListenerError } from './membership/rebalance-listener.ts'
import type { DeserializationError } from './errors.ts'
import type { TopicPartition } from './topic-partition.ts'

/** What happened to the consumer's partitions, for `consumer.on` and, with the group's id, on the channel `millrace:consumer:<event>`. */
export interface ConsumerEvents {
  /** These are ours now, beside those we kept. */
  readonly assigned: { readonly partitions: readonly TopicPartition[]; readonly generationId: number }
  /** These were given up in order, after what was handled of them was committed. */
  readonly revoked: { readonly partitions: readonly TopicPartition[] }
  /** These were taken from us: others may have them already, and what was not committed comes again there. */
  readonly lost: { readonly partitions: readonly TopicPartition[]; readonly reason: string }
  /** Offsets are with the coordinator. */
  readonly committed: { readonly offsets: readonly CommittedOffset[] }
  /** A commit that nobody waits for failed; the next one tries again. */
  readonly commitFailed: { readonly error: KafkaError }
  /** A `rebalanceListener` threw, rejected or did not end in time. The rebalance went on. */
  readonly rebalanceListenerFailed: { readonly error: RebalanceListenerError }
  /**
   * The group goes on without this member, or will soon, while the process lives. `session`: no heartbeat was answered for `sessionTimeoutMs`, or under
   * KIP-848 for as long as the group's configuration says (45 s where that cannot be had); others may own our partitions by now. `poll`: the application asked for nothing in `maxPollIntervalMs`. `fenced`: the coordinator put it out.
   */
  readonly zombie: { readonly cause: 'session' | 'poll' | 'fenced'; readonly reason: string; readonly silentMs: number }
  /** This consumer leads the group, and a member's subscription cannot be read: it gets nothing, the others go on. */
  readonly memberIgnored: { readonly memberId: string; readonly error: KafkaError }
  /** A subscribed topic cannot be had (TOPIC_AUTHORIZATION_FAILED, INVALID_TOPIC_EXCEPTION); the others are consumed. Null: the coordinator does not say which. */
  readonly topicRefused: { readonly topic: string | null; readonly error: KafkaError }
  /**
   * The log does not have any more what was read before `offset` (KIP-320). Reading goes on at `divergentOffset`, the first at which it differs, or where
   * `autoOffsetReset` says when that is null.
   */
  readonly truncated: TopicPartition & { readonly offset: number; readonly divergentOffset: number | null }
  /** A record was passed over, as `onDeserializationError` says. */
  readonly deserializationFailed: { readonly error: DeserializationError }
  /** A handler of `run` failed for this record, or in a batch for what begins here, and what is done about it; `target` is the retry or dead-letter topic. */
  readonly handlerFailed: TopicPartition & {
    readonly offset: number
    readonly attempt: number
    readonly action: 'retry' | 'retryTopic' | 'deadLetter' | 'skip' | 'stop'
    readonly target: string | null
    readonly error: unknown
  }
  /**
   * A handler of `run` does not end. Told once of each attempt that has run for half of `maxPollIntervalMs`, when the member may still stay in the group, and of those
   * that had not ended when the run did (`drainTimeoutMs`): these are ignored, and their records come again. `runningMs`: at least.
   */
  readonly handlerStuck: TopicPartition & {
    readonly offset: number
    readonly attempt: number
    readonly runningMs: number
    readonly isAbandoned: boolean
  }
}

export interface CommittedOffset extends TopicPartition {
  /** Of the next record to be handled. */
  readonly offset: number
  /** Leader epoch of the record before it, with which a log that was truncated can be told (KIP-320). Default: unknown. */
  readonly leaderEpoch?: number
  /** Whatever the application wants to keep with the offset: at most 4096 bytes, unless the broker says otherwise. Default `''`. */
  readonly metadata?: string
}

type Listener<Event> = (event: Event) => void

const CHANNELS = {
  assigned: channel('millrace:consumer:assigned'),
  revoked: channel('millrace:consumer:revoked'),
  lost: channel('millrace:consumer:lost'),
  committed: channel('millrace:consumer:committed'),
  commitFailed: channel('millrace:consumer:commitFailed'),
  truncated: channel('millrace:consumer:truncated'),
  deserializationFailed: channel('millrace:consumer:deserializationFailed'),
  handlerFailed: channel('millrace:consumer:handlerFailed'),
  handlerStuck: channel('millrace:consumer:handlerStuck'),
  rebalanceListenerFailed: channel('millrace:consumer:rebalanceListenerFailed'),
  zombie: channel('millrace:consumer:zombie'),
  memberIgnored: channel('millrace:consumer:memberIgnored'),
  topicRefused: channel('millrace:consumer:topicRefused'),
}

/** Tells listeners and diagnostics channels; costs nothing when there are none. */
export class EventSource {
  readonly #groupId: string | null
  readonly #listeners = new Map<keyof ConsumerEvents, Set<Listener<never>>>()

  constructor(groupId: string | null) {
    this.#groupId = groupId
  }

  on<Name extends keyof ConsumerEvents>(name: Name, listener: Listener<ConsumerEvents[Name]>): () => void {
    let listeners = this.#listeners.get(name)
    if (listeners === undefined) this.#listeners.set(name, (listeners = new Set()))
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  emit<Name extends keyof ConsumerEvents>(name: Name, event: ConsumerEvents[Name]): void {
    if (CHANNELS[name].hasSubscribers) CHANNELS[name].publish({ groupId: this.#groupId, ...event })
    const listeners = this.#listeners.get(name) as Set<Listener<ConsumerEvents[Name]>> | undefined
    if (listeners === undefined) return
    for (const listener of listeners) {
      try {
        listener(event)
      } catch (error) {
        // A listener's fault is its owner's to see, and must not stop a rebalance.
        void Promise.reject(error)
      }
    }
  }
}
