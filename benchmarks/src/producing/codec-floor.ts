import { zstdCompressSync } from 'node:zlib'
import { compressFrameSync } from 'lz4-napi'
import { BATCH_BYTES } from '../limits.ts'
import { chunksOf } from '../load/chunks.ts'
import { median } from '../statistics.ts'
import type { Compression } from '../workload.ts'

const COMPRESS: Readonly<Record<Exclude<Compression, 'none'>, (input: Buffer) => Buffer>> = {
  lz4: compressFrameSync,
  zstd: (input) => zstdCompressSync(input),
}

const WARMUP_RUNS = 10
const RUNS = 31

/** CPU microseconds per message that compressing a full batch of the benchmark's messages takes, and nothing else. */
export function codecMicros(messageBytes: number, compression: Exclude<Compression, 'none'>): number {
  const perBatch = Math.max(1, Math.floor(BATCH_BYTES / messageBytes))
  const batch = Buffer.concat(chunksOf(messageBytes).flat().slice(0, perBatch))
  const micros: number[] = []
  for (let run = -WARMUP_RUNS; run < RUNS; run++) {
    const begin = performance.now()
    COMPRESS[compression](batch)
    if (run >= 0) micros.push(((performance.now() - begin) * 1000) / perBatch)
  }
  return median(micros)
}
