import type { CompressionType } from '../compression-type.ts'

/**
 * Compression and decompression of the records part of a batch, as Kafka's brokers and Java clients write and read it.
 * The async forms leave the event loop for large work where the library offers it; the result is the same.
 */
export interface Codec {
  readonly type: Exclude<CompressionType, 'none'>
  /** @param level as Kafka's `compression.<type>.level`; undefined for its default */
  compress(input: Buffer, level?: number): Buffer
  compressAsync(input: Buffer, level?: number): Promise<Buffer>
  /**
   * @param maxBytes more output throws `DecompressionLimitError`, before more than that is allocated
   * @throws CorruptCompressionError when the input is not in the format
   */
  decompress(input: Buffer, maxBytes: number): Buffer
  decompressAsync(input: Buffer, maxBytes: number): Promise<Buffer>
}
