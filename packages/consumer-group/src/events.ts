import { channel } from 'node:diagnostics_channel'
import type { KafkaError } from '@millrace/protocol'
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
}

export interface CommittedOffset extends TopicPartition {
  /** Of the next record to be handled. */
  readonly offset: number
}

type Listener<Event> = (event: Event) => void

const CHANNELS = {
  assigned: channel('millrace:consumer:assigned'),
  revoked: channel('millrace:consumer:revoked'),
  lost: channel('millrace:consumer:lost'),
  committed: channel('millrace:consumer:committed'),
  commitFailed: channel('millrace:consumer:commitFailed'),
}

/** Tells listeners and diagnostics channels; costs nothing when there are none. */
export class EventSource {
  readonly #groupId: string
  readonly #listeners = new Map<keyof ConsumerEvents, Set<Listener<never>>>()

  constructor(groupId: string) {
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
