const SHORT_COPY_BYTES = 48

/** Copies `length` bytes of `source` from `from` into `target` at `to`. */
export function copyLiteral(source: Uint8Array, from: number, target: Uint8Array, to: number, length: number): void {
  if (length <= SHORT_COPY_BYTES) {
    for (let i = 0; i < length; i++) target[to + i] = source[from + i]!
  } else {
    target.set(source.subarray(from, from + length), to)
  }
}

/** Copies `length` bytes within `bytes` from `distance` before `to`; the regions may overlap and then repeat. */
export function copyMatch(bytes: Uint8Array, to: number, distance: number, length: number): void {
  if (length > SHORT_COPY_BYTES && distance >= length) {
    bytes.copyWithin(to, to - distance, to - distance + length)
    return
  }
  if (length > SHORT_COPY_BYTES && distance === 1) {
    bytes.fill(bytes[to - 1]!, to, to + length)
    return
  }
  const from = to - distance
  for (let i = 0; i < length; i++) bytes[to + i] = bytes[from + i]!
}
