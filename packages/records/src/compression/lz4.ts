import { ConfigError } from '@millrace/protocol'
import { CorruptCompressionError } from '../errors.ts'
import { OFF_LOOP_BYTES } from '../limits.ts'
import type { Codec } from './codec.ts'
import { decodeLz4Frame, encodeLz4Frame, lz4FrameBound } from './lz4-frame.ts'
import { nativeLz4 } from './natives.ts'

/** Kafka's default: LZ4's fast compressor. Its other levels mean the HC compressor, which lz4-napi does not have. */
const FAST_LEVEL = 9

/** Native to compress; JavaScript to decompress, which is faster than crossing into native code and back (docs/decisions/0003). */
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
  decompress: decodeLz4Frame,
  async decompressAsync(input: Buffer, maxBytes: number): Promise<Buffer> {
    const native = nativeLz4()
    const bound = lz4FrameBound(input)
    // The library takes no limit, so it only gets frames that cannot pass it.
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
