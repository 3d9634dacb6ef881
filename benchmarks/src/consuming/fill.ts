import { join } from 'node:path'
import { CHUNK_BYTES, CHUNK_MESSAGES, FILL_LIMIT_MS } from '../limits.ts'
import { payload, randomOf } from '../payload.ts'
import type { Compression } from '../workload.ts'
import { runReporting } from './container.ts'

/** What a topic is to hold. */
export interface FillPlan {
  readonly bootstrapServers: string
  readonly topic: string
  readonly partitions: number
  readonly batchBytes: number
  /** `plain`: values of 100 B, neither keys nor compression. `mixed`: see `mixedPieces`. */
  readonly contents: 'plain' | 'mixed'
  /** Of all values together. */
  readonly valueBytes: number
}

export interface Filled {
  messages: number
  valueBytes: number
}

/** One call of a producer. */
export interface Piece {
  readonly compression: Compression
  readonly records: ReadonlyArray<{ readonly partition: number; readonly key?: string; readonly value: Buffer }>
  readonly valueBytes: number
}

/** Where the generator of sizes begins: every run fills alike. */
const SEED = 20_261_122
const PLAIN_BYTES = 100
const SMALLEST_BYTES = 100
const LARGEST_BYTES = 100 * 1024
/** Different values, and different keys of a partition. */
const VALUES = 512
const KEYS = 1_000
/** One piece in so many of a compressed partition is as good as nothing when it is compressed. */
const HOLLOW_EVERY = 8
/** Values per partition by compression, so that each stores about the same (LZ4 2 : 1, Zstandard 3 : 1). */
const SHARES: ReadonlyArray<readonly [Compression, number]> = [
  ['none', 1],
  ['lz4', 2],
  ['zstd', 3],
]
const ALL_SHARES = 6

/** Fills the topic in a process of its own, so that its memory and CPU are nobody else's. */
export async function fillTopic(plan: FillPlan): Promise<Filled> {
  const command = [process.execPath, ...process.execArgv, join(import.meta.dirname, 'fill-worker.ts'), JSON.stringify(plan)]
  const { last, exitCode, stderr } = await runReporting<Filled>(command, FILL_LIMIT_MS)
  if (last === null || exitCode !== 0) throw new Error(`the topic ${plan.topic} could not be filled: ${stderr}`)
  return last
}

export function fillPieces(plan: FillPlan): Iterator<Piece> & Iterable<Piece> {
  return plan.contents === 'plain' ? plainPieces(plan) : mixedPieces(plan)
}

function* plainPieces({ partitions, valueBytes }: FillPlan): Generator<Piece, undefined> {
  const values = payload(CHUNK_MESSAGES, PLAIN_BYTES)
  const perPartition = Array.from({ length: partitions }, (_, partition) => values.map((value) => ({ partition, value })))
  const pieceBytes = CHUNK_MESSAGES * PLAIN_BYTES
  for (let filled = 0, next = 0; filled < valueBytes; filled += pieceBytes, next++)
    yield { compression: 'none', records: perPartition[next % partitions]!, valueBytes: pieceBytes }
}

/**
 * Values from 100 B to 100 KiB, as many of 1 to 10 KiB as of 10 to 100 KiB, each with one of a thousand keys. A third of the partitions has no compression, a third LZ4
 * and a third Zstandard, and of what is compressed an eighth is one byte over and over, so that it takes next to no room in the log.
 */
function* mixedPieces({ partitions, valueBytes }: FillPlan): Generator<Piece, undefined> {
  const random = randomOf(SEED)
  const values = Array.from({ length: VALUES }, () => payload(1, sizeBy(random()), Math.floor(random() * 2 ** 32))[0]!)
  const hollow = Buffer.alloc(LARGEST_BYTES, 'a')
  const limits = Array.from({ length: partitions }, (_, partition) => partitionBytes(partition, partitions, valueBytes))
  const filled = new Float64Array(partitions)
  for (let round = 0, isLeft = true; isLeft; round++) {
    isLeft = false
    for (let partition = 0; partition < partitions; partition++) {
      if (filled[partition]! >= limits[partition]!) continue
      isLeft = true
      const [compression] = SHARES[partition % SHARES.length]!
      const isHollow = compression !== 'none' && round % HOLLOW_EVERY === 0
      const records: Array<{ partition: number; key: string; value: Buffer }> = []
      let bytes = 0
      while (bytes < CHUNK_BYTES) {
        const value = isHollow ? hollow : values[Math.floor(random() * VALUES)]!
        records.push({ partition, key: `key-${Math.floor(random() * KEYS)}`, value })
        bytes += value.length
      }
      filled[partition]! += bytes
      yield { compression, records, valueBytes: bytes }
    }
  }
}

function partitionBytes(partition: number, partitions: number, valueBytes: number): number {
  return (SHARES[partition % SHARES.length]![1] / ALL_SHARES) * valueBytes * (SHARES.length / partitions)
}

/** As many of each order of magnitude. */
function sizeBy(random: number): number {
  return Math.round(SMALLEST_BYTES * (LARGEST_BYTES / SMALLEST_BYTES) ** random)
}
