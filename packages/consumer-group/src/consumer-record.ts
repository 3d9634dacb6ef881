/** A record's header as it is read. Names may repeat; their order is kept. */
export type ConsumerRecordHeader = readonly [name: string, value: Buffer | null]

/**
 * A record that was read. Without deserializers `key` and `value` are decoded at each access, as `headers` are always, so keep the result
 * if it is needed twice; they are views of the fetch's answer: copy what is kept for long. With deserializers they are
 * what those made.
 */
export interface ConsumerRecord<Key = Buffer | null, Value = Buffer | null> {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Epoch milliseconds; -1 for none. */
  readonly timestamp: number
  readonly key: Key
  /** Of a tombstone: null, or what the deserializer makes of that. */
  readonly value: Value
  readonly headers: readonly ConsumerRecordHeader[]
}
