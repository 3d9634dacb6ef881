import { channel } from 'node:diagnostics_channel'
import { ConfigError, type KafkaError } from '@millrace/protocol'
import { warn } from './io/warning.ts'

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
  /** An interceptor or the trace context hook threw. The record went on without it. */
  readonly hookFailed: HookFailure
}

export interface HookFailure {
  readonly hook: 'onSend' | 'onAcknowledgement' | 'close' | 'injectTraceContext'
  /** Its place in `interceptors`; null when it is no interceptor's. */
  readonly interceptor: number | null
  readonly error: unknown
}

type Listener<Event> = (event: Event) => void

const CHANNELS = {
  deliveryFailed: channel('millrace:producer:deliveryFailed'),
  hookFailed: channel('millrace:producer:hookFailed'),
}

/** Tells listeners and diagnostics channels. */
export class EventSource {
  readonly #listeners = new Map<keyof ProducerEvents, Set<Listener<never>>>()
  /** Hooks whose failure was warned of. */
  readonly #warned = new Set<string>()

  /** @throws {ConfigError} for an event that does not exist, or a listener that is no function */
  on<Name extends keyof ProducerEvents>(name: Name, listener: Listener<ProducerEvents[Name]>): () => void {
    if (!Object.hasOwn(CHANNELS, name)) throw new ConfigError('event', name, Object.keys(CHANNELS).join(' or '))
    if (typeof listener !== 'function') throw new ConfigError('listener', listener, 'a function of the event')
    let listeners = this.#listeners.get(name)
    if (listeners === undefined) this.#listeners.set(name, (listeners = new Set()))
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  /** A failure that nobody listens to is a rejection that nobody handles, as that of a `send` which nobody awaits. */
  deliveryFailed(event: ProducerEvents['deliveryFailed']): void {
    if (!this.#tell('deliveryFailed', event)) void Promise.reject(event.error)
  }

  /** Nothing is lost by it: without a listener, the process warns, once per hook (Java logs it). */
  hookFailed(event: HookFailure): void {
    if (this.#tell('hookFailed', event)) return
    const where = event.interceptor === null ? event.hook : `interceptors[${event.interceptor}].${event.hook}`
    if (this.#warned.has(where)) return
    this.#warned.add(where)
    warn(`${where} failed; records go on without it: ${String(event.error)}`)
  }

  /** False when nobody listens. */
  #tell<Name extends keyof ProducerEvents>(name: Name, event: ProducerEvents[Name]): boolean {
    if (CHANNELS[name].hasSubscribers) CHANNELS[name].publish(event)
    const listeners = this.#listeners.get(name) as Set<Listener<ProducerEvents[Name]>> | undefined
    if (listeners === undefined || listeners.size === 0) return false
    for (const listener of listeners) {
      try {
        listener(event)
      } catch (fault) {
        reportFault(fault)
      }
    }
    return true
  }
}

/** What a user's function threw is its owner's to see, as a rejection that nobody handles, and must not stop the producer. */
export function reportFault(fault: unknown): void {
  void Promise.reject(fault)
}
