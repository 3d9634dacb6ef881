import type { CompressionType } from '../compression-type.ts'
import type { Codec } from './codec.ts'
import { gzipCodec } from './gzip.ts'
import { lz4Codec } from './lz4.ts'
import { snappyCodec } from './snappy.ts'
import { zstdCodec } from './zstd.ts'

const CODECS: Readonly<Record<Exclude<CompressionType, 'none'>, Codec>> = {
  gzip: gzipCodec,
  snappy: snappyCodec,
  lz4: lz4Codec,
  zstd: zstdCodec,
}

/** The codec of a compression type. Its native library, if it has one, loads when it is first used. */
export function codecOf(type: Exclude<CompressionType, 'none'>): Codec {
  return CODECS[type]
}
