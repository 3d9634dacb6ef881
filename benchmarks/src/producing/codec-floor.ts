import { codecOf } from '@millrace/records/internal'
import { chunksOf } from '../load/chunks.ts'
import { median } from '../statistics.ts'
import type { Compression } from '../workload.ts'

type Codec = Exclude<Compression, 'none'>

const MAX_BYTES = 64 * 1024 * 1024
/** Until what is compiled as it runs is at its best. */
const WARMUP_MS = 200
const RUNS = 31

/** CPU microseconds per message that our codec takes to compress a full batch of the benchmark's messages, and nothing else. */
export function compressMicros(messageBytes: number, codec: Codec, batchBytes: number): number {
  const batch = batchOf(messageBytes, batchBytes)
  return micros(() => codecOf(codec).compress(batch.bytes), batch.messages)
}

/** The same for decompressing what compresses to a full batch. */
export function decompressMicros(messageBytes: number, codec: Codec, batchBytes: number): number {
  const plain = batchOf(messageBytes, batchBytes)
  const ratio = plain.bytes.length / codecOf(codec).compress(plain.bytes).length
  const batch = batchOf(messageBytes, batchBytes * ratio)
  const packed = codecOf(codec).compress(batch.bytes)
  return micros(() => codecOf(codec).decompress(packed, MAX_BYTES), batch.messages)
}

function batchOf(messageBytes: number, batchBytes: number): { readonly bytes: Buffer; readonly messages: number } {
  const messages = Math.max(1, Math.floor(batchBytes / messageBytes))
  return { bytes: Buffer.concat(chunksOf(messageBytes).flat().slice(0, messages)), messages }
}

function micros(convert: () => Buffer, messages: number): number {
  const warm = performance.now() + WARMUP_MS
  while (performance.now() < warm) convert()
  const times: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const begin = performance.now()
    convert()
    times.push(((performance.now() - begin) * 1000) / messages)
  }
  return median(times)
}
