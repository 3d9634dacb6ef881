import type { FetchedChunk } from './fetched-chunk.ts'

/** Where the consumer stands in one assigned partition. A partition that comes back after it was given up gets a new one. */
export class PartitionCursor {
  readonly topic: string
  readonly partition: number
  /** False once the partition was revoked or lost: what still arrives for it is dropped. */
  isActive = true
  /** Offset of the next record to hand out; -1 until it is known, and nothing is fetched before. */
  position = -1
  /** Leader epoch of the record before `position`; -1 if unknown. It is committed with the offset. */
  positionEpoch = -1
  /** Offset of the next record to fetch: `position` and what is buffered. */
  fetchOffset = -1
  /** What the coordinator has; -1 for nothing. */
  committed = -1
  /** Fetched and not handed out yet, in order. */
  readonly chunks: FetchedChunk[] = []
  bufferedBytes = 0
  /** The node that is asked for this partition now; -1 for none. */
  fetchedFrom = -1
  retryAt = 0
  /** Offset after the last record that consumers may see; -1 until the first fetch. */
  highWatermark = -1

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  /** Goes on from `offset`. Nothing may be buffered. */
  seek(offset: number, epoch: number): void {
    this.position = offset
    this.positionEpoch = epoch
    this.fetchOffset = offset
  }

  /** Forgets what is buffered, which is then fetched again; gives back how many bytes that was. */
  dropBuffered(): number {
    const dropped = this.bufferedBytes
    this.fetchOffset = this.position
    this.chunks.length = 0
    this.bufferedBytes = 0
    return dropped
  }
}
