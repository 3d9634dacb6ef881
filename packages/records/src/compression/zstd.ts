import { promisify } from 'node:util'
import * as zlib from 'node:zlib'
import { ConfigError } from '@millrace/protocol'
import { CorruptCompressionError, DecompressionLimitError, UnsupportedCompressionError } from '../errors.ts'
import {
  MAX_ZSTD_WINDOW_LOG,
  MIN_ZSTD_WINDOW_LOG,
  OFF_LOOP_BYTES,
  TYPICAL_RATIO,
  ZSTD_OFF_LOOP_BYTES,
  ZSTD_SLOW_LEVEL,
  ZSTD_SLOW_OFF_LOOP_BYTES,
  ZSTD_SLOWEST_LEVEL,
  ZSTD_SLOWEST_OFF_LOOP_BYTES,
} from '../limits.ts'
import type { Codec } from './codec.ts'
import { nativeAllowed } from './natives.ts'
import { markOutput, outputChunkBytes, packedChunkBytes, wrapZlibError } from './zlib-errors.ts'
import { compressInKeptContext, decompressInKeptContext } from './zstd-contexts.ts'
import { decodeZstdInJavaScript } from './zstd-fallback.ts'
import { readZstdFrame, splitZstdFrames, type ZstdFrame } from './zstd-frame.ts'

/** Java's default of `compression.zstd.level`. */
const DEFAULT_LEVEL = 3
const MIN_LEVEL = -131_072
const MAX_LEVEL = 22

/** @types/node 24.10 does not know this option yet. */
interface PledgedOptions extends zlib.ZstdOptions {
  readonly pledgedSrcSize: number
}

/** node:zlib has zstd from 22.15 and 23.8 on. */
export const zstdCodec: Codec = {
  type: 'zstd',
  compress(input: Buffer, level: number = DEFAULT_LEVEL): Buffer {
    checkLevel(level)
    requireZstd()
    return compressInKeptContext(input, level) ?? zlib.zstdCompressSync(input, writeOptions(level))
  },
  async compressAsync(input: Buffer, level: number = DEFAULT_LEVEL): Promise<Buffer> {
    checkLevel(level)
    requireZstd()
    // The one-shot form states the size of its content by itself; readers that have it need not guess.
    const pledged: PledgedOptions = {
      ...writeOptions(level),
      pledgedSrcSize: input.length,
      chunkSize: packedChunkBytes(input.length),
    }
    return promisify<Buffer, zlib.ZstdOptions, Buffer>(zlib.zstdCompress)(input, pledged)
  },
  offLoopBytes(level: number = DEFAULT_LEVEL): number {
    if (level >= ZSTD_SLOWEST_LEVEL) return ZSTD_SLOWEST_OFF_LOOP_BYTES
    return level >= ZSTD_SLOW_LEVEL ? ZSTD_SLOW_OFF_LOOP_BYTES : ZSTD_OFF_LOOP_BYTES
  },
  decompress(input: Buffer, maxBytes: number): Buffer {
    const frame = readZstdFrame(input)
    if (frame?.bytes === input.length) return decompressFrame(input, frame, maxBytes)
    const parts: Buffer[] = []
    let room = maxBytes
    for (const part of splitZstdFrames(input)) {
      const output = decompressFrame(part, readZstdFrame(part), room)
      room = roomAfter(output, input, room)
      parts.push(output)
    }
    return onlyOrJoined(parts, input)
  },
  async decompressAsync(input: Buffer, maxBytes: number): Promise<Buffer> {
    if (!hasZstd() || input.length * TYPICAL_RATIO < OFF_LOOP_BYTES) return this.decompress(input, maxBytes)
    const parts: Buffer[] = []
    let room = maxBytes
    for (const part of splitZstdFrames(input)) {
      const output = await decompressFrameAsync(part, room)
      room = roomAfter(output, input, room)
      parts.push(output)
    }
    return onlyOrJoined(parts, input)
  },
}

function decompressFrame(input: Buffer, frame: ZstdFrame | null, maxBytes: number): Buffer {
  if (!hasZstd()) return decodeZstdInJavaScript(input, maxBytes)
  const kept = frame === null ? null : decompressInKeptContext(input, frame, maxBytes)
  if (kept !== null) return kept
  const options = readOptions(input, maxBytes)
  try {
    return markOutput(zlib.zstdDecompressSync(input, options), options.chunkSize)
  } catch (error) {
    throw wrapZlibError('zstd', error, input.length, maxBytes)
  }
}

async function decompressFrameAsync(input: Buffer, maxBytes: number): Promise<Buffer> {
  try {
    return await promisify<Buffer, zlib.ZstdOptions, Buffer>(zlib.zstdDecompress)(input, readOptions(input, maxBytes))
  } catch (error) {
    throw wrapZlibError('zstd', error, input.length, maxBytes)
  }
}

/** node:zlib knows no limit of 0, which is what the frames before it may leave. */
function roomAfter(output: Buffer, input: Buffer, room: number): number {
  if (output.length > room) throw new DecompressionLimitError('zstd', input.length, room)
  return room - output.length
}

/** @throws {CorruptCompressionError} where there is no frame at all */
function onlyOrJoined(parts: readonly Buffer[], input: Buffer): Buffer {
  if (parts.length === 0) throw new CorruptCompressionError('zstd', `no frame in ${input.length} bytes`)
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

function hasZstd(): boolean {
  return nativeAllowed() && typeof zlib.zstdDecompressSync === 'function'
}

function requireZstd(): void {
  if (!hasZstd()) throw new UnsupportedCompressionError('zstd: this Node cannot compress with it; it takes 22.15, 23.8 or later')
}

function readOptions(input: Buffer, maxBytes: number): zlib.ZstdOptions & { readonly chunkSize: number } {
  const windowLog = Math.min(MAX_ZSTD_WINDOW_LOG, Math.max(MIN_ZSTD_WINDOW_LOG, Math.ceil(Math.log2(maxBytes))))
  return {
    maxOutputLength: Math.max(1, maxBytes),
    chunkSize: outputChunkBytes(input.length, maxBytes),
    params: { [zlib.constants.ZSTD_d_windowLogMax]: windowLog },
  }
}

function writeOptions(level: number): zlib.ZstdOptions {
  return { params: { [zlib.constants.ZSTD_c_compressionLevel]: level } }
}

function checkLevel(level: number): void {
  if (Number.isInteger(level) && level >= MIN_LEVEL && level <= MAX_LEVEL) return
  throw new ConfigError('compressionLevel', level, `an integer from ${MIN_LEVEL} to ${MAX_LEVEL}, for zstd`)
}
