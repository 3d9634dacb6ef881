/** A record's header as it is read. Names may repeat; their order is kept. */
export type ConsumerRecordHeader = readonly [name: string, value: Buffer | null]

/**
 * A record that was read. `key`, `value` and `headers` are decoded at each access, so keep the result if it is needed
 * twice. They are views of the fetch's answer: copy what is kept for long.
 */
export interface ConsumerRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Epoch milliseconds; -1 for none. */
  readonly timestamp: number
  readonly key: Buffer | null
  /** `null` is a tombstone. */
  readonly value: Buffer | null
  readonly headers: readonly ConsumerRecordHeader[]
}
