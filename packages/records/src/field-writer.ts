import { INLINE_COPY_BYTES, INLINE_STRING_LENGTH } from './limits.ts'
import type { RecordBytes, RecordHeaderInput } from './record-input.ts'
import { sizeOfVarint, writeVarint } from './varint.ts'

/**
 * The length of a string is written before it, and takes as long to find as the string to write. So strings are first guessed
 * to be ASCII, which writing them confirms or refutes; only when refuted are they measured. A guess needs `GUESS_SLACK` bytes
 * of room beyond the record: with that much, UTF-8 that is longer than the guess always shows as longer, though it be cut.
 */
export const GUESS_SLACK = 4

/** Bytes that `bytes` takes, -1 for null. A string counts its characters, or its bytes if `exact`. */
export function lengthOf(bytes: RecordBytes, exact: boolean): number {
  if (bytes === null) return -1
  return exact && typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length
}

/** Writes the `length` bytes of `bytes`; false if they are not that many, because a guess was wrong. */
export function writeBytes(buffer: Buffer, position: number, bytes: Uint8Array | string, length: number, slack: number): boolean {
  if (typeof bytes === 'string') return writeText(buffer, position, bytes, length, slack)
  if (length > INLINE_COPY_BYTES) {
    buffer.set(bytes, position)
  } else {
    for (let i = 0; i < length; i++) buffer[position + i] = bytes[i]!
  }
  return true
}

function writeText(buffer: Buffer, position: number, text: string, length: number, slack: number): boolean {
  if (length > INLINE_STRING_LENGTH || length !== text.length) return buffer.write(text, position, length + slack) === length
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 0x80) return false
    buffer[position + i] = code
  }
  return true
}

/** Bytes of the headers of a record, their count included. */
export function sizeOfHeaders(headers: readonly RecordHeaderInput[], exact: boolean): number {
  const count = headers.length
  let size = sizeOfVarint(count)
  for (let i = 0; i < count; i++) {
    const header = headers[i]!
    const nameLength = lengthOf(header[0], exact)
    const valueLength = lengthOf(header[1], exact)
    size += sizeOfVarint(nameLength) + nameLength + sizeOfVarint(valueLength) + (valueLength > 0 ? valueLength : 0)
  }
  return size
}

/** False if a guess was wrong. */
export function writeHeaders(buffer: Buffer, position: number, headers: readonly RecordHeaderInput[], exact: boolean): boolean {
  const slack = exact ? 0 : GUESS_SLACK
  const count = headers.length
  let at = writeVarint(buffer, position, count)
  for (let i = 0; i < count; i++) {
    const header = headers[i]!
    const nameLength = lengthOf(header[0], exact)
    at = writeVarint(buffer, at, nameLength)
    if (!writeBytes(buffer, at, header[0], nameLength, slack)) return false
    const value = header[1]
    const valueLength = lengthOf(value, exact)
    at = writeVarint(buffer, at + nameLength, valueLength)
    if (value === null) continue
    if (!writeBytes(buffer, at, value, valueLength, slack)) return false
    at += valueLength
  }
  return true
}
