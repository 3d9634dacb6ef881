import { MIN_MATCH, MORE } from './format'
import { REPEATS, STEPS, WIDE, reserve } from './memory'

/** By how much the short way may go too far: 14 literals, then 18 bytes of a match. */
const SHORT_WAY: usize = 32

const CORRUPT: i32 = -1
const FULL: i32 = -2

/**
 * Decodes the block `[start, end)` to `position`, never beyond `limit`; matches reach back to `dictionary` at most. Gives back how many bytes that makes, -1 if it is not an LZ4
 * block, and -2 if they do not fit.
 */
export function decodeBlock(start: usize, end: usize, position: usize, limit: usize, dictionary: usize): i32 {
  let from = start
  let to = position
  /** Up to here a wide copy may end, which reads or writes up to `WIDE` bytes further. */
  const wideFrom = end - WIDE
  let wideTo = min(limit, reserve(position + SHORT_WAY)) - WIDE
  while (from < end) {
    const token = <usize>load<u8>(from++)
    let literals = token >>> 4
    let length = token & MORE
    let distance: usize
    if (literals < MORE && from <= wideFrom && to + SHORT_WAY <= wideTo + WIDE) {
      v128.store(to, v128.load(from))
      from += literals
      to += literals
      distance = <usize>load<u16>(from)
      from += 2
      if (length < MORE && distance >= WIDE && distance <= to - dictionary) {
        const match = to - distance
        v128.store(to, v128.load(match))
        store<u16>(to, load<u16>(match, WIDE), WIDE)
        to += length + MIN_MATCH
        continue
      }
    } else {
      if (literals === MORE) {
        let more: usize = 255
        while (more === 255) {
          if (from >= end) return CORRUPT
          more = <usize>load<u8>(from++)
          literals += more
        }
      }
      const literalEnd = to + literals
      if (from + literals <= wideFrom && literalEnd <= wideTo) {
        for (let at = from; to < literalEnd; at += WIDE, to += WIDE) v128.store(to, v128.load(at))
        to = literalEnd
        from += literals
      } else {
        if (literals > end - from) return CORRUPT
        if (literals > limit - to) return FULL
        wideTo = min(limit, reserve(literalEnd + SHORT_WAY)) - WIDE
        memory.copy(to, from, literals)
        to = literalEnd
        from += literals
        if (from === end) return <i32>(to - position)
        if (end - from < 2) return CORRUPT
      }
      distance = <usize>load<u16>(from)
      from += 2
    }
    // One comparison for both: a distance of 0 becomes the largest of all.
    if (distance - 1 >= to - dictionary) return CORRUPT
    if (length === MORE) {
      let more: usize = 255
      while (more === 255) {
        if (from >= end) return CORRUPT
        more = <usize>load<u8>(from++)
        length += more
      }
    }
    length += MIN_MATCH
    if (length > limit - to) return FULL
    const matchEnd = to + length
    if (matchEnd > wideTo) wideTo = min(limit, reserve(matchEnd + SHORT_WAY)) - WIDE
    copyMatch(to, distance, matchEnd, min(matchEnd, wideTo))
    to = matchEnd
  }
  return CORRUPT // a block ends with literals
}

/** Repeats what lies `distance` before, up to `end`; wide up to `wideEnd`. */
function copyMatch(position: usize, distance: usize, end: usize, wideEnd: usize): void {
  let to = position
  if (distance >= WIDE) {
    for (; to < wideEnd; to += WIDE) v128.store(to, v128.load(to - distance))
  } else {
    const bytes = v128.swizzle(v128.load(to - distance), v128.load(REPEATS + distance * WIDE))
    const step = <usize>load<u8>(STEPS + distance)
    for (; to < wideEnd; to += step) v128.store(to, bytes)
  }
  for (; to < end; to++) store<u8>(to, load<u8>(to - distance))
}
