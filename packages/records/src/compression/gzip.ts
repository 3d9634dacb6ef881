import { promisify } from 'node:util'
import { constants, gunzip, gunzipSync, gzip, gzipSync, type ZlibOptions } from 'node:zlib'
import { ConfigError } from '@millrace/protocol'
import { GZIP_OFF_LOOP_BYTES, OFF_LOOP_BYTES } from '../limits.ts'
import type { Codec } from './codec.ts'
import { markOutput, outputChunkBytes, packedChunkBytes, wrapZlibError } from './zlib-errors.ts'

const gzipAsync = promisify<Buffer, ZlibOptions, Buffer>(gzip)
const gunzipAsync = promisify<Buffer, ZlibOptions, Buffer>(gunzip)

export const gzipCodec: Codec = {
  type: 'gzip',
  compress(input: Buffer, level?: number): Buffer {
    return gzipSync(input, { level: checkLevel(level) })
  },
  async compressAsync(input: Buffer, level?: number): Promise<Buffer> {
    return gzipAsync(input, { level: checkLevel(level), chunkSize: packedChunkBytes(input.length) })
  },
  offLoopBytes: () => GZIP_OFF_LOOP_BYTES,
  decompress(input: Buffer, maxBytes: number): Buffer {
    try {
      const options = readOptions(input, maxBytes)
      return markOutput(gunzipSync(input, options), options.chunkSize)
    } catch (error) {
      throw wrapZlibError('gzip', error, input.length, maxBytes)
    }
  },
  async decompressAsync(input: Buffer, maxBytes: number): Promise<Buffer> {
    if (statedSize(input) < OFF_LOOP_BYTES && input.length < OFF_LOOP_BYTES) return this.decompress(input, maxBytes)
    try {
      return await gunzipAsync(input, readOptions(input, maxBytes))
    } catch (error) {
      throw wrapZlibError('gzip', error, input.length, maxBytes)
    }
  },
}

function readOptions(input: Buffer, maxBytes: number): ZlibOptions & { readonly chunkSize: number } {
  return { maxOutputLength: maxBytes, chunkSize: outputChunkBytes(input.length, maxBytes) }
}

/** The last four bytes of a member hold its size modulo 2^32. A hint only. */
function statedSize(input: Buffer): number {
  return input.length < 4 ? 0 : input.readUInt32LE(input.length - 4)
}

function checkLevel(level: number | undefined): number {
  if (level === undefined) return constants.Z_DEFAULT_COMPRESSION
  if (Number.isInteger(level) && level >= -1 && level <= 9 && level !== 0) return level
  throw new ConfigError('compressionLevel', level, '-1 (the default of zlib) or 1 to 9, for gzip')
}
