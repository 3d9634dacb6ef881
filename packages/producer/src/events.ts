import { channel } from 'node:diagnostics_channel'
import type { KafkaError } from '@millrace/protocol'

/** What happened, for `producer.on` and on the channel `millrace:producer:<event>`. */
export interface ProducerEvents {
  /** Records that were posted without a callback were not stored: one event for all of one batch. */
  readonly deliveryFailed: {
    readonly topic: string
    /** Null when none was chosen yet. */
    readonly partition: number | null
    readonly recordCount: number
    readonly error: KafkaError
  }
}

type Listener<Event> = (event: Event) => void

const CHANNELS = { deliveryFailed: channel('millrace:producer:deliveryFailed') }

/** Tells listeners and diagnostics channels. */
export class EventSource {
  readonly #listeners = new Map<keyof ProducerEvents, Set<Listener<never>>>()

  on<Name extends keyof ProducerEvents>(name: Name, listener: Listener<ProducerEvents[Name]>): () => void {
    let listeners = this.#listeners.get(name)
    if (listeners === undefined) this.#listeners.set(name, (listeners = new Set()))
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  /** A failure that nobody listens to is a rejection that nobody handles, as that of a `send` which nobody awaits. */
  deliveryFailed(event: ProducerEvents['deliveryFailed']): void {
    if (CHANNELS.deliveryFailed.hasSubscribers) CHANNELS.deliveryFailed.publish(event)
    const listeners = this.#listeners.get('deliveryFailed') as Set<Listener<ProducerEvents['deliveryFailed']>> | undefined
    if (listeners === undefined || listeners.size === 0) return void Promise.reject(event.error)
    for (const listener of listeners) {
      try {
        listener(event)
      } catch (fault) {
        reportFault(fault)
      }
    }
  }
}

/** What a user's function threw is its owner's to see, as a rejection that nobody handles, and must not stop the producer. */
export function reportFault(fault: unknown): void {
  void Promise.reject(fault)
}
