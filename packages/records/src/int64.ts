const TWO_TO_32 = 0x1_0000_0000

/** A big-endian int64 as a number; null when it lies outside ±`Number.MAX_SAFE_INTEGER`. */
export function readInt64(buffer: Buffer, position: number): number | null {
  const value = buffer.readInt32BE(position) * TWO_TO_32 + buffer.readUInt32BE(position + 4)
  return Number.isSafeInteger(value) ? value : null
}

/** Writes a safe integer as a big-endian int64. */
export function writeInt64(buffer: Buffer, value: number, position: number): void {
  const high = Math.floor(value / TWO_TO_32)
  buffer.writeInt32BE(high, position)
  buffer.writeUInt32BE(value - high * TWO_TO_32, position + 4)
}
