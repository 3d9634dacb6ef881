import { BATCH_HEADER_BYTES, batchBytes, lastOffset } from '@millrace/records/internal'
import { LOCATE_CHUNK_BYTES, READ_HINTS_PER_LOG, READ_PEEK_BELOW_BYTES } from '../limits.ts'
import type { ReadTarget } from '../storage/read-memory.ts'
import { BatchScanner } from './batch-scanner.ts'
import type { Segment } from './segment.ts'

export interface ReadRequest {
  readonly offset: number
  /** The most bytes to return, but for `minOneBatch`. */
  readonly maxBytes: number
  /** Whether the first batch is returned even when it is larger than `maxBytes` (KIP-74). */
  readonly minOneBatch: boolean
  /** Offsets from here on are not returned. Default: the high watermark. */
  readonly upperBound?: number
  /** Where the bytes may be put. Default: memory of their own. */
  readonly target?: ReadTarget
}

export interface LogRead {
  /** Whole batches, the first of which holds the requested offset. A view, or memory of its own or of the `target`; never changed by the log. */
  readonly records: Buffer
  /** The offset after the last of the batches; the requested offset when there is none. */
  readonly nextOffset: number
  /** Whether records follow that were left out, be it by a limit or because a segment or a stretch of memory ends. */
  readonly hasMore: boolean
}

/** Where a batch begins: in which segment, at which byte. */
interface Place {
  readonly segment: Segment
  readonly position: number
}

const NO_RECORDS: Buffer = Buffer.alloc(0)

/** Headers are looked at and forgotten, before anything else is read: reads are synchronous. */
const header: Buffer = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES)
const headerMemory: ReadTarget = { take: (bytes) => (bytes === header.length ? header : header.subarray(0, bytes)) }

/** Finds and reads batches in a log's segments. It remembers where recent reads ended, as that is where consumers go on. */
export class LogReader {
  readonly #segments: readonly Segment[]
  #hints: { offset: number; place: Place }[] = []

  /** `segments` is the log's own list, ordered, never empty, and changing under it. */
  constructor(segments: readonly Segment[]) {
    this.#segments = segments
  }

  /** Segments were removed: whatever pointed into them is void. */
  forget(): void {
    this.#hints = []
  }

  /** `end` is the log end offset; nothing from `upperBound` on is returned. */
  read(request: ReadRequest, upperBound: number, end: number): LogRead {
    const { offset, maxBytes, target } = request
    const place = offset < upperBound ? this.#locate(offset) : null
    if (place === null) return { records: NO_RECORDS, nextOffset: offset, hasMore: false }
    const { segment, position } = place
    // Of a fetch of many partitions, most find next to nothing left of what it may bring: to read that and throw it away costs more than the rest.
    const isShort = !request.minOneBatch && maxBytes < READ_PEEK_BELOW_BYTES
    if (isShort && batchBytes(segment.file.read(position, BATCH_HEADER_BYTES, headerMemory), 0) > maxBytes)
      return { records: NO_RECORDS, nextOffset: offset, hasMore: true }
    const available = segment.size - position
    let chunk = segment.file.read(position, Math.min(available, Math.max(maxBytes, BATCH_HEADER_BYTES)), target)
    const first = batchBytes(chunk, 0)
    if (first > maxBytes) {
      if (!request.minOneBatch) return { records: NO_RECORDS, nextOffset: offset, hasMore: true }
      if (first > chunk.length) chunk = segment.file.read(position, first, target)
    }
    const limit = Math.min(chunk.length, Math.max(maxBytes, first))
    const last = upperBound < end ? lastBatchBelow(chunk, limit, upperBound) : lastWholeBatch(chunk, limit)
    if (last < 0) return { records: NO_RECORDS, nextOffset: offset, hasMore: false }
    const size = last + batchBytes(chunk, last)
    const nextOffset = lastOffset(chunk, last) + 1
    this.#remember(nextOffset, { segment, position: position + size })
    return { records: size === chunk.length ? chunk : chunk.subarray(0, size), nextOffset, hasMore: nextOffset < upperBound }
  }

  /** Bytes from the batch that holds `offset` to the end of the log, counted up to `limit`. */
  bytesFrom(offset: number, limit: number): number {
    const place = this.#locate(offset)
    if (place === null) return 0
    let bytes = place.segment.size - place.position
    for (let index = this.#segments.indexOf(place.segment) + 1; index < this.#segments.length && bytes < limit; index++) {
      bytes += this.#segments[index]!.size
    }
    return bytes
  }

  /** The batch that holds `offset` or, where a gap was left by compaction, the next one; null when there is none. */
  #locate(offset: number): Place | null {
    const hint = this.#hints.find((candidate) => candidate.offset === offset)?.place
    if (hint !== undefined && hint.position < hint.segment.size) return hint
    for (let index = this.#segmentIndex(offset); index < this.#segments.length; index++) {
      const segment = this.#segments[index]!
      const scanner = new BatchScanner(segment.file, segment.positionBefore(offset), segment.size, LOCATE_CHUNK_BYTES)
      while (scanner.next()) {
        if (lastOffset(scanner.buffer, scanner.at) >= offset) return { segment, position: scanner.position }
      }
    }
    return null
  }

  #remember(offset: number, place: Place): void {
    const at = this.#hints.findIndex((hint) => hint.offset === offset)
    if (at >= 0) this.#hints[at]!.place = place
    else if (this.#hints.length < READ_HINTS_PER_LOG) this.#hints.push({ offset, place })
    else {
      const oldest = this.#hints.shift()!
      oldest.offset = offset
      oldest.place = place
      this.#hints.push(oldest)
    }
  }

  /** The last segment that begins at or before `offset`. */
  #segmentIndex(offset: number): number {
    let low = 0
    let high = this.#segments.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#segments[middle]!.baseOffset <= offset) low = middle
      else high = middle - 1
    }
    return low
  }
}

/** Where the last batch begins that ends within `limit`; -1 when none does. */
function lastWholeBatch(chunk: Buffer, limit: number): number {
  let last = -1
  for (let at = 0; limit - at >= BATCH_HEADER_BYTES;) {
    const size = batchBytes(chunk, at)
    if (size > limit - at) break
    last = at
    at += size
  }
  return last
}

/** The same, of the batches that lie below `upperBound` as a whole. */
function lastBatchBelow(chunk: Buffer, limit: number, upperBound: number): number {
  let last = -1
  for (let at = 0; limit - at >= BATCH_HEADER_BYTES;) {
    const size = batchBytes(chunk, at)
    if (size > limit - at || lastOffset(chunk, at) >= upperBound) break
    last = at
    at += size
  }
  return last
}
