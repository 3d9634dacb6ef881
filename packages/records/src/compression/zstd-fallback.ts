import { createRequire } from 'node:module'
import { CorruptCompressionError, DecompressionLimitError } from '../errors.ts'
import { MIN_ZSTD_WINDOW_LOG } from '../limits.ts'
import { readZstdFrameHeader } from './zstd-frame.ts'

interface ZstdStream {
  push(chunk: Uint8Array, final: boolean): void
}
interface Fzstd {
  Decompress: new (onData: (chunk: Uint8Array) => void) => ZstdStream
}

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

function checkHeader(input: Buffer, maxBytes: number): void {
  const header = readZstdFrameHeader(input)
  if (header === null) throw new CorruptCompressionError('zstd', 'not a zstd frame')
  const windowLimit = Math.max(maxBytes, 2 ** MIN_ZSTD_WINDOW_LOG)
  if ((header.contentBytes ?? 0) > maxBytes || header.windowBytes > windowLimit)
    throw new DecompressionLimitError('zstd', input.length, maxBytes)
}
