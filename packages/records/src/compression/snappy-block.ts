import { copyLiteral, copyMatch } from './block-copy.ts'

/** Snappy's raw format (google/snappy, format_description.txt): the length as a varint, then literals and copies. */

const MAX_LENGTH_BYTES = 5
const HASH_BITS = 13
const MIN_MATCH = 4
const MAX_COPY = 64
/** The best that an element does: 3 bytes that stand for 64. */
const MAX_RATIO = 22

/** The length that the block states, and where its elements begin; null when that is not readable or cannot be true. */
export function readSnappyLength(source: Buffer, start: number, end: number): { length: number; position: number } | null {
  let length = 0
  for (let i = 0; i < MAX_LENGTH_BYTES && start + i < end; i++) {
    const byte = source[start + i]!
    length += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) {
      const position = start + i + 1
      return length > (end - position) * MAX_RATIO ? null : { length, position }
    }
  }
  return null
}

/** Decodes the elements `source[start..end)` into exactly `target[position..limit)`; false if they do not fill it so. */
export function decodeSnappyElements(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  position: number,
  limit: number,
): boolean {
  let from = start
  let to = position
  while (from < end) {
    const tag = source[from++]!
    const kind = tag & 3
    if (kind === 0) {
      let length = (tag >>> 2) + 1
      if (length > 60) {
        const bytes = length - 60
        if (bytes > end - from) return false
        length = readLittleEndian(source, from, bytes) + 1
        from += bytes
      }
      if (length > end - from || length > limit - to) return false
      copyLiteral(source, from, target, to, length)
      from += length
      to += length
      continue
    }
    const bytes = kind === 3 ? 4 : kind
    if (bytes > end - from) return false
    let length = (tag >>> 2) + 1
    let distance: number
    if (kind === 1) {
      length = ((tag >>> 2) & 7) + 4
      distance = ((tag >>> 5) << 8) | source[from]!
    } else {
      distance = readLittleEndian(source, from, bytes)
    }
    from += bytes
    if (distance === 0 || distance > to - position || length > limit - to) return false
    copyMatch(target, to, distance, length)
    to += length
  }
  return to === limit
}

/** The most bytes that a block of `length` bytes can take. */
export function snappyBlockBound(length: number): number {
  return 32 + length + Math.ceil(length / 6)
}

const table = new Int32Array(1 << HASH_BITS)

/**
 * Encodes `source[start..end)`, at most 64 KiB, as one block into `target` from `position`, which must have `snappyBlockBound`
 * bytes of room. Gives back the position after it.
 */
export function encodeSnappyBlock(source: Buffer, start: number, end: number, target: Buffer, position: number): number {
  let to = position
  let rest = end - start
  for (; rest >= 0x80; rest >>>= 7) target[to++] = (rest & 0x7f) | 0x80
  target[to++] = rest
  table.fill(-1)
  let anchor = start
  let from = start
  let misses = 0
  while (from <= end - MIN_MATCH) {
    const word = read32(source, from)
    const hash = Math.imul(word, 0x1e35_a7bd) >>> (32 - HASH_BITS)
    const candidate = table[hash]!
    table[hash] = from
    if (candidate < 0 || read32(source, candidate) !== word) {
      from += 1 + (misses++ >> 5)
      continue
    }
    misses = 0
    let length = MIN_MATCH
    while (from + length < end && source[from + length] === source[candidate + length]) length++
    if (from > anchor) to = writeLiteral(source, anchor, from, target, to)
    to = writeCopies(target, to, from - candidate, length)
    from += length
    anchor = from
  }
  return anchor < end ? writeLiteral(source, anchor, end, target, to) : to
}

function writeLiteral(source: Buffer, from: number, end: number, target: Buffer, position: number): number {
  const length = end - from
  let to = position
  if (length <= 60) {
    target[to++] = (length - 1) << 2
  } else if (length <= 256) {
    target[to++] = 60 << 2
    target[to++] = length - 1
  } else {
    target[to++] = 61 << 2
    target[to++] = (length - 1) & 0xff
    target[to++] = (length - 1) >>> 8
  }
  copyLiteral(source, from, target, to, length)
  return to + length
}

function writeCopies(target: Buffer, position: number, distance: number, matchLength: number): number {
  let to = position
  for (let rest = matchLength; rest > 0;) {
    const length = Math.min(MAX_COPY, rest)
    target[to++] = ((length - 1) << 2) | 2
    target[to++] = distance & 0xff
    target[to++] = distance >>> 8
    rest -= length
  }
  return to
}

function readLittleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!
  return value
}

function read32(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}
