import type { KafkaError } from '@millrace/protocol'
import type { EventSource, HookFailure } from './events.ts'
import type { Bytes, HeaderPairs, ProducerRecord, RecordMetadata } from './record.ts'

/**
 * Sees every record before it is serialized, and what became of it (Java: `ProducerInterceptor`). What it throws stops nothing: it goes to the event
 * `hookFailed`.
 */
export interface ProducerInterceptor<Key = Bytes, Value = Bytes> {
  /**
   * Called in `send`, `sendAll` and `post`, before anything else. What it gives back is sent, after the next interceptor had it. When it throws,
   * or gives back no record, the one before goes on.
   */
  onSend?(record: ProducerRecord<Key, Value>): ProducerRecord<Key, Value>
  /**
   * Called once for each record that `onSend` saw, before its promise or callback: when it is stored (`error` is null), failed or was refused.
   * What is not known is -1 in `metadata`: offset and timestamp after an error, the partition if none was chosen yet. `headers` are those that
   * were sent (KIP-512).
   */
  onAcknowledgement?(metadata: RecordMetadata, error: KafkaError | null, headers: HeaderPairs): void
  /** Called when the producer was closed, which waits for it. */
  close?(): void | Promise<void>
}

/** Calls all interceptors in their order. */
export class Interceptors {
  readonly #interceptors: ReadonlyArray<ProducerInterceptor<unknown, unknown>>
  readonly #events: EventSource

  constructor(interceptors: ReadonlyArray<ProducerInterceptor<unknown, unknown>>, events: EventSource) {
    this.#interceptors = interceptors
    this.#events = events
  }

  onSend(record: ProducerRecord<unknown, unknown>): ProducerRecord<unknown, unknown> {
    let current = record
    for (let index = 0; index < this.#interceptors.length; index++) {
      const interceptor = this.#interceptors[index]!
      if (interceptor.onSend === undefined) continue
      try {
        const next: unknown = interceptor.onSend(current)
        if (next !== current && !isRecord(next)) throw new TypeError('onSend gave back no record')
        current = next as ProducerRecord<unknown, unknown>
      } catch (error) {
        this.#failed('onSend', index, error)
      }
    }
    return current
  }

  onAcknowledgement(metadata: RecordMetadata, error: KafkaError | null, headers: HeaderPairs): void {
    for (let index = 0; index < this.#interceptors.length; index++) {
      try {
        const result: unknown = this.#interceptors[index]!.onAcknowledgement?.(metadata, error, headers)
        if (result instanceof Promise) result.catch((fault: unknown) => this.#failed('onAcknowledgement', index, fault))
      } catch (fault) {
        this.#failed('onAcknowledgement', index, fault)
      }
    }
  }

  async close(): Promise<void> {
    for (let index = 0; index < this.#interceptors.length; index++) {
      try {
        await this.#interceptors[index]!.close?.()
      } catch (error) {
        this.#failed('close', index, error)
      }
    }
  }

  #failed(hook: HookFailure['hook'], interceptor: number, error: unknown): void {
    this.#events.hookFailed({ hook, interceptor, error })
  }
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as { topic?: unknown }).topic === 'string'
}
