import type { LogConfig } from './log-config.ts'
import type { Segment } from './segment.ts'

/** What decides whether a batch still goes to the active segment. */
interface NextBatch {
  readonly bytes: number
  readonly last: number
  readonly timestamp: number
  readonly now: number
}

/** `LogSegment.shouldRoll`. */
export function mustRoll(active: Segment, config: LogConfig, batch: NextBatch): boolean {
  if (active.size === 0) return false
  if (active.size + batch.bytes > config.segmentBytes) return true
  if (!active.holdsOffset(batch.last) || active.indexIsFull(config.segmentIndexBytes)) return true
  // By the records' own time where they have one: replayed history rolls as it did when it was new.
  const first = active.firstTimestamp
  const age = first !== null && batch.timestamp >= 0 ? batch.timestamp - first : batch.now - active.openedAt
  return age > config.segmentMs
}

/** How many of the oldest segments are past `retention.ms` or `retention.bytes`. All of them may be, if all is below the high watermark. */
export function countExpired(segments: readonly Segment[], config: LogConfig, now: number, highWatermark: number): number {
  let excess =
    config.retentionBytes < 0 ? 0 : segments.reduce((total, segment) => total + segment.size, 0) - config.retentionBytes
  let count = 0
  for (const [index, segment] of segments.entries()) {
    const isActive = index === segments.length - 1
    if (isActive && segment.size === 0) break
    const next = segments[index + 1]?.baseOffset ?? Infinity
    // What is not committed yet may not be deleted.
    if (!isActive && next > highWatermark) break
    const tooLarge = config.retentionBytes >= 0 && excess - segment.size >= 0
    if (!isTooOld(segment, config, now) && !tooLarge) break
    excess -= segment.size
    count++
  }
  return count
}

function isTooOld(segment: Segment, config: LogConfig, now: number): boolean {
  if (config.retentionMs < 0) return false
  const newest = segment.maxTimestamp >= 0 ? segment.maxTimestamp : segment.openedAt
  return now - newest > config.retentionMs
}
