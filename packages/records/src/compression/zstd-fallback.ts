import { createRequire } from 'node:module'
import { CorruptCompressionError, DecompressionLimitError } from '../errors.ts'
import { MIN_ZSTD_WINDOW_LOG } from '../limits.ts'

interface ZstdStream {
  push(chunk: Uint8Array, final: boolean): void
}
interface Fzstd {
  Decompress: new (onData: (chunk: Uint8Array) => void) => ZstdStream
}

const FRAME_MAGIC = 0xfd2f_b528
const MAX_FRAME_HEADER_BYTES = 18
const require = createRequire(import.meta.url)
let fzstd: Fzstd | undefined

/**
 * Decodes with fzstd, for a Node without zstd. What it would allocate for the window is checked first; its output comes block
 * by block (128 KiB) and is counted. It does not verify the content checksum: a batch has its CRC-32C.
 */
export function decodeZstdInJavaScript(input: Buffer, maxBytes: number): Buffer {
  checkHeader(input, maxBytes)
  fzstd ??= require('fzstd') as Fzstd
  const chunks: Uint8Array[] = []
  let length = 0
  const stream = new fzstd.Decompress((chunk) => {
    length += chunk.length
    if (length > maxBytes) throw new DecompressionLimitError('zstd', input.length, maxBytes)
    chunks.push(chunk)
  })
  try {
    stream.push(input, true)
  } catch (error) {
    if (error instanceof DecompressionLimitError) throw error
    throw new CorruptCompressionError('zstd', (error as Error).message, error)
  }
  return Buffer.concat(chunks, length)
}

/** RFC 8878 section 3.1.1.1: what the frame says about its window and its content. */
function checkHeader(input: Buffer, maxBytes: number): void {
  if (input.length < 6 || input.readUInt32LE(0) !== FRAME_MAGIC) throw new CorruptCompressionError('zstd', 'not a zstd frame')
  const header = Buffer.alloc(MAX_FRAME_HEADER_BYTES)
  input.copy(header, 0, 0, MAX_FRAME_HEADER_BYTES)
  const flags = header[4]!
  const single = (flags & 0x20) !== 0
  const sizeCode = flags >>> 6
  const dictionaryBytes = [0, 1, 2, 4][flags & 3]!
  const at = 5 + (single ? 0 : 1) + dictionaryBytes
  let contentBytes = 0
  if (sizeCode === 0) contentBytes = single ? header[at]! : 0
  else if (sizeCode === 1) contentBytes = header.readUInt16LE(at) + 256
  else if (sizeCode === 2) contentBytes = header.readUInt32LE(at)
  else contentBytes = Number(header.readBigUInt64LE(at))
  if (contentBytes > maxBytes) throw new DecompressionLimitError('zstd', input.length, maxBytes)
  if (single) return
  const windowLog = 10 + (header[5]! >>> 3)
  const windowBytes = 2 ** windowLog + (2 ** windowLog / 8) * (header[5]! & 7)
  if (windowBytes > Math.max(maxBytes, 2 ** MIN_ZSTD_WINDOW_LOG))
    throw new DecompressionLimitError('zstd', input.length, maxBytes)
}
