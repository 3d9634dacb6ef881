import type { BatchMemory } from '../fetch/batch-memory.ts'
import type { Lane } from './lane.ts'

/** What a handler of records is told beside the record. Valid until the handler is done. */
export interface RecordContext {
  /** Aborted when the partition was taken from this consumer, so that others may handle the record now, or `drainTimeoutMs` is over: what the handler does then is ignored. */
  readonly signal: AbortSignal
  /** 1 for the first; goes on counting through retries and retry topics. */
  readonly attempt: number
  /** The partition is being given up or was lost, its position was set anew, or the run ends: a handler that takes long may come to an end early. */
  readonly isEnding: boolean
  /**
   * For `enableAutoCommit: false`. The record counts as handled from now on, and the partition is committed up to the first record that does not. (In a
   * batch: what `handled` said so far, and nothing more.) What the handler throws afterwards is not tried again.
   * @throws {CommitError}, or {KafkaError} NOT_ASSIGNED when the partition was lost, NO_GROUP, as a rejection
   */
  commit(): Promise<void>
}

/** What a handler of batches is told beside the batch. */
export interface BatchContext extends RecordContext {
  /**
   * The records of the batch up to this one, itself included, were handled: if the handler fails, only those after it are tried again.
   * @throws {ConfigError} for an offset that was never in the batch
   */
  handled(record: number | { readonly offset: number }): void
  /**
   * What `handled` has not named when the handler is done is not handled, and comes again: here at once, or, when the partition is given up or the run ends, wherever
   * it goes on. The way to end early once `isEnding`.
   */
  leaveRest(): void
}

/** No key that orders it. */
export const NO_CHAIN = -1

/** `waiting`: for its next attempt. `copying`: to a retry or dead-letter topic. */
export type TaskState = 'queued' | 'running' | 'waiting' | 'copying' | 'over'

/** A record or batch on its way through a handler; the handler sees it as its context. One whose handler did not wait is used again. */
export class Task implements BatchContext {
  readonly lane: Lane
  state: TaskState = 'queued'
  /** As it is stored; filled in by the source. */
  stored: unknown = null
  /** What the handler gets; the same, unless it was deserialized. */
  item: unknown = null
  isDecoded = false
  /** What it lies in, and is freed once its handler is done; null when that is left to the garbage collector. */
  memory: BatchMemory | null = null
  firstOffset = 0
  /** Its first offset that was not handled. */
  offset = 0
  lastOffset = 0
  epoch = -1
  sizeInBytes = 0
  /** Items of one chain are handled one after another. */
  chain: number = NO_CHAIN
  nextInChain: Task | null = null
  /** Not before then. */
  dueAt = 0
  /** Attempts at topics before this one. */
  attemptsBefore = 0
  attemptsHere = 1
  /** Its number in the lane's prefix, and which filling of that. */
  number = 0
  generation = 0
  /** When its handler was first seen to run, and where it is among those that do: kept by `HandlerWatch`. */
  seenAt = -1
  slot = -1
  isStuck = false
  /** What of a batch was not handled is to come again. */
  isPartial = false

  constructor(lane: Lane) {
    this.lane = lane
  }

  get attempt(): number {
    return this.attemptsBefore + this.attemptsHere
  }

  get signal(): AbortSignal {
    return this.lane.signal
  }

  get isEnding(): boolean {
    return this.lane.isEnding(this)
  }

  leaveRest(): void {
    this.isPartial = true
  }

  commit(): Promise<void> {
    return this.lane.commit(this)
  }

  handled(record: number | { readonly offset: number }): void {
    this.lane.resolve(this, record)
  }

  /** Its handler is done, and needs nothing of it any more. */
  freeMemory(): void {
    this.memory?.free()
    this.memory = null
  }

  /** Its bytes are wanted still, by another attempt, by a copy or by an error that has them. */
  keepMemory(): void {
    this.memory?.keep()
    this.memory = null
  }

  /** There is no next item for now: the last one is not to keep the answer that it came with in memory. */
  forget(): void {
    this.stored = null
    this.item = null
  }

  /** For the next item. */
  reuse(): void {
    this.state = 'queued'
    this.isDecoded = false
    this.chain = NO_CHAIN
    this.nextInChain = null
    this.dueAt = 0
    this.attemptsBefore = 0
    this.attemptsHere = 1
    this.isStuck = false
    this.isPartial = false
  }
}
