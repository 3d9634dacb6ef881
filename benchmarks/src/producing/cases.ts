import type { Compression } from '../workload.ts'

/** One row of the producer's benchmark. */
export interface Case {
  /** As `--cases` takes it: `100-lz4-1`. */
  readonly name: string
  readonly messageBytes: number
  readonly compression: Compression
  readonly partitions: number
}

const SIZES = [100, 1024, 10_240]
const COMPRESSIONS: readonly Compression[] = ['none', 'lz4', 'zstd']
const PARTITIONS = [1, 100]

export const CASES: readonly Case[] = SIZES.flatMap((messageBytes) =>
  COMPRESSIONS.flatMap((compression) =>
    PARTITIONS.map((partitions) => ({
      name: `${messageBytes}-${compression}-${partitions}`,
      messageBytes,
      compression,
      partitions,
    })),
  ),
)

/** 1024 as `1 KiB`, 100 as `100 B`. */
export function sizeText(bytes: number): string {
  return bytes >= 1024 ? `${bytes / 1024} KiB` : `${bytes} B`
}

/** `100 B, lz4, 1 partition`. */
export function caseText({ messageBytes, compression, partitions }: Case): string {
  return `${sizeText(messageBytes)}, ${compression}, ${partitions} partition${partitions === 1 ? '' : 's'}`
}
