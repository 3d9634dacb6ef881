// zstd through contexts that are used again beside one for each call, by size: node --conditions=@millrace/source benchmarks/src/codec/zstd-contexts.ts
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { codecOf } from '@millrace/records/internal'
import { median } from '../statistics.ts'
import { digits, markdownTable, type Row } from '../table.ts'
import { jsonRecords } from './json-records.ts'

const SIZES: readonly number[] = [1, 4, 16, 64, 256, 1024].map((kib) => kib * 1024)
const ROUNDS = 9
const BYTES_PER_ROUND = 16 * 1024 * 1024
const MAX_BYTES = 16 * 1024 * 1024

/** CPU in µs per call, of all threads. */
function measure(run: () => unknown, count: number): number {
  const cpu = process.cpuUsage()
  for (let index = 0; index < count; index++) run()
  const { user, system } = process.cpuUsage(cpu)
  return (user + system) / count
}

function rowOf(size: number): Row {
  const plain = jsonRecords(size)
  const packed = zstdCompressSync(plain)
  const zstd = codecOf('zstd')
  const ways = [
    () => zstdDecompressSync(packed),
    () => zstd.decompress(packed, MAX_BYTES),
    () => zstdCompressSync(plain),
    () => zstd.compress(plain),
  ]
  const count = Math.max(12, Math.min(2_000, Math.floor(BYTES_PER_ROUND / size)))
  const samples = ways.map((): number[] => [])
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [index, way] of ways.entries()) samples[index]!.push(measure(way, count))
  }
  return [`${size / 1024} KiB`, ...samples.map((of) => digits(median(of.slice(1))))]
}

const HEAD = ['plain', 'decompress, one each', 'decompress, kept', 'compress, one each', 'compress, kept']
process.stdout.write(`${markdownTable(HEAD, SIZES.map(rowOf))}\n`)
