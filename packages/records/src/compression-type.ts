/** Kafka's `compression.type` names. */
export type CompressionType = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** Indexed by the three low bits of a batch's attributes (CompressionType.java). */
export const COMPRESSION_TYPES: readonly CompressionType[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** The bits for the attributes of a batch. */
export function compressionBits(type: CompressionType): number {
  return COMPRESSION_TYPES.indexOf(type)
}
