import type { KafkaError } from '@millrace/protocol'
import type { BatchOutcome, RangeDelivery } from './delivery.ts'
import type { EventSource } from './events.ts'

/** Stands for all records of a topic that were posted without a callback: their failures become events. */
export class PostDelivery implements RangeDelivery {
  readonly #topic: string
  readonly #events: EventSource

  constructor(topic: string, events: EventSource) {
    this.#topic = topic
    this.#events = events
  }

  deliver(outcome: BatchOutcome, _firstDelta: number, recordCount: number): void {
    const { topic, partition, error } = outcome
    if (error !== null) this.#events.deliveryFailed({ topic, partition, recordCount, error })
  }

  fail(error: KafkaError, recordCount: number): void {
    this.#events.deliveryFailed({ topic: this.#topic, partition: null, recordCount, error })
  }

  refuse(error: KafkaError): void {
    this.fail(error, 1)
  }
}
