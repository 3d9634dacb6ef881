import type { KafkaError } from '@millrace/protocol'
import type { Clock } from '@millrace/client/internal'
import type { KafkaRecord } from '@millrace/records/internal'
import type { ConsumerBatch } from '../fetch/consumer-batch.ts'
import type { Fetcher } from '../fetch/fetcher.ts'
import type { PartitionCursor } from '../fetch/partition-cursor.ts'
import { Loading, RecordFeed } from '../fetch/record-feed.ts'
import { InHand } from './in-hand.ts'
import { PollWatch } from './poll-watch.ts'
import type { RecordDecoder } from './record-decoder.ts'

export interface DeliveryHost {
  readonly clock: Clock
  /** Something may be fetched, or is due. */
  schedule(): void
  setPollDeadline(deadline: number, now: number): void
  /** The application was told that the partition cannot go on. */
  tryAgain(cursor: PartitionCursor): void
}

/**
 * What every way to consume stands on. It takes the next record or batch, of any partition or of one, which is then in the application's hands;
 * it says that it was handled, all of it or up to some offset, or gives it back. Partitions are independent: each may have something in hand,
 * and several batches of one may be in hand at once as long as they are handled from the first on.
 */
export class Delivery {
  readonly inHand: InHand = new InHand()
  readonly watch: PollWatch
  readonly #feed: RecordFeed
  readonly #fetcher: Fetcher
  readonly #host: DeliveryHost
  /** What stops everything; thrown once, and every time if it is final. */
  #failure: KafkaError | null = null
  #isFinal = false
  /** What keeps single partitions from going on, until the application was told. */
  readonly #failures = new Map<PartitionCursor, KafkaError>()
  #current: PartitionCursor | null = null

  constructor(
    fetcher: Fetcher,
    maxPollRecords: number,
    maxPollIntervalMs: number,
    decoder: RecordDecoder | null,
    host: DeliveryHost,
  ) {
    this.#fetcher = fetcher
    this.#feed = new RecordFeed(fetcher, maxPollRecords, decoder)
    this.#host = host
    this.watch = new PollWatch(maxPollIntervalMs, (deadline, now) => host.setPollDeadline(deadline, now))
  }

  /** The partition of what was taken last, of any; null when that came back. */
  get current(): PartitionCursor | null {
    return this.#current
  }

  // ---- taking ----

  /**
   * @param disposes whether what was taken before was handled, and its memory may go
   * @throws {KafkaError} that stops the consumer or a partition, or {UnreadableRecordError}
   */
  takeRecord(disposes: boolean): KafkaRecord | Loading | null {
    if (this.#failure !== null || this.#failures.size > 0) this.#throwAny()
    const record = this.#feed.nextRecord(disposes)
    if (this.#fetcher.hasRoom) this.#host.schedule()
    if (record === null || record instanceof Loading) return record
    this.#current = this.#feed.cursor
    if (this.watch.nextCheck === Infinity) this.#startWatch()
    return record
  }

  /** @throws {KafkaError} that stops the consumer or a partition, or {UnreadableRecordError} */
  takeBatch(): ConsumerBatch | Loading | null {
    if (this.#failure !== null || this.#failures.size > 0) this.#throwAny()
    const batch = this.#feed.nextBatch()
    if (this.#fetcher.hasRoom) this.#host.schedule()
    if (batch === null || batch instanceof Loading) return batch
    this.#current = this.#feed.cursor
    if (this.watch.nextCheck === Infinity) this.#startWatch()
    return batch
  }

  /** As `takeRecord`. @throws {KafkaError} that stops the partition, or {UnreadableRecordError} */
  takeRecordOf(cursor: PartitionCursor, disposes: boolean): KafkaRecord | Loading | null {
    return this.#takeOf(cursor, this.#feed.nextRecordOf(this.#checked(cursor), disposes))
  }

  /** @throws {KafkaError} that stops the partition, or {UnreadableRecordError} */
  takeBatchOf(cursor: PartitionCursor): ConsumerBatch | Loading | null {
    return this.#takeOf(cursor, this.#feed.nextBatchOf(this.#checked(cursor)))
  }

  // ---- what becomes of it ----

  /** All that was taken of the partition was handled. */
  handled(cursor: PartitionCursor): void {
    this.watch.asked()
    this.inHand.release(cursor)
    if (this.#current === cursor) this.#current = null
  }

  /** What was taken of the partition was handled up to `offset`, that one not included. `epoch`: of the record before it, -1 if unknown. */
  handledUpTo(cursor: PartitionCursor, offset: number, epoch: number): void {
    this.watch.asked()
    this.inHand.releaseUpTo(cursor, offset, epoch)
  }

  /** What was taken of the partition and not handled is to be handed out again, here or by whoever owns the partition next. */
  giveBack(cursor: PartitionCursor): void {
    const { inHandFrom, inHandEpoch } = cursor
    if (this.#current === cursor) this.#current = null
    if (inHandFrom < 0) return
    const { isActive, phase } = cursor
    if (isActive) this.discard(cursor)
    cursor.seek(inHandFrom, inHandEpoch)
    cursor.phase = phase
    this.inHand.release(cursor)
    this.#host.schedule()
  }

  /** Forgets what is buffered of the partition; it is fetched again from its position. */
  discard(cursor: PartitionCursor): void {
    this.#feed.leave(cursor)
    this.#fetcher.discard(cursor)
  }

  /** Nothing of the partition may be handed out for now. */
  leave(cursor: PartitionCursor): void {
    this.#feed.leave(cursor)
  }

  /** The partition is not ours any more. */
  remove(cursor: PartitionCursor): void {
    this.#feed.leave(cursor)
    this.#fetcher.remove(cursor)
    this.#failures.delete(cursor)
  }

  /** The position was set: what was in hand or had failed is of no account any more. */
  moved(cursor: PartitionCursor): void {
    this.#failures.delete(cursor)
    this.inHand.release(cursor)
    if (this.#current === cursor) this.#current = null
  }

  // ---- failures ----

  fail(error: KafkaError, isFinal: boolean): void {
    if (this.#isFinal) return
    if (isFinal || this.#failure === null) this.#failure = error
    this.#isFinal = isFinal
  }

  /** What failed is left behind, and what is consumed next begins anew. */
  forgetFailure(): void {
    this.#failure = null
    this.#isFinal = false
  }

  failPartition(cursor: PartitionCursor, error: KafkaError): void {
    this.#feed.leave(cursor)
    this.#failures.set(cursor, error)
  }

  /** What the application was not told of yet. */
  failureOf(cursor: PartitionCursor): KafkaError | null {
    return this.#failures.get(cursor) ?? null
  }

  #throwAny(): void {
    this.throwFailure()
    for (const cursor of this.#failures.keys()) this.#throwFailureOf(cursor)
  }

  /** @throws {KafkaError} that stops the consumer */
  throwFailure(): void {
    const failure = this.#failure
    if (failure === null) return
    if (!this.#isFinal) this.#failure = null
    throw failure
  }

  #throwFailureOf(cursor: PartitionCursor): void {
    const failure = this.#failures.get(cursor)
    if (failure === undefined) return
    this.#failures.delete(cursor)
    this.#host.tryAgain(cursor)
    throw failure
  }

  #checked(cursor: PartitionCursor): PartitionCursor {
    if (this.#isFinal) this.throwFailure()
    if (this.#failures.size > 0) this.#throwFailureOf(cursor)
    return cursor
  }

  #takeOf<Item>(cursor: PartitionCursor, item: Item): Item {
    if (this.#fetcher.hasRoom) this.#host.schedule()
    if (item !== null && this.watch.nextCheck === Infinity && cursor.inHandFrom >= 0) this.#startWatch()
    return item
  }

  #startWatch(): void {
    this.watch.start(this.#host.clock.now())
    this.#host.schedule()
  }
}
