import { INLINE_COPY_BYTES, INLINE_STRING_LENGTH } from './limits.ts'
import type { RecordBytes, RecordHeaderInput } from './record-input.ts'
import { sizeOfVarint, writeVarint } from './varint.ts'

/**
 * The length of a string is written before it, and takes as long to find as the string to write. So strings are first guessed
 * to be ASCII, which writing them confirms or refutes; only when refuted are they measured. A guess needs `GUESS_SLACK` bytes
 * of room beyond the record: with that much, UTF-8 that is longer than the guess always shows as longer, though it be cut.
 */
export const GUESS_SLACK = 4

const TYPICAL_HEADER_OVERHEAD_BYTES = 2

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

/** What the headers of a record take beyond their count if their strings are short and ASCII. */
export function estimateHeaders(headers: readonly RecordHeaderInput[]): number {
  let size = 0
  for (let i = 0; i < headers.length; i++) {
    const header = headers[i]!
    const value = header[1]
    size += TYPICAL_HEADER_OVERHEAD_BYTES + header[0].length + (value === null ? 0 : value.length)
  }
  return size
}

/** Bytes of the headers of a record, their count included, exactly. */
export function sizeOfHeaders(headers: readonly RecordHeaderInput[]): number {
  let size = sizeOfVarint(headers.length)
  for (const [name, value] of headers) {
    const nameLength = lengthOf(name, true)
    const valueLength = lengthOf(value, true)
    size += sizeOfVarint(nameLength) + nameLength + sizeOfVarint(valueLength) + Math.max(0, valueLength)
  }
  return size
}

/** Gives back the position after the headers; -1 if a guess was wrong. */
export function writeHeaders(buffer: Buffer, position: number, headers: readonly RecordHeaderInput[], exact: boolean): number {
  const slack = exact ? 0 : GUESS_SLACK
  const count = headers.length
  let at = writeVarint(buffer, position, count)
  for (let i = 0; i < count; i++) {
    const header = headers[i]!
    const nameLength = lengthOf(header[0], exact)
    at = writeVarint(buffer, at, nameLength)
    if (!writeBytes(buffer, at, header[0], nameLength, slack)) return -1
    const value = header[1]
    const valueLength = lengthOf(value, exact)
    at = writeVarint(buffer, at + nameLength, valueLength)
    if (value === null) continue
    if (!writeBytes(buffer, at, value, valueLength, slack)) return -1
    at += valueLength
  }
  return at
}
