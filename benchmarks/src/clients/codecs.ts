import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import * as lz4 from 'lz4-napi'

/** LZ4 frames and Zstandard for clients that bring no codec of their own but a door for one: the same libraries as Millrace's. */
export const lz4Library: {
  readonly compressFrame: (data: Buffer | Uint8Array | string) => Promise<Buffer>
  readonly decompressFrame: (data: Buffer | Uint8Array | string) => Promise<Buffer>
} = lz4

export const zstdLibrary: {
  readonly compress: (data: Buffer) => Promise<Buffer>
  readonly decompress: (data: Buffer) => Promise<Buffer>
} = { compress: promisify(zstdCompress), decompress: promisify(zstdDecompress) }
