import type { ConsumerRecord } from '../consumer-record.ts'

/**
 * Makes a key or a value of its bytes: null for a record without one (for a value: a tombstone). What it throws makes the record a poison record:
 * see `onDeserializationError`. It is called once per record, when that is handed out, and must not keep `bytes` without copying them.
 */
export type Deserializer<Value> = (bytes: Buffer | null, record: ConsumerRecord) => Value

/** The bytes as they are: a view. The default. */
export const bytesDeserializer: Deserializer<Buffer | null> = (bytes) => bytes

/** UTF-8 text; bytes that are not valid become U+FFFD, as in Java's StringDeserializer. */
export const stringDeserializer: Deserializer<string | null> = (bytes) => (bytes === null ? null : bytes.toString('utf8'))

/** What JSON text says; null for null. The type is the caller's word: nothing checks it. */
export function jsonDeserializer<Value = unknown>(): Deserializer<Value | null> {
  return (bytes) => (bytes === null ? null : (JSON.parse(bytes.toString('utf8')) as Value))
}
