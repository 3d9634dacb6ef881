/** Zig-zag varints as in Protocol Buffers; Kafka's ByteUtils.java writes lengths and deltas of a record with them. */

const SAFE_ZIGZAG = 2 ** 52

/** Bytes of a varint by the leading zero bits of its zig-zag form. */
const SIZES: Uint8Array = Uint8Array.from({ length: 33 }, (_, zeros) => Math.max(1, Math.ceil((32 - zeros) / 7)))

/** Bytes of an int32 as a varint: 1 to 5. */
export function sizeOfVarint(value: number): number {
  return SIZES[Math.clz32((value << 1) ^ (value >> 31))]!
}

/** Writes an int32 as a varint and gives back the position after it. */
export function writeVarint(buffer: Uint8Array, position: number, value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) {
    buffer[position] = zigzag
    return position + 1
  }
  if (zigzag >= 0x4000) return writeLongVarint(buffer, position, zigzag)
  buffer[position] = zigzag | 0x80
  buffer[position + 1] = zigzag >>> 7
  return position + 2
}

function writeLongVarint(buffer: Uint8Array, position: number, zigzag: number): number {
  let rest = zigzag
  let at = position
  for (; rest >= 0x80; rest >>>= 7) buffer[at++] = (rest & 0x7f) | 0x80
  buffer[at++] = rest
  return at
}

/** Bytes of an integer of magnitude up to 2^53 as a varlong: 1 to 8. */
export function sizeOfVarlong(value: number): number {
  if ((value | 0) === value) return sizeOfVarint(value)
  let size = 1
  if (value > -SAFE_ZIGZAG && value < SAFE_ZIGZAG) {
    for (let rest = zigzagNumber(value); rest >= 0x80; rest = Math.floor(rest / 0x80)) size++
    return size
  }
  for (let rest = zigzagBigint(value); rest >= 0x80n; rest >>= 7n) size++
  return size
}

/** Writes an integer of magnitude up to 2^53 as a varlong and gives back the position after it. */
export function writeVarlong(buffer: Uint8Array, position: number, value: number): number {
  return (value | 0) === value ? writeVarint(buffer, position, value) : writeLongVarlong(buffer, position, value)
}

function writeLongVarlong(buffer: Uint8Array, position: number, value: number): number {
  let at = position
  if (value > -SAFE_ZIGZAG && value < SAFE_ZIGZAG) {
    let rest = zigzagNumber(value)
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[at++] = (rest % 0x80) | 0x80
    buffer[at++] = rest
    return at
  }
  let rest = zigzagBigint(value)
  for (; rest >= 0x80n; rest >>= 7n) buffer[at++] = Number(rest & 0x7fn) | 0x80
  buffer[at++] = Number(rest)
  return at
}

function zigzagNumber(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}

function zigzagBigint(value: number): bigint {
  const exact = BigInt(value)
  return exact >= 0n ? exact << 1n : (-exact << 1n) - 1n
}
