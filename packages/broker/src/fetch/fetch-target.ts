import type { FetchPartition } from '@millrace/protocol/apis/fetch'

/** One partition that a consumer fetches: what it asked for last and, in a session, what it was told last. */
export class FetchTarget {
  /** Empty from version 13 on. */
  readonly topicName: string
  /** The zero uuid before version 13. */
  readonly topicId: string
  readonly partition: number
  fetchOffset: number
  maxBytes: number
  /** -1: the consumer does not know it. */
  currentLeaderEpoch: number
  lastFetchedEpoch: number
  /** As the last response said; -1 when it said nothing or an error. */
  knownHighWatermark = -1
  knownLogStartOffset = -1

  constructor(topicName: string, topicId: string, request: FetchPartition) {
    this.topicName = topicName
    this.topicId = topicId
    this.partition = request.partition
    this.fetchOffset = offsetNumber(request.fetchOffset)
    this.maxBytes = Math.max(0, request.partitionMaxBytes)
    this.currentLeaderEpoch = request.currentLeaderEpoch
    this.lastFetchedEpoch = request.lastFetchedEpoch
  }

  /** The consumer asks anew, as a rule from a later offset. */
  update(request: FetchPartition): void {
    this.fetchOffset = offsetNumber(request.fetchOffset)
    this.maxBytes = Math.max(0, request.partitionMaxBytes)
    this.currentLeaderEpoch = request.currentLeaderEpoch
    this.lastFetchedEpoch = request.lastFetchedEpoch
  }
}

/** No log reaches beyond the safe integers, so whatever is outside of them is out of range all the same. */
function offsetNumber(offset: bigint): number {
  const value = Number(offset)
  return Number.isSafeInteger(value) ? value : Number.MAX_SAFE_INTEGER
}
