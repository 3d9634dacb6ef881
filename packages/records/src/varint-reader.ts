/** A decoder of varints that remembers where it stands. It never reads past `end`. */
export class VarintReader {
  readonly #data: Uint8Array
  readonly #end: number
  position: number

  constructor(data: Uint8Array, position: number, end: number) {
    this.#data = data
    this.position = position
    this.#end = end
  }

  /** A varint of at most 5 bytes; null when it is longer or goes past the end. */
  varint(): number | null {
    let zigzag = 0
    for (let shift = 0; shift <= 28; shift += 7) {
      if (this.position >= this.#end) return null
      const byte = this.#data[this.position++]!
      zigzag |= (byte & 0x7f) << shift
      if (byte < 0x80) return (zigzag >>> 1) ^ -(zigzag & 1)
    }
    return null
  }

  /** A varlong of at most 10 bytes, exact; null when it is longer or goes past the end. */
  varlong(): bigint | null {
    let zigzag = 0n
    for (let shift = 0n; shift <= 63n; shift += 7n) {
      if (this.position >= this.#end) return null
      const byte = this.#data[this.position++]!
      zigzag |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) {
        const unsigned = BigInt.asUintN(64, zigzag)
        return BigInt.asIntN(64, (unsigned >> 1n) ^ -(unsigned & 1n))
      }
    }
    return null
  }
}

/** Up to 4 bytes hold 28 bits: of a varlong, 37 hours in milliseconds. */
export const MAX_SHORT_BYTES = 4

/** The varint at `at`, which has been read before and is known to have an end. */
export function varintAt(data: Uint8Array, at: number): number {
  const first = data[at]!
  return first < 0x80 ? (first >>> 1) ^ -(first & 1) : new VarintReader(data, at, data.length).varint()!
}

/** The position after the varint or varlong at `at`, which has been read before. */
export function afterVarint(data: Uint8Array, at: number): number {
  let last = at
  while (data[last]! >= 0x80) last++
  return last + 1
}
