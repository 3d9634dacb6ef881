import type { CompressionType } from '../compression-type.ts'

/**
 * Compression and decompression of the records part of a batch, as Kafka's brokers and Java clients write and read it.
 * The async forms give the same result off the event loop, where the library offers it; those that decompress only do so for large work.
 */
export interface Codec {
  readonly type: Exclude<CompressionType, 'none'>
  /** @param level as Kafka's `compression.<type>.level`; undefined for its default */
  compress(input: Buffer, level?: number): Buffer
  compressAsync(input: Buffer, level?: number): Promise<Buffer>
  /** From so many bytes on, `compressAsync` takes less of the event loop than `compress` does; `Infinity` where it takes as much. */
  offLoopBytes(level?: number): number
  /**
   * What it gives is marked (`markOwnMemory`) where nothing else lies in its memory.
   * @param maxBytes more output throws `DecompressionLimitError`, before more than that is allocated
   * @throws CorruptCompressionError when the input is not in the format
   */
  decompress(input: Buffer, maxBytes: number): Buffer
  decompressAsync(input: Buffer, maxBytes: number): Promise<Buffer>
}
