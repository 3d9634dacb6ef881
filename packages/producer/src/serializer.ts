import type { Bytes } from './record.ts'

/** The headers of a record that is being serialized, in order. What is added to them is sent. */
export type MutableHeaders = Array<readonly [name: string, value: Bytes]>

/**
 * Makes bytes of a key or a value (Java: `Serializer.serialize(topic, headers, data)`). A string stands for its UTF-8 bytes, and is written
 * without a copy in between. Bytes may be written later: they must be the record's own, not a buffer that is used again. Null and a missing key are
 * never given to it: they are Kafka's null.
 */
export type Serializer<Data> = (data: Data, topic: string, headers: MutableHeaders) => Bytes

/** Strings as UTF-8. @throws {TypeError} for anything else */
export function stringSerializer(data: string): string {
  if (typeof data !== 'string') throw new TypeError(`${kindOf(data)} is no string`)
  return data
}

/** Bytes as they are. @throws {TypeError} for anything else */
export function bytesSerializer(data: Uint8Array): Uint8Array {
  if (!(data instanceof Uint8Array)) throw new TypeError(`${kindOf(data)} is no Uint8Array`)
  return data
}

/**
 * JSON text. To give it a type: `jsonSerializer<Order>`.
 * @throws {TypeError} for what JSON cannot say: cycles, bigint, functions, symbols
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- `jsonSerializer<Order>` is how it gets a type
export function jsonSerializer<Data = unknown>(data: Data): string {
  const text: unknown = JSON.stringify(data)
  if (typeof text !== 'string') throw new TypeError(`JSON has no word for ${kindOf(data)}`)
  return text
}

/** What a value is, without showing it. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value !== 'object') return `a ${typeof value}`
  const name: unknown = value.constructor?.name
  return typeof name === 'string' && name !== '' && name !== 'Object' ? `an instance of ${name}` : 'an object'
}
