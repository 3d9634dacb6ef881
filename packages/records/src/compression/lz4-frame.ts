import { markOwnMemory } from '@millrace/protocol/internal'
import { CorruptCompressionError, DecompressionLimitError } from '../errors.ts'
import { encodeLz4BlockHigh } from './lz4-high.ts'
import { LZ4_FULL, lz4BlockBound, lz4Memory } from './lz4-wasm.ts'
import { xxh32 } from './xxh32.ts'

/** LZ4 frame format 1.6, as Kafka's Lz4BlockOutputStream.java writes it: independent blocks, no checksums but the header's. */

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
const MAX_BLOCK_CODE = 7
const HEADER_BYTES = 7
/** What a byte of a block can stand for, at most: it lengthens a match by so much. */
const MAX_RATIO = 255
/** By the code of the block size. */
const FRAME_HEADERS: readonly Buffer[] = [4, 5, 6, 7].map(frameHeader)
const END_MARK: Buffer = Buffer.alloc(4)
const EMPTY: Buffer = Buffer.alloc(0)

interface Frame {
  readonly flags: number
  /** Whether no block refers to the one before. */
  readonly independent: boolean
  readonly maxBlockBytes: number
  /** What follows a block: its checksum, or nothing. */
  readonly trailerBytes: number
  /** Where the first block begins, and the last; that of the end mark, if there is none. */
  readonly first: number
  readonly last: number
  /** Where the end mark is. */
  readonly end: number
  /** The most bytes that the blocks before the last can make, and the last. */
  readonly boundBefore: number
  readonly boundOfLast: number
}

/** Decodes one frame; its output is never larger than `maxBytes`, nor the memory that it is decoded to. */
export function decodeLz4Frame(input: Buffer, maxBytes: number): Buffer {
  const frame = readFrame(input)
  const output = markOwnMemory(decodeBlocks(input, frame, maxBytes))
  if ((frame.flags & CONTENT_CHECKSUM) !== 0) {
    if (input.length - frame.end < 8) throw new CorruptCompressionError('lz4', 'the content checksum is missing')
    verifyChecksum(output, 0, output.length, input.readUInt32LE(frame.end + 4), 'content')
  }
  return output
}

/** The most bytes that the frame can decode to, going by its block headers alone. */
export function lz4FrameBound(input: Buffer): number {
  const { boundBefore, boundOfLast } = readFrame(input)
  return boundBefore + boundOfLast
}

function decodeBlocks(input: Buffer, frame: Frame, maxBytes: number): Buffer {
  // All blocks but the last are full, as a rule. So that one is decoded first: then it is known how much memory the output takes.
  const lastFirst = frame.independent && frame.last < frame.end
  const tail = lastFirst ? decodeBlock(input, frame, frame.last, maxBytes, maxBytes, input, 0) : 0
  const expected = frame.boundBefore + (lastFirst ? tail : frame.boundOfLast)
  const output = Buffer.allocUnsafeSlow(Math.min(expected, maxBytes))
  if (lastFirst) takeBlock(input, frame.last, output, output.length - tail, tail)
  const stop = lastFirst ? frame.last : frame.end
  let length = 0
  for (let at = frame.first; at < stop; at += 4 + bytesOfBlock(input, at) + frame.trailerBytes) {
    const bytes = decodeBlock(input, frame, at, maxBytes - tail - length, maxBytes, output, frame.independent ? 0 : length)
    takeBlock(input, at, output, length, bytes)
    length += bytes
  }
  if (length + tail === output.length) return output
  const exact = Buffer.allocUnsafeSlow(length + tail)
  output.copy(exact, 0, 0, length)
  output.copy(exact, length, output.length - tail)
  return exact
}

/** Decodes the block at `at` into `room` bytes at most, and says how many it makes; `takeBlock` gets them before the next one is decoded. */
function decodeBlock(
  input: Buffer,
  frame: Frame,
  at: number,
  room: number,
  maxBytes: number,
  history: Buffer,
  historyEnd: number,
): number {
  const bytes = bytesOfBlock(input, at)
  const start = at + 4
  const end = start + bytes
  if (frame.trailerBytes > 0) verifyChecksum(input, start, end, input.readUInt32LE(end), 'block')
  if (isStored(input, at)) {
    if (bytes > room) throw new DecompressionLimitError('lz4', input.length, maxBytes)
    return bytes
  }
  const limit = Math.min(frame.maxBlockBytes, room)
  const length = lz4Memory().decode(input, start, end, limit, history, historyEnd)
  if (length === LZ4_FULL && room < frame.maxBlockBytes) throw new DecompressionLimitError('lz4', input.length, maxBytes)
  if (length < 0) throw new CorruptCompressionError('lz4', `the block at byte ${start} is not an LZ4 block`)
  return length
}

function takeBlock(input: Buffer, at: number, target: Buffer, position: number, length: number): void {
  if (isStored(input, at)) input.copy(target, position, at + 4, at + 4 + length)
  else lz4Memory().take(target, position, length)
}

/** Encodes one frame with the fast compressor, in one block if it has at most 4 MiB: what repeats is found over the whole of it. */
export function encodeLz4Frame(input: Buffer): Buffer {
  let blockCode = MIN_BLOCK_CODE
  while (blockCode < MAX_BLOCK_CODE && blockBytesOf(blockCode) < input.length) blockCode++
  const header = FRAME_HEADERS[blockCode - MIN_BLOCK_CODE]!
  const parts: Buffer[] = []
  for (let start = 0; start < input.length; start += blockBytesOf(blockCode)) {
    const end = Math.min(input.length, start + blockBytesOf(blockCode))
    parts.push(encodePart(input, start, end, start === 0 ? header : EMPTY, end === input.length ? END_MARK : EMPTY))
  }
  if (parts.length === 0) return Buffer.concat([header, END_MARK])
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

/** One block, stored where it would not shrink, with its size before it; and what the frame has before and after. */
function encodePart(input: Buffer, start: number, end: number, before: Buffer, after: Buffer): Buffer {
  const packed = lz4Memory().encode(input, start, end)
  const stored = packed >= end - start
  const length = stored ? end - start : packed
  const part = Buffer.allocUnsafe(before.length + 4 + length + after.length)
  before.copy(part)
  const at = part.writeUInt32LE(stored ? (UNCOMPRESSED_BLOCK | length) >>> 0 : length, before.length)
  if (stored) input.copy(part, at, start, end)
  else lz4Memory().take(part, at, length)
  after.copy(part, at + length)
  return part
}

/** Encodes one frame with the compressor of high compression, in blocks of 64 KiB, as Kafka does. */
export function encodeLz4FrameHigh(input: Buffer, level: number): Buffer {
  const blockBytes = blockBytesOf(MIN_BLOCK_CODE)
  const blocks = Math.ceil(input.length / blockBytes)
  const target = Buffer.allocUnsafeSlow(HEADER_BYTES + 4 + blocks * 4 + lz4BlockBound(input.length) + blocks * 16)
  FRAME_HEADERS[0]!.copy(target)
  let to = HEADER_BYTES
  for (let start = 0; start < input.length; start += blockBytes) {
    const end = Math.min(input.length, start + blockBytes)
    const blockEnd = encodeLz4BlockHigh(input, start, end, target, to + 4, level)
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

function frameHeader(blockCode: number): Buffer {
  const header = Buffer.from([0x04, 0x22, 0x4d, 0x18, VERSION_1 | BLOCKS_INDEPENDENT, blockCode << 4, 0])
  header[6] = headerChecksum(header, 6)
  return header
}

/** Of the header that begins the input, up to `end`. */
function headerChecksum(input: Buffer, end: number): number {
  return (xxh32(input, 4, end) >>> 8) & 0xff
}

function blockBytesOf(blockCode: number): number {
  return 1 << (8 + 2 * blockCode)
}

/** Reads the header of the frame and those of its blocks, which must lie within the input. */
function readFrame(input: Buffer): Frame {
  const first = readHeader(input)
  const flags = input[4]!
  const maxBlockBytes = blockBytesOf(input[5]! >>> 4)
  const trailerBytes = (flags & BLOCK_CHECKSUMS) === 0 ? 0 : 4
  let last = first
  let boundBefore = 0
  let boundOfLast = 0
  let at = first
  for (;;) {
    if (input.length - at < 4) throw new CorruptCompressionError('lz4', 'the frame has no end mark')
    if (input.readInt32LE(at) === 0) break
    const bytes = bytesOfBlock(input, at)
    if (bytes > maxBlockBytes) throw new CorruptCompressionError('lz4', `a block of ${bytes} bytes at byte ${at + 4}`)
    if (bytes + trailerBytes > input.length - at - 4)
      throw new CorruptCompressionError('lz4', `the block at byte ${at + 4} is incomplete`)
    boundBefore += boundOfLast
    boundOfLast = isStored(input, at) ? bytes : Math.min(maxBlockBytes, bytes * MAX_RATIO)
    last = at
    at += 4 + bytes + trailerBytes
  }
  const independent = (flags & BLOCKS_INDEPENDENT) !== 0
  return { flags, independent, maxBlockBytes, trailerBytes, first, last, end: at, boundBefore, boundOfLast }
}

/** Where the first block begins. */
function readHeader(input: Buffer): number {
  if (input.length < HEADER_BYTES || input.readUInt32LE(0) !== FRAME_MAGIC)
    throw new CorruptCompressionError('lz4', 'not an LZ4 frame')
  const flags = input[4]!
  const blockCode = input[5]! >>> 4
  if ((flags & VERSION_MASK) !== VERSION_1) throw new CorruptCompressionError('lz4', `frame version ${flags >>> 6}`)
  if ((flags & RESERVED_OR_DICTIONARY) !== 0)
    throw new CorruptCompressionError('lz4', 'a frame with a dictionary or reserved bits')
  if (blockCode < MIN_BLOCK_CODE || blockCode > MAX_BLOCK_CODE)
    throw new CorruptCompressionError('lz4', `block size code ${blockCode}`)
  const end = HEADER_BYTES + ((flags & CONTENT_SIZE) === 0 ? 0 : 8)
  if (input.length < end) throw new CorruptCompressionError('lz4', 'the frame header is incomplete')
  if (input[end - 1] !== headerChecksum(input, end - 1)) throw new CorruptCompressionError('lz4', 'the header checksum is wrong')
  return end
}

function bytesOfBlock(input: Buffer, at: number): number {
  return input.readInt32LE(at) & ~UNCOMPRESSED_BLOCK
}

function isStored(input: Buffer, at: number): boolean {
  return input.readInt32LE(at) < 0
}

function verifyChecksum(bytes: Buffer, start: number, end: number, stated: number, what: string): void {
  if (xxh32(bytes, start, end) !== stated) throw new CorruptCompressionError('lz4', `the ${what} checksum is wrong`)
}
