import { RecordBatch, lastOffset, maxTimestamp, partitionLeaderEpoch } from '@millrace/records/internal'
import { DECOMPRESSED_BATCH_BYTES_MAX } from '../limits.ts'
import { BatchScanner } from './batch-scanner.ts'
import type { Segment } from './segment.ts'

export interface TimestampedOffset {
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

/** The first record in `[from, to)` whose timestamp is at least `timestamp`: `LogSegment.findOffsetByTimestamp`. */
export function findTimestamp(
  segments: readonly Segment[],
  timestamp: number,
  from: number,
  to: number,
): TimestampedOffset | null {
  for (const segment of segments) {
    if (segment.maxTimestamp < timestamp) continue
    const found = findInSegment(segment, timestamp, from, to)
    if (found !== null) return found
  }
  return null
}

/** The first record in `[from, to)` that has the largest timestamp of all. */
export function findMaxTimestamp(segments: readonly Segment[], from: number, to: number): TimestampedOffset | null {
  let newest: Segment | null = null
  for (const segment of segments) {
    if (segment.maxTimestamp > (newest?.maxTimestamp ?? -1)) newest = segment
  }
  return newest === null ? null : findInSegment(newest, newest.maxTimestamp, from, to)
}

function findInSegment(segment: Segment, timestamp: number, from: number, to: number): TimestampedOffset | null {
  const start = segment.positionBefore(Math.max(segment.offsetBefore(timestamp), from))
  const scanner = new BatchScanner(segment.file, start)
  while (scanner.next()) {
    if (maxTimestamp(scanner.buffer, scanner.at) < timestamp || lastOffset(scanner.buffer, scanner.at) < from) continue
    if (!scanner.load()) return null
    const batch = new RecordBatch(scanner.buffer, scanner.at, { maxDecompressedBytes: DECOMPRESSED_BATCH_BYTES_MAX })
    const cursor = batch.cursor()
    for (let record = cursor.next(); record !== null; record = cursor.next()) {
      const { offset } = record
      if (offset >= to) return null
      if (offset < from || record.timestamp < timestamp) continue
      return { offset, timestamp: record.timestamp, leaderEpoch: partitionLeaderEpoch(scanner.buffer, scanner.at) }
    }
  }
  return null
}
