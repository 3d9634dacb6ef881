import { ZERO_UUID } from '@millrace/protocol'
import type { RecordBatch, RecordCursor } from '@millrace/records/internal'
import type { ResetStrategy } from '../offsets/reset-strategy.ts'
import type { BatchMemory } from './batch-memory.ts'
import type { FetchCall } from './broker-fetches.ts'
import { Committed } from '../offsets/committed.ts'
import type { FetchedChunk } from './fetched-chunk.ts'
import type { UnhandledChunk } from './fetched-memory.ts'

/**
 * How well the position is known (Java: SubscriptionState.FetchStates). `locating`: the group's committed offset is looked for. `resetting`:
 * an offset is looked for by the cursor's `reset`. `validating`: whether the log still has what we read is asked (KIP-320). `fetching`: it stands.
 * `failed`: nothing more is tried until the application asks for records again.
 */
export type PositionPhase = 'locating' | 'resetting' | 'validating' | 'fetching' | 'failed'

/** Where the consumer stands in one assigned partition. A partition that comes back after it was given up gets a new one. */
export class PartitionCursor {
  readonly topic: string
  readonly partition: number
  /** False once the partition was revoked or lost: what still arrives for it is dropped. */
  isActive = true
  /** True once it is not ours any more, so that nothing of it may be committed. */
  isGone = false
  /** It is given up, once nothing of it is in the application's hands. */
  isAwaited = false
  /** Nothing is fetched or handed out; what is buffered is kept (KAFKA-7548). */
  isPaused = false

  // ---- the position ----

  /** The topic that the position is in; ZERO_UUID while that is not known. Another one of the same name has other records. */
  topicId: string = ZERO_UUID
  phase: PositionPhase = 'locating'
  /** What to do when it was `failed` and the application asks again. */
  failedPhase: PositionPhase = 'locating'
  /** How to find the position while `resetting`; null for `autoOffsetReset`. */
  reset: ResetStrategy | null = null
  /** Goes up whenever the position is set by anything but reading: an answer to an earlier question is dropped. */
  serial = 0
  /** Offset of the next record to hand out; -1 until it is known, and nothing is fetched before. */
  position = -1
  /** Leader epoch of the record before `position`; -1 if unknown. It is committed with the offset. */
  positionEpoch = -1
  /** Offset of the next record to fetch: `position` and what is buffered. */
  fetchOffset = -1
  /** Leader epoch of the record before `fetchOffset`; -1 if unknown. */
  fetchEpoch = -1
  /** The epoch of the leader under which the position is known to be good; -1 if none was asked. */
  validatedEpoch = -1
  readonly committed: Committed = new Committed()

  // ---- in the application's hands: kept by `InHand` ----

  /** The first offset that was handed out and not handled; -1 for none. */
  inHandFrom = -1
  /** Leader epoch of the record before `inHandFrom`. */
  inHandEpoch = -1
  /** The offset after the last that was handed out; what was handled up to there leaves nothing in hand. */
  handedTo = -1

  // ---- buffered ----

  /** Fetched and not handed out yet, in order. */
  readonly chunks: FetchedChunk[] = []
  bufferedBytes = 0
  /** Handed out to their end, with something still in hand, in order. Kept by `FetchedMemory`. */
  readonly unhandled: UnhandledChunk[] = []
  /** The stored batch that is being read, or that was looked at and not taken yet. */
  batch: RecordBatch | null = null
  batchEpoch = -1
  /** Where in `batch` single records are read. */
  records: RecordCursor | null = null
  /** What those lie in, while whoever reads them says when they were handled. */
  memory: BatchMemory | null = null

  // ---- fetching ----

  /** The fetch that asks for this partition from where it stands; null for none. What any other one brings of it is dropped. */
  fetch: FetchCall | null = null
  retryAt = 0
  /** The node that had nothing when it was asked without waiting, so that it is not to be asked so again before `nothingUntil`; -1 for none. */
  nothingAt = -1
  nothingUntil = 0
  /** The closest replica, as the leader chose it, to be fetched from until then (KIP-392); -1 for the leader. */
  readReplica = -1
  readReplicaUntil = 0
  /** Offset after the last record that consumers may see; -1 until the first fetch. */
  highWatermark = -1
  /** Offset of the first record of the oldest open transaction, or `highWatermark`; -1 until the first fetch. */
  lastStableOffset = -1
  logStartOffset = -1

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  /** Whether anything of it may be handed out. */
  get isReadable(): boolean {
    return this.phase === 'fetching' && !this.isPaused
  }

  /** The offset to commit: everything before it was handled. -1 while there is none. */
  get handledOffset(): number {
    return this.inHandFrom >= 0 ? this.inHandFrom : this.position
  }

  /** Leader epoch of the record before `handledOffset`. */
  get handledEpoch(): number {
    return this.inHandFrom >= 0 ? this.inHandEpoch : this.positionEpoch
  }

  /** Records of the current batch from `offset` to before `next` go to the application. */
  handOut(offset: number, next: number): void {
    if (this.inHandFrom < 0) {
      this.inHandFrom = offset
      this.inHandEpoch = this.positionEpoch
    }
    this.position = next
    this.positionEpoch = this.batchEpoch
    this.handedTo = next
  }

  /** Whether the node was asked just now, without waiting, and had nothing. */
  hadNothing(node: number, now: number): boolean {
    return this.nothingAt === node && this.nothingUntil > now
  }

  /** Reads on after `pause`. */
  resume(): void {
    this.isPaused = false
    this.nothingAt = -1
  }

  /** Somebody keeps records of the current batch: their memory goes when the garbage collector finds it. */
  keepMemory(): void {
    this.memory?.keep()
    this.memory = null
  }

  /** Goes on from `offset`. Nothing may be buffered. */
  seek(offset: number, epoch: number): void {
    this.serial++
    this.#forgetFetch()
    this.phase = 'fetching'
    this.#goTo(offset, epoch)
  }

  /** The position is to be found by `strategy`, or by `autoOffsetReset` if that is null. Nothing may be buffered. */
  resetBy(strategy: ResetStrategy | null): void {
    this.serial++
    this.phase = 'resetting'
    this.reset = strategy
    if (strategy === null) return
    // The application goes somewhere else: what it had in hand and did not handle must not be taken for handled meanwhile.
    this.#goTo(-1, -1)
  }

  /** The topic was deleted, and one of the same name was made: nothing holds of what is known. Nothing may be buffered. */
  beginAnew(topicId: string): void {
    this.serial++
    this.#forgetFetch()
    this.topicId = topicId
    this.phase = 'locating'
    this.reset = null
    this.#goTo(-1, -1)
    this.validatedEpoch = -1
    this.readReplica = -1
    this.highWatermark = -1
    this.lastStableOffset = -1
    this.logStartOffset = -1
  }

  /** Whether the position is in another topic than this one, as far as both are known. */
  isOfAnother(topicId: string | undefined): boolean {
    return topicId !== undefined && topicId !== ZERO_UUID && this.topicId !== ZERO_UUID && this.topicId !== topicId
  }

  /** Nothing more is tried by itself: the application is told, and may ask again. */
  fail(): void {
    if (this.phase === 'failed') return
    this.failedPhase = this.phase
    this.phase = 'failed'
  }

  /** Forgets what is buffered, which is then fetched again. */
  dropBuffered(): void {
    this.#forgetFetch()
    this.fetchOffset = this.position
    this.fetchEpoch = this.positionEpoch
    this.chunks.length = 0
    this.bufferedBytes = 0
    // The last record may be in hand.
    this.keepMemory()
    this.batch = null
    this.records = null
  }

  /** -1: nowhere, for now. */
  #goTo(offset: number, epoch: number): void {
    this.position = offset
    this.positionEpoch = epoch
    this.fetchOffset = offset
    this.fetchEpoch = epoch
  }

  /** What is on its way is not what is wanted any more. */
  #forgetFetch(): void {
    this.fetch = null
    this.nothingAt = -1
  }
}
