import { ConfigError } from '@millrace/protocol'
import { CorruptCompressionError } from '../errors.ts'
import { MAX_NATIVE_LZ4_BYTES, MIN_NATIVE_LZ4_BYTES, OFF_LOOP_BYTES } from '../limits.ts'
import type { Codec } from './codec.ts'
import { decodeLz4Frame, encodeLz4Frame, lz4FrameBound } from './lz4-frame.ts'
import { nativeLz4 } from './natives.ts'

/** Kafka's default: LZ4's fast compressor. Its other levels mean the HC compressor, which lz4-napi does not have. */
const FAST_LEVEL = 9

export const lz4Codec: Codec = {
  type: 'lz4',
  compress(input: Buffer, level?: number): Buffer {
    checkLevel(level)
    const native = nativeLz4()
    return native === null ? encodeLz4Frame(input) : native.compressFrameSync(input)
  },
  async compressAsync(input: Buffer, level?: number): Promise<Buffer> {
    const native = nativeLz4()
    if (native === null || input.length < OFF_LOOP_BYTES) return this.compress(input, level)
    checkLevel(level)
    return native.compressFrame(input)
  },
  decompress(input: Buffer, maxBytes: number): Buffer {
    // What the library gives back lies outside V8's heap: dear for little, and for much (docs/decisions/0003).
    const worthIt = input.length >= MIN_NATIVE_LZ4_BYTES && input.length <= MAX_NATIVE_LZ4_BYTES
    const native = worthIt ? nativeLz4() : null
    // It takes no limit either, so it only gets frames that cannot pass ours.
    if (native === null || lz4FrameBound(input) > maxBytes) return decodeLz4Frame(input, maxBytes)
    try {
      return native.decompressFrameSync(input)
    } catch (error) {
      throw new CorruptCompressionError('lz4', (error as Error).message, error)
    }
  },
  async decompressAsync(input: Buffer, maxBytes: number): Promise<Buffer> {
    const native = nativeLz4()
    const bound = lz4FrameBound(input)
    if (native === null || bound < OFF_LOOP_BYTES || bound > maxBytes) return decodeLz4Frame(input, maxBytes)
    try {
      return await native.decompressFrame(input)
    } catch (error) {
      throw new CorruptCompressionError('lz4', (error as Error).message, error)
    }
  },
}

function checkLevel(level: number | undefined): void {
  if (level !== undefined && level !== FAST_LEVEL) {
    throw new ConfigError('compressionLevel', level, `${FAST_LEVEL}, the one level of lz4 that is supported`)
  }
}
