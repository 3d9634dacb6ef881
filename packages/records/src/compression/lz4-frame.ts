import { markOwnMemory } from '@millrace/protocol/internal'
import { CorruptCompressionError, DecompressionLimitError } from '../errors.ts'
import { MAX_KEPT_SCRATCH_BYTES } from '../limits.ts'
import { decodeLz4Block, encodeLz4Block, LZ4_FULL, lz4BlockBound } from './lz4-block.ts'
import { encodeLz4BlockHigh } from './lz4-high.ts'
import { xxh32 } from './xxh32.ts'

/** LZ4 frame format 1.6, as Kafka's Lz4BlockOutputStream.java writes it: 64 KiB independent blocks, no checksums but the header's. */

const FRAME_MAGIC = 0x184d_2204
const VERSION_MASK = 0xc0
const VERSION_1 = 0x40
const BLOCKS_INDEPENDENT = 0x20
const BLOCK_CHECKSUMS = 0x10
const CONTENT_SIZE = 0x08
const CONTENT_CHECKSUM = 0x04
const RESERVED_OR_DICTIONARY = 0x03
const UNCOMPRESSED_BLOCK = 0x8000_0000
const MIN_BLOCK_CODE = 4
const BLOCK_BYTES = 64 * 1024
const HEADER_BYTES = 7
const FRAME_HEADER: Buffer = Buffer.from([0x04, 0x22, 0x4d, 0x18, VERSION_1 | BLOCKS_INDEPENDENT, MIN_BLOCK_CODE << 4, 0x82])

interface FrameHeader {
  readonly flags: number
  readonly maxBlockBytes: number
  /** Where the first block begins. */
  readonly end: number
}

let scratch: Buffer = Buffer.alloc(0)

/** Decodes one frame; never holds more than `maxBytes` of output. */
export function decodeLz4Frame(input: Buffer, maxBytes: number): Buffer {
  const header = readHeader(input)
  const independent = (header.flags & BLOCKS_INDEPENDENT) !== 0
  const trailer = (header.flags & BLOCK_CHECKSUMS) === 0 ? 0 : 4
  let at = header.end
  let length = 0
  for (;;) {
    const size = readBlockSize(input, at, header, trailer)
    at += 4
    if (size === 0) break
    const bytes = size & ~UNCOMPRESSED_BLOCK
    if (trailer > 0) verifyChecksum(input, at, at + bytes, input.readUInt32LE(at + bytes), 'block')
    const room = Math.min(header.maxBlockBytes, maxBytes - length)
    reserve(length, length + Math.min(room, (size & UNCOMPRESSED_BLOCK) === 0 ? bytes * 255 : bytes))
    if ((size & UNCOMPRESSED_BLOCK) !== 0) {
      if (bytes > room) throw new DecompressionLimitError('lz4', input.length, maxBytes)
      length += input.copy(scratch, length, at, at + bytes)
    } else {
      const end = decodeLz4Block(input, at, at + bytes, scratch, length, length + room, independent ? length : 0)
      if (end === LZ4_FULL && room < header.maxBlockBytes) throw new DecompressionLimitError('lz4', input.length, maxBytes)
      if (end < 0) throw new CorruptCompressionError('lz4', `the block at byte ${at} is not an LZ4 block`)
      length = end
    }
    at += bytes + trailer
  }
  const output = markOwnMemory(Buffer.allocUnsafeSlow(length))
  scratch.copy(output, 0, 0, length)
  if (scratch.length > MAX_KEPT_SCRATCH_BYTES) scratch = Buffer.alloc(0)
  if ((header.flags & CONTENT_CHECKSUM) !== 0) {
    if (input.length - at < 4) throw new CorruptCompressionError('lz4', 'the content checksum is missing')
    verifyChecksum(output, 0, length, input.readUInt32LE(at), 'content')
  }
  return output
}

/** The most bytes that the frame can decode to, going by its block headers alone. */
export function lz4FrameBound(input: Buffer): number {
  const header = readHeader(input)
  const trailer = (header.flags & BLOCK_CHECKSUMS) === 0 ? 0 : 4
  let bound = 0
  for (let at = header.end; ;) {
    const size = readBlockSize(input, at, header, trailer)
    if (size === 0) return bound
    const bytes = size & ~UNCOMPRESSED_BLOCK
    bound += (size & UNCOMPRESSED_BLOCK) === 0 ? Math.min(header.maxBlockBytes, bytes * 255) : bytes
    at += 4 + bytes + trailer
  }
}

/** Encodes one frame in JavaScript: with the fast compressor, or with that of high compression if there is a level. */
export function encodeLz4Frame(input: Buffer, level: number | null = null): Buffer {
  const blocks = Math.ceil(input.length / BLOCK_BYTES)
  const target = Buffer.allocUnsafeSlow(HEADER_BYTES + 4 + blocks * 4 + lz4BlockBound(input.length) + blocks * 16)
  FRAME_HEADER.copy(target)
  let to = HEADER_BYTES
  for (let start = 0; start < input.length; start += BLOCK_BYTES) {
    const end = Math.min(input.length, start + BLOCK_BYTES)
    const blockEnd =
      level === null
        ? encodeLz4Block(input, start, end, target, to + 4)
        : encodeLz4BlockHigh(input, start, end, target, to + 4, level)
    if (blockEnd - to - 4 < end - start) {
      target.writeUInt32LE(blockEnd - to - 4, to)
      to = blockEnd
    } else {
      target.writeUInt32LE((UNCOMPRESSED_BLOCK | (end - start)) >>> 0, to)
      to += 4 + input.copy(target, to + 4, start, end)
    }
  }
  target.writeUInt32LE(0, to)
  return target.subarray(0, to + 4)
}

function readHeader(input: Buffer): FrameHeader {
  if (input.length < HEADER_BYTES || input.readUInt32LE(0) !== FRAME_MAGIC)
    throw new CorruptCompressionError('lz4', 'not an LZ4 frame')
  const flags = input[4]!
  const blockCode = input[5]! >>> 4
  if ((flags & VERSION_MASK) !== VERSION_1) throw new CorruptCompressionError('lz4', `frame version ${flags >>> 6}`)
  if ((flags & RESERVED_OR_DICTIONARY) !== 0)
    throw new CorruptCompressionError('lz4', 'a frame with a dictionary or reserved bits')
  if (blockCode < MIN_BLOCK_CODE || blockCode > 7) throw new CorruptCompressionError('lz4', `block size code ${blockCode}`)
  const end = HEADER_BYTES + ((flags & CONTENT_SIZE) === 0 ? 0 : 8)
  if (input.length < end) throw new CorruptCompressionError('lz4', 'the frame header is incomplete')
  const stated = input[end - 1]!
  if (((xxh32(input, 4, end - 1) >>> 8) & 0xff) !== stated)
    throw new CorruptCompressionError('lz4', 'the header checksum is wrong')
  return { flags, maxBlockBytes: 1 << (8 + 2 * blockCode), end }
}

/** Size and flag of the block at `at`, 0 for the end mark; checks that the block lies within the input. */
function readBlockSize(input: Buffer, at: number, header: FrameHeader, trailer: number): number {
  if (input.length - at < 4) throw new CorruptCompressionError('lz4', 'the frame has no end mark')
  const size = input.readInt32LE(at)
  const bytes = size & ~UNCOMPRESSED_BLOCK
  if (bytes > header.maxBlockBytes) throw new CorruptCompressionError('lz4', `a block of ${bytes} bytes at byte ${at}`)
  if (size !== 0 && bytes + trailer > input.length - at - 4)
    throw new CorruptCompressionError('lz4', `the block at byte ${at} is incomplete`)
  return size
}

function verifyChecksum(bytes: Buffer, start: number, end: number, stated: number, what: string): void {
  if (xxh32(bytes, start, end) !== stated) throw new CorruptCompressionError('lz4', `the ${what} checksum is wrong`)
}

/** Makes `scratch` hold `capacity` bytes, keeping the first `used`. */
function reserve(used: number, capacity: number): void {
  if (capacity <= scratch.length) return
  const larger = Buffer.allocUnsafeSlow(Math.max(capacity, Math.min(scratch.length * 2, MAX_KEPT_SCRATCH_BYTES)))
  scratch.copy(larger, 0, 0, used)
  scratch = larger
}
