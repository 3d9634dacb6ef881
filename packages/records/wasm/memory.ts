/*
 * The memory's layout, of which `src/compression/lz4-wasm.ts` knows where the input begins; the rest it chooses.
 *
 *     [tables][the input][64 KiB that matches reach back to][the output, to the end of the memory]
 */

/** For each distance below 16, the bytes of 16 to take so that the first so many repeat. */
export const REPEATS: usize = 0
/** For each distance below 16, its largest multiple up to 16. */
export const STEPS: usize = 256
/** Where the encoder has seen what: positions of two or four bytes, by the hash of what is there. */
export const POSITIONS: usize = 512
export const POSITIONS_BYTES: usize = 16 * 1024
export const INPUT: usize = POSITIONS + POSITIONS_BYTES

/** Bytes go so many at a time where they may be read and written, whatever the length is; what is too much is overwritten by what comes next. */
export const WIDE: usize = 16

for (let distance: usize = 1; distance < WIDE; distance++) {
  for (let at: usize = 0; at < WIDE; at++) store<u8>(REPEATS + distance * WIDE + at, <u8>(at % distance))
  store<u8>(STEPS + distance, <u8>(WIDE - (WIDE % distance)))
}

/** Makes the memory have so many bytes at the least, and says how many it has. Those it had stay as they are. */
export function reserve(bytes: usize): usize {
  const pages = <usize>memory.size()
  if (bytes <= pages << 16) return pages << 16
  const missing = (bytes - (pages << 16) + 0xffff) >>> 16
  if (memory.grow(<i32>max(missing, pages >>> 1)) < 0) unreachable()
  return (<usize>memory.size()) << 16
}
