import { ConfigError } from '@millrace/protocol'
import { markOwnMemory, markUnpooled } from '@millrace/protocol/internal'
import { CorruptCompressionError, DecompressionLimitError } from '../errors.ts'
import { NATIVE_SNAPPY_BYTES, OFF_LOOP_BYTES, SNAPPY_OFF_LOOP_BYTES } from '../limits.ts'
import type { Codec } from './codec.ts'
import { nativeSnappy, SNAPPY_OPTIONS } from './natives.ts'
import { decodeSnappyElements, encodeSnappyBlock, readSnappyLength, snappyBlockBound } from './snappy-block.ts'

/** The framing of xerial's snappy-java, which Kafka uses: magic, version, least compatible version, then sized blocks. */
const XERIAL_MAGIC: Buffer = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEADER: Buffer = Buffer.concat([XERIAL_MAGIC, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])])
/** As SnappyOutputStream's default. */
const BLOCK_BYTES = 32 * 1024

/** One block: its elements in the input, and the room that it takes in the output. */
interface Block {
  readonly start: number
  readonly elements: number
  readonly end: number
  readonly length: number
}

export const snappyCodec: Codec = {
  type: 'snappy',
  compress(input: Buffer, level?: number): Buffer {
    checkLevel(level)
    const native = nativeSnappy()
    if (native === null) return encodeInJavaScript(input)
    return joinBlocks(splitInput(input).map((part) => native.compressSync(part, SNAPPY_OPTIONS)))
  },
  async compressAsync(input: Buffer, level?: number): Promise<Buffer> {
    const native = nativeSnappy()
    if (native === null) return this.compress(input, level)
    checkLevel(level)
    return joinBlocks(await Promise.all(splitInput(input).map((part) => native.compress(part, SNAPPY_OPTIONS))))
  },
  offLoopBytes: () => (nativeSnappy() === null ? Infinity : SNAPPY_OFF_LOOP_BYTES),
  decompress(input: Buffer, maxBytes: number): Buffer {
    const blocks = findBlocks(input, maxBytes)
    const native = input.length < NATIVE_SNAPPY_BYTES ? null : nativeSnappy()
    if (native === null) return decodeInJavaScript(input, blocks)
    const parts = blocks.map((block) => {
      try {
        return native.uncompressSync(input.subarray(block.start, block.end), SNAPPY_OPTIONS)
      } catch (error) {
        throw corruptBlock(block, error)
      }
    })
    return join(parts, blocks)
  },
  async decompressAsync(input: Buffer, maxBytes: number): Promise<Buffer> {
    const blocks = findBlocks(input, maxBytes)
    const native = nativeSnappy()
    if (native === null || totalLength(blocks) < OFF_LOOP_BYTES) return this.decompress(input, maxBytes)
    const parts = await Promise.all(
      blocks.map(async (block) => {
        try {
          return await native.uncompress(input.subarray(block.start, block.end), SNAPPY_OPTIONS)
        } catch (error) {
          throw corruptBlock(block, error)
        }
      }),
    )
    return join(parts, blocks)
  },
}

function decodeInJavaScript(input: Buffer, blocks: readonly Block[]): Buffer {
  const output = markOwnMemory(Buffer.allocUnsafeSlow(totalLength(blocks)))
  let to = 0
  for (const block of blocks) {
    if (!decodeSnappyElements(input, block.elements, block.end, output, to, to + block.length)) throw corruptBlock(block)
    to += block.length
  }
  return output
}

function join(parts: readonly Buffer[], blocks: readonly Block[]): Buffer {
  if (parts.length === 1) return markOwnMemory(parts[0]!)
  const length = totalLength(blocks)
  return markUnpooled(Buffer.concat(parts, length), length)
}

/** Reads the framing and the lengths that the blocks state, before anything is allocated. Input without framing is one block. */
function findBlocks(input: Buffer, maxBytes: number): Block[] {
  const blocks: Block[] = []
  let total = 0
  const framed = input.length >= XERIAL_HEADER.length && input.compare(XERIAL_MAGIC, 0, 8, 0, 8) === 0
  for (let at = framed ? XERIAL_HEADER.length : 0; at < input.length;) {
    if (framed && input.length - at < 4) throw new CorruptCompressionError('snappy', `the block size at byte ${at} is incomplete`)
    const start = framed ? at + 4 : at
    const size = framed ? input.readInt32BE(at) : input.length
    if (size <= 0 || size > input.length - start)
      throw new CorruptCompressionError('snappy', `a block of ${size} bytes at byte ${at}`)
    const stated = readSnappyLength(input, start, start + size)
    if (stated === null) throw new CorruptCompressionError('snappy', `the block at byte ${at} states an impossible length`)
    total += stated.length
    if (total > maxBytes) throw new DecompressionLimitError('snappy', input.length, maxBytes)
    blocks.push({ start, elements: stated.position, end: start + size, length: stated.length })
    at = start + size
  }
  if (!framed && blocks.length === 0) throw new CorruptCompressionError('snappy', 'no bytes')
  return blocks
}

function totalLength(blocks: readonly Block[]): number {
  return blocks.reduce((sum, block) => sum + block.length, 0)
}

function splitInput(input: Buffer): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0; at < input.length; at += BLOCK_BYTES) parts.push(input.subarray(at, at + BLOCK_BYTES))
  return parts
}

function joinBlocks(blocks: readonly Buffer[]): Buffer {
  const size = blocks.reduce((sum, block) => sum + 4 + block.length, XERIAL_HEADER.length)
  const output = Buffer.allocUnsafeSlow(size)
  let to = XERIAL_HEADER.copy(output)
  for (const block of blocks) {
    output.writeInt32BE(block.length, to)
    to += 4 + block.copy(output, to + 4)
  }
  return output
}

function encodeInJavaScript(input: Buffer): Buffer {
  const blocks = Math.ceil(input.length / BLOCK_BYTES)
  const output = Buffer.allocUnsafeSlow(XERIAL_HEADER.length + blocks * (4 + snappyBlockBound(BLOCK_BYTES)))
  let to = XERIAL_HEADER.copy(output)
  for (let at = 0; at < input.length; at += BLOCK_BYTES) {
    const end = encodeSnappyBlock(input, at, Math.min(input.length, at + BLOCK_BYTES), output, to + 4)
    output.writeInt32BE(end - to - 4, to)
    to = end
  }
  return output.subarray(0, to)
}

function corruptBlock(block: Block, cause?: unknown): CorruptCompressionError {
  return new CorruptCompressionError('snappy', `the block at byte ${block.start} is not a snappy block`, cause)
}

function checkLevel(level: number | undefined): void {
  if (level !== undefined) throw new ConfigError('compressionLevel', level, 'no level, for snappy')
}
