import { KafkaRecord } from '@millrace/records/internal'
import type { Delivery } from '../delivery/delivery.ts'
import { storedBytes, takeMemory, type ConsumerBatch } from '../fetch/consumer-batch.ts'
import type { PartitionCursor } from '../fetch/partition-cursor.ts'
import { Loading } from '../fetch/record-feed.ts'
import { attemptsOf, dueAtOf } from './copy-headers.ts'
import type { LaneSource } from './lane-source.ts'
import type { Task } from './task.ts'

export interface CursorItems {
  readonly isBatched: boolean
  /** Whether the partition is one of a retry topic, whose records say when they are due. */
  readonly isRetryTopic: boolean
  /** Whether their memory is freed once they were handled. */
  readonly disposes: boolean
}

/** A partition of the consumer as a lane sees it. */
export class CursorSource implements LaneSource {
  readonly topic: string
  readonly partition: number
  readonly cursor: PartitionCursor
  readonly #delivery: Delivery
  readonly #items: CursorItems
  /** Single records, each of which may begin at once. */
  readonly #isPlain: boolean

  constructor(cursor: PartitionCursor, delivery: Delivery, items: CursorItems) {
    this.topic = cursor.topic
    this.partition = cursor.partition
    this.cursor = cursor
    this.#delivery = delivery
    this.#items = items
    this.#isPlain = !items.isBatched && !items.isRetryTopic
  }

  get isOurs(): boolean {
    return this.cursor.isActive
  }

  get isLost(): boolean {
    return this.cursor.isGone
  }

  get isPaused(): boolean {
    return this.cursor.isPaused
  }

  get serial(): number {
    return this.cursor.serial
  }

  get isInHand(): boolean {
    return this.cursor.inHandFrom >= 0
  }

  get hasMore(): boolean {
    return this.cursor.chunks.length > 0 || this.cursor.phase === 'failed'
  }

  next(task: Task): Loading | boolean {
    return this.#items.isBatched ? this.#nextBatch(task) : this.#nextRecord(task)
  }

  get mayFinish(): boolean {
    return !this.cursor.isPaused && (this.cursor.isActive || this.cursor.isAwaited)
  }

  goOn(task: Task): boolean {
    if (!this.#isPlain) return false
    this.#delivery.handled(this.cursor)
    const record = this.#delivery.takeRecordOf(this.cursor, this.#items.disposes)
    if (record === null || record instanceof Loading) return false
    if (task.memory !== this.cursor.memory) this.#holdMemory(task)
    task.stored = record
    task.item = record
    task.isDecoded = false
    return true
  }

  describe(task: Task): void {
    const { stored } = task
    if (isBatch(stored)) {
      task.firstOffset = stored.firstOffset
      task.offset = stored.firstOffset
      task.lastOffset = stored.lastOffset
      task.epoch = stored.leaderEpoch
      task.sizeInBytes = storedBytes(stored)
      return
    }
    const { offset, batch, sizeInBytes } = stored as KafkaRecord
    task.firstOffset = offset
    task.offset = offset
    task.lastOffset = offset
    task.epoch = batch.partitionLeaderEpoch
    task.sizeInBytes = sizeInBytes
  }

  chainOf(task: Task): number {
    return (task.stored as KafkaRecord).keyHash
  }

  handled(): void {
    this.#delivery.handled(this.cursor)
  }

  handledUpTo(offset: number, epoch: number): void {
    this.#delivery.handledUpTo(this.cursor, offset, epoch)
  }

  giveBack(): void {
    this.#delivery.giveBack(this.cursor)
  }

  #nextRecord(task: Task): Loading | boolean {
    const record = this.#delivery.takeRecordOf(this.cursor, this.#items.disposes)
    if (record === null) return false
    if (record instanceof Loading) return record
    this.#holdMemory(task)
    task.stored = record
    task.item = record
    if (this.#items.isRetryTopic) {
      const { headers } = record
      task.dueAt = dueAtOf(headers)
      task.attemptsBefore = attemptsOf(headers)
    }
    return true
  }

  #nextBatch(task: Task): Loading | boolean {
    const batch = this.#delivery.takeBatchOf(this.cursor)
    if (batch === null) return false
    if (batch instanceof Loading) return batch
    task.memory = takeMemory(batch)
    if (!this.#items.disposes) task.keepMemory()
    task.stored = batch
    task.item = batch
    return true
  }

  /** The stored batch of the record is read by the cursor and by whoever has one of its records. */
  #holdMemory(task: Task): void {
    task.freeMemory()
    this.cursor.memory?.hold()
    task.memory = this.cursor.memory
  }
}

/** Whether the time that stored records carry is the broker's. */
export function isLogAppendTime(record: unknown): boolean {
  return record instanceof KafkaRecord && record.batch.isLogAppendTime
}

export function isBatch(stored: unknown): stored is ConsumerBatch {
  return !(stored instanceof KafkaRecord)
}
