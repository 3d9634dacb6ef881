import type { KafkaError } from '@millrace/protocol'
import type { Interceptors } from './interceptor.ts'
import { isPartition, type HeaderPairs, type ProducerRecord, type RecordMetadata } from './record.ts'

const UNKNOWN = -1

/** What interceptors are yet to be told about one record. */
export class Acknowledgement {
  readonly #interceptors: Interceptors
  readonly #topic: string
  readonly #partition: number
  readonly #headers: HeaderPairs

  /** @param headers those that are sent */
  constructor(interceptors: Interceptors, record: ProducerRecord<unknown, unknown>, headers: HeaderPairs) {
    this.#interceptors = interceptors
    this.#topic = record.topic
    this.#partition = isPartition(record.partition) ? record.partition : UNKNOWN
    this.#headers = headers
  }

  /** It is stored. */
  stored(metadata: RecordMetadata): void {
    this.#interceptors.onAcknowledgement(metadata, null, this.#headers)
  }

  /** It is not. @param partition where its batch was; none if it was in no batch */
  failed(error: KafkaError, partition: number = this.#partition): void {
    const metadata = { topic: this.#topic, partition, offset: UNKNOWN, timestamp: UNKNOWN }
    this.#interceptors.onAcknowledgement(metadata, error, this.#headers)
  }
}
