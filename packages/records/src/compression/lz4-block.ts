import { copyLiteral } from './block-copy.ts'
import { MAX_DISTANCE } from './lz4-wasm.ts'

export const MIN_MATCH = 4
/** The last 5 bytes of a block are literals, and the last match begins 12 bytes before its end at the latest. */
export const LAST_LITERALS = 5
export const MATCH_START_LIMIT = 12
const HASH_BITS = 13

/** The most bytes that a block of `length` bytes can take. */
export function lz4BlockBound(length: number): number {
  return length + Math.ceil(length / 255) + 16
}

const table = new Int32Array(1 << HASH_BITS)

/**
 * Encodes `source[start..end)` as one block into `target` from `position`, which must have `lz4BlockBound` bytes of room.
 * Gives back the position after it. Greedy, one candidate per hash, as LZ4's fast compressor.
 */
export function encodeLz4Block(source: Buffer, start: number, end: number, target: Buffer, position: number): number {
  table.fill(-1)
  const matchLimit = end - LAST_LITERALS
  const lastStart = end - MATCH_START_LIMIT
  let to = position
  let anchor = start
  let from = start
  let misses = 0
  while (from <= lastStart) {
    const word = read32(source, from)
    const hash = Math.imul(word, 0x9e37_79b1) >>> (32 - HASH_BITS)
    const candidate = table[hash]!
    table[hash] = from
    if (candidate < 0 || from - candidate > MAX_DISTANCE || read32(source, candidate) !== word) {
      from += 1 + (misses++ >> 6)
      continue
    }
    misses = 0
    let length = MIN_MATCH
    while (from + length < matchLimit && source[from + length] === source[candidate + length]) length++
    to = writeSequence(source, anchor, from, target, to, from - candidate, length)
    from += length
    anchor = from
  }
  return writeLastLiterals(source, anchor, end, target, to)
}

export function writeSequence(
  source: Buffer,
  anchor: number,
  literalEnd: number,
  target: Buffer,
  position: number,
  distance: number,
  matchLength: number,
): number {
  const literals = literalEnd - anchor
  const match = matchLength - MIN_MATCH
  let to = position
  target[to++] = (Math.min(15, literals) << 4) | Math.min(15, match)
  if (literals >= 15) to = writeLength(target, to, literals - 15)
  copyLiteral(source, anchor, target, to, literals)
  to += literals
  target[to++] = distance & 0xff
  target[to++] = distance >>> 8
  return match >= 15 ? writeLength(target, to, match - 15) : to
}

export function writeLastLiterals(source: Buffer, anchor: number, end: number, target: Buffer, position: number): number {
  const literals = end - anchor
  let to = position
  target[to++] = Math.min(15, literals) << 4
  if (literals >= 15) to = writeLength(target, to, literals - 15)
  copyLiteral(source, anchor, target, to, literals)
  return to + literals
}

function writeLength(target: Buffer, position: number, length: number): number {
  let to = position
  let rest = length
  for (; rest >= 255; rest -= 255) target[to++] = 255
  target[to++] = rest
  return to
}

function read32(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}
