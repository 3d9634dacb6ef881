import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { compressFrameSync, decompressFrameSync } from 'lz4-napi'
import { chunksOf } from '../load/chunks.ts'
import { median } from '../statistics.ts'
import type { Compression } from '../workload.ts'

type Codec = Exclude<Compression, 'none'>
type Convert = (input: Buffer) => Buffer

const COMPRESS: Readonly<Record<Codec, Convert>> = { lz4: compressFrameSync, zstd: (input) => zstdCompressSync(input) }
const DECOMPRESS: Readonly<Record<Codec, Convert>> = { lz4: decompressFrameSync, zstd: (input) => zstdDecompressSync(input) }

const WARMUP_RUNS = 10
const RUNS = 31

/** CPU microseconds per message that compressing a full batch of the benchmark's messages takes, and nothing else. */
export function compressMicros(messageBytes: number, codec: Codec, batchBytes: number): number {
  const batch = batchOf(messageBytes, batchBytes)
  return micros(COMPRESS[codec], batch.bytes, batch.messages)
}

/** The same for decompressing what compresses to a full batch. */
export function decompressMicros(messageBytes: number, codec: Codec, batchBytes: number): number {
  const plain = batchOf(messageBytes, batchBytes)
  const ratio = plain.bytes.length / COMPRESS[codec](plain.bytes).length
  const batch = batchOf(messageBytes, batchBytes * ratio)
  return micros(DECOMPRESS[codec], COMPRESS[codec](batch.bytes), batch.messages)
}

function batchOf(messageBytes: number, batchBytes: number): { readonly bytes: Buffer; readonly messages: number } {
  const messages = Math.max(1, Math.floor(batchBytes / messageBytes))
  return { bytes: Buffer.concat(chunksOf(messageBytes).flat().slice(0, messages)), messages }
}

function micros(convert: Convert, input: Buffer, messages: number): number {
  const times: number[] = []
  for (let run = -WARMUP_RUNS; run < RUNS; run++) {
    const begin = performance.now()
    convert(input)
    if (run >= 0) times.push(((performance.now() - begin) * 1000) / messages)
  }
  return median(times)
}
