import { LAST_LITERALS, MATCH_START_LIMIT, MAX_DISTANCE, MIN_MATCH, MORE } from './format'
import { POSITIONS, POSITIONS_BYTES, WIDE } from './memory'

/** The five or six bytes that the shifts leave are hashed, as LZ4 does with five (lz4.c, LZ4_hash5): in a large block, longer matches are worth more than a larger table. */
const HASH_5: u64 = 889523592379
const HASH_6: u64 = 227718039650203
/** After so many positions without a match, each step is one byte longer. */
const PATIENCE_BITS = 6

/**
 * Encodes `[start, end)` as one block to `target`, which must be behind it and have 32 bytes more room than a block can take. Gives back how many bytes it has. One candidate per
 * hash, as LZ4's fast compressor (lz4.c, LZ4_compress_generic). What is read past `end` is never part of the result.
 */
export function encodeBlock(start: usize, end: usize, target: usize): usize {
  return end - start <= 0x10000 ? encode<u16>(start, end, target) : encode<u32>(start, end, target)
}

/** With positions from `start` as `P`. */
function encode<P>(start: usize, end: usize, target: usize): usize {
  let to = target
  let anchor = start
  if (end - start <= MATCH_START_LIMIT) return writeLastLiterals(anchor, end, to) - target
  memory.fill(POSITIONS, 0, POSITIONS_BYTES)
  const matchLimit = end - LAST_LITERALS
  const lastStart = end - MATCH_START_LIMIT
  let from = start + 1
  while (from <= lastStart) {
    let match: usize
    let ahead = from
    let place = placeOf<P>(ahead)
    for (let misses: usize = 1 << PATIENCE_BITS; ; misses++) {
      from = ahead
      if (from > lastStart) return writeLastLiterals(anchor, end, to) - target
      ahead += misses >>> PATIENCE_BITS
      const here = place
      match = start + <usize>load<P>(here)
      place = placeOf<P>(ahead)
      store<P>(here, <P>(from - start))
      if (isMatch<P>(match, from)) break
    }
    while (from > anchor && match > start && load<u8>(from - 1) === load<u8>(match - 1)) {
      from--
      match--
    }
    const literals = from - anchor
    let token = to++
    if (literals >= MORE) to = writeLength(to, literals - MORE)
    for (let at: usize = 0; at < literals; at += WIDE) v128.store(to + at, v128.load(anchor + at))
    to += literals
    let high = min(literals, MORE) << 4
    for (;;) {
      store<u16>(to, <u16>(from - match))
      to += 2
      const length = sameBytes(from + MIN_MATCH, match + MIN_MATCH, matchLimit)
      store<u8>(token, <u8>(high | min(length, MORE)))
      if (length >= MORE) to = writeLength(to, length - MORE)
      from += length + MIN_MATCH
      anchor = from
      if (from > lastStart) return writeLastLiterals(anchor, end, to) - target
      store<P>(placeOf<P>(from - 2), <P>(from - 2 - start))
      const here = placeOf<P>(from)
      match = start + <usize>load<P>(here)
      store<P>(here, <P>(from - start))
      if (!isMatch<P>(match, from)) break
      // A match that follows at once has no literals before it.
      token = to++
      high = 0
    }
    from++
  }
  return writeLastLiterals(anchor, end, to) - target
}

/** Where the position of what was last seen like that at `at` is kept: of 2^13 places for two bytes, or 2^12 for four. */
function placeOf<P>(at: usize): usize {
  const bytes = load<u64>(at)
  const hash = sizeof<P>() === 2 ? ((bytes << 24) * HASH_5) >>> 51 : ((bytes << 16) * HASH_6) >>> 52
  return POSITIONS + <usize>hash * sizeof<P>()
}

function isMatch<P>(match: usize, from: usize): bool {
  // Two bytes cannot hold a position that is too far away.
  return load<u32>(match) === load<u32>(from) && (sizeof<P>() === 2 || from - match <= MAX_DISTANCE)
}

/** How many bytes from `from` up to `limit` are as those from `match`. */
function sameBytes(from: usize, match: usize, limit: usize): usize {
  let at = from
  let other = match
  for (; at + 8 <= limit; at += 8, other += 8) {
    const differing = load<u64>(at) ^ load<u64>(other)
    if (differing !== 0) return at - from + <usize>(ctz(differing) >>> 3)
  }
  for (; at < limit && load<u8>(at) === load<u8>(other); at++, other++);
  return at - from
}

function writeLength(position: usize, length: usize): usize {
  let to = position
  let rest = length
  for (; rest >= 255; rest -= 255) store<u8>(to++, 255)
  store<u8>(to++, <u8>rest)
  return to
}

function writeLastLiterals(anchor: usize, end: usize, position: usize): usize {
  const literals = end - anchor
  let to = position
  store<u8>(to++, <u8>(min(literals, MORE) << 4))
  if (literals >= MORE) to = writeLength(to, literals - MORE)
  memory.copy(to, anchor, literals)
  return to + literals
}
