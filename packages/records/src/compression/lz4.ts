import { ConfigError } from '@millrace/protocol'
import { CorruptCompressionError } from '../errors.ts'
import { LZ4_DECODE_OFF_LOOP_BYTES, LZ4_OFF_LOOP_BYTES, TYPICAL_RATIO } from '../limits.ts'
import type { Codec } from './codec.ts'
import { decodeLz4Frame, encodeLz4Frame, encodeLz4FrameHigh, lz4FrameBound } from './lz4-frame.ts'
import { nativeLz4 } from './natives.ts'

/** Kafka's default, and LZ4's fast compressor; every other level is high compression (Lz4BlockOutputStream.java), which lz4-napi lacks. */
const FAST_LEVEL = 9
const MIN_LEVEL = 1
const MAX_LEVEL = 17

export const lz4Codec: Codec = {
  type: 'lz4',
  compress(input: Buffer, level: number = FAST_LEVEL): Buffer {
    checkLevel(level)
    return level === FAST_LEVEL ? encodeLz4Frame(input) : encodeLz4FrameHigh(input, level)
  },
  async compressAsync(input: Buffer, level: number = FAST_LEVEL): Promise<Buffer> {
    const native = nativeLz4()
    if (native === null || level !== FAST_LEVEL) return this.compress(input, level)
    return native.compressFrame(input)
  },
  offLoopBytes: (level: number = FAST_LEVEL) => (level !== FAST_LEVEL || nativeLz4() === null ? Infinity : LZ4_OFF_LOOP_BYTES),
  decompress(input: Buffer, maxBytes: number): Buffer {
    return decodeLz4Frame(input, maxBytes)
  },
  async decompressAsync(input: Buffer, maxBytes: number): Promise<Buffer> {
    if (input.length * TYPICAL_RATIO < LZ4_DECODE_OFF_LOOP_BYTES) return this.decompress(input, maxBytes)
    const native = nativeLz4()
    // It takes no limit, so it only gets frames that cannot pass ours.
    if (native === null || lz4FrameBound(input) > maxBytes) return decodeLz4Frame(input, maxBytes)
    try {
      return await native.decompressFrame(input)
    } catch (error) {
      throw new CorruptCompressionError('lz4', (error as Error).message, error)
    }
  },
}

function checkLevel(level: number): void {
  if (Number.isInteger(level) && level >= MIN_LEVEL && level <= MAX_LEVEL) return
  throw new ConfigError('compressionLevel', level, `an integer from ${MIN_LEVEL} to ${MAX_LEVEL}, for lz4`)
}
