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
