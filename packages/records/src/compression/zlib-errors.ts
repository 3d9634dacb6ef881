import { CorruptCompressionError, DecompressionLimitError } from '../errors.ts'
import { MAX_OUTPUT_CHUNK_BYTES, MIN_OUTPUT_CHUNK_BYTES, TYPICAL_RATIO } from '../limits.ts'
import type { KafkaError } from '@millrace/protocol'
import { markUnpooled } from '@millrace/protocol/internal'

/** The unit in which zlib grows its output: a guess that one is enough. */
export function outputChunkBytes(inputBytes: number, maxBytes: number): number {
  const guess = Math.max(MIN_OUTPUT_CHUNK_BYTES, Math.min(inputBytes * TYPICAL_RATIO, MAX_OUTPUT_CHUNK_BYTES))
  return Math.max(64, Math.min(guess, maxBytes + 1)) // 64 is the least that zlib allows
}

/** The same for compression: off the loop, every further unit of output is another trip there and back. */
export function packedChunkBytes(inputBytes: number): number {
  return Math.max(MIN_OUTPUT_CHUNK_BYTES, Math.min(inputBytes >> 1, MAX_OUTPUT_CHUNK_BYTES))
}

/** What zlib gave, marked if Node's pool cannot have served it: one unit of its output, or several joined. */
export function markOutput(output: Buffer, chunkBytes: number): Buffer {
  return markUnpooled(output, Math.max(chunkBytes, output.length))
}

/** What node:zlib throws, as an error of ours. */
export function wrapZlibError(codec: string, error: unknown, inputBytes: number, maxBytes: number): KafkaError {
  if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
    return new DecompressionLimitError(codec, inputBytes, maxBytes)
  return new CorruptCompressionError(codec, (error as Error).message, error)
}
