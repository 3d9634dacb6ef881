import { xxh32 } from '../src/compression/xxh32.ts'

export const INDEPENDENT = 0x20

/** One frame with the given flags and its blocks as they are; checksums are put in where the flags promise them. */
export function lz4Frame(flags: number, blockCode: number, blocks: readonly Buffer[], content: Buffer): Buffer {
  const descriptor = Buffer.from([0x40 | flags, blockCode << 4, ...((flags & 8) === 0 ? [] : Buffer.alloc(8))])
  if ((flags & 8) !== 0) descriptor.writeBigUInt64LE(BigInt(content.length), 2)
  const parts: Buffer[] = [
    Buffer.from([4, 0x22, 0x4d, 0x18]),
    descriptor,
    Buffer.from([(xxh32(descriptor, 0, descriptor.length) >>> 8) & 0xff]),
  ]
  for (const block of blocks) parts.push(block, ...((flags & 16) === 0 ? [] : [checksum(block.subarray(4))]))
  return Buffer.concat([...parts, Buffer.alloc(4), ...((flags & 4) === 0 ? [] : [checksum(content)])])
}

/** A block that holds the bytes as they are. */
export function storedBlock(bytes: Buffer): Buffer {
  return Buffer.concat([uint32((0x8000_0000 | bytes.length) >>> 0), bytes])
}

/** A block of these bytes, which are in the block format. */
export function packedBlock(bytes: Buffer): Buffer {
  return Buffer.concat([uint32(bytes.length), bytes])
}

function checksum(bytes: Buffer): Buffer {
  return uint32(xxh32(bytes, 0, bytes.length))
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
