import { MAX_LZ4_ATTEMPTS } from '../limits.ts'
import { copyLiteral } from './block-copy.ts'
import { MAX_DISTANCE } from './lz4-wasm.ts'

/** LZ4's high compression: for each position a chain of all earlier ones with the same four bytes' hash, nearest first. */

const MIN_MATCH = 4
/** The last 5 bytes of a block are literals, and the last match begins 12 bytes before its end at the latest. */
const LAST_LITERALS = 5
const MATCH_START_LIMIT = 12
const HASH_BITS = 15
const CHAIN_MASK = 0xffff

const heads = new Int32Array(1 << HASH_BITS)
const chain = new Int32Array(CHAIN_MASK + 1)

/**
 * Encodes `source[start..end)` as one block into `target` from `position`, which must have `lz4BlockBound` bytes of room, and gives back the position after it. Takes the longest
 * match among up to 2^(level-1), and a literal first if the next match is longer.
 */
export function encodeLz4BlockHigh(
  source: Buffer,
  start: number,
  end: number,
  target: Buffer,
  position: number,
  level: number,
): number {
  heads.fill(-1)
  const attempts = Math.min(MAX_LZ4_ATTEMPTS, 2 ** (level - 1))
  const lastStart = end - MATCH_START_LIMIT
  let to = position
  let anchor = start
  let from = start
  while (from <= lastStart) {
    let candidate = enter(source, from)
    let match = longestMatch(source, from, end - LAST_LITERALS, candidate, attempts)
    if (match === null) {
      from++
      continue
    }
    while (from < lastStart) {
      candidate = enter(source, from + 1)
      const next = longestMatch(source, from + 1, end - LAST_LITERALS, candidate, attempts)
      if (next === null || next.length <= match.length) break
      match = next
      from++
    }
    to = writeSequence(source, anchor, from, target, to, match.distance, match.length)
    // The position after the match's first has been entered already, unless the input ends there.
    const matchEnd = from + match.length
    for (let at = from + 2; at < matchEnd && at <= lastStart; at++) enter(source, at)
    from = matchEnd
    anchor = matchEnd
  }
  return writeLastLiterals(source, anchor, end, target, to)
}

interface Match {
  readonly distance: number
  readonly length: number
}

/** Puts a position at the head of its chain, and gives back the one that was there. */
function enter(source: Buffer, at: number): number {
  const hash = Math.imul(source.readInt32LE(at), 0x9e37_79b1) >>> (32 - HASH_BITS)
  const previous = heads[hash]!
  chain[at & CHAIN_MASK] = previous
  heads[hash] = at
  return previous
}

function longestMatch(source: Buffer, from: number, limit: number, first: number, attempts: number): Match | null {
  let best = MIN_MATCH - 1
  let distance = 0
  let candidate = first
  for (let i = 0; i < attempts && candidate >= 0 && from - candidate <= MAX_DISTANCE; i++) {
    if (source[candidate + best] === source[from + best]) {
      let length = 0
      while (from + length < limit && source[candidate + length] === source[from + length]) length++
      if (length > best) {
        best = length
        distance = from - candidate
        if (from + length >= limit) break
      }
    }
    candidate = chain[candidate & CHAIN_MASK]!
  }
  return distance === 0 ? null : { distance, length: best }
}

function writeSequence(
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

function writeLastLiterals(source: Buffer, anchor: number, end: number, target: Buffer, position: number): number {
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
