import { INLINE_COPY_BYTES, INLINE_STRING_LENGTH } from './limits.ts'

/** What a key, a value or a header's value may be given as. A string is written as UTF-8. */
export type RecordBytes = Uint8Array | string | null

/** A header of a record: names may repeat and their order is kept. */
export type RecordHeaderInput = readonly [name: string, value: RecordBytes]

/** A record to be written. */
export interface RecordInput {
  /** Epoch milliseconds; -1 for none. */
  readonly timestamp: number
  readonly key: RecordBytes
  readonly value: RecordBytes
  readonly headers?: readonly RecordHeaderInput[]
}

/** Bytes that `bytes` takes, or -1 for null: what the format writes as its length. */
export function lengthOf(bytes: RecordBytes): number {
  if (bytes === null) return -1
  if (typeof bytes !== 'string') return bytes.length
  return utf8Length(bytes)
}

/** Copies `bytes`, which take `length` bytes, to `position`. */
export function writeBytes(buffer: Buffer, position: number, bytes: Uint8Array | string, length: number): void {
  if (typeof bytes === 'string') {
    writeUtf8(buffer, position, bytes, length)
  } else if (length <= INLINE_COPY_BYTES) {
    for (let i = 0; i < length; i++) buffer[position + i] = bytes[i]!
  } else {
    buffer.set(bytes, position)
  }
}

export function utf8Length(text: string): number {
  const length = text.length
  if (length > INLINE_STRING_LENGTH) return Buffer.byteLength(text)
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) >= 0x80) return Buffer.byteLength(text)
  return length
}

export function writeUtf8(buffer: Buffer, position: number, text: string, length: number): void {
  if (length === text.length && length <= INLINE_STRING_LENGTH) {
    // as many bytes as characters: ASCII
    for (let i = 0; i < length; i++) buffer[position + i] = text.charCodeAt(i)
  } else {
    buffer.write(text, position, length, 'utf8')
  }
}
