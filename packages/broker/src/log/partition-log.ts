import {
  NO_VALUE,
  lastOffsetDelta,
  maxTimestamp,
  patchBaseOffset,
  patchLeaderEpoch,
  producerId,
} from '@millrace/records/internal'
import type { Storage, StorageError } from '../storage/storage.ts'
import { validateProducedBatch } from './batch-validation.ts'
import { Flusher } from './flusher.ts'
import type { EpochEnd, LeaderEpochs } from './leader-epochs.ts'
import type { LogConfig } from './log-config.ts'
import { LogError } from './log-error.ts'
import { LogReader, type LogRead, type ReadRequest } from './log-reader.ts'
import { loadLog, type LogOrigin } from './log-loader.ts'
import type { ProducerBatch } from './producer-entry.ts'
import type { ProducerState } from './producer-state.ts'
import type { AppendOptions, AppendResult, FlushPolicy, LogListener } from './log-types.ts'
import { Segment } from './segment.ts'
import { countExpired, mustRoll } from './segment-policy.ts'
import { findMaxTimestamp, findTimestamp, type TimestampedOffset } from './timestamp-search.ts'

/**
 * The records of one partition: Kafka's `UnifiedLog`. A plain state machine over a `Storage`; time comes in with each call.
 * The same bytes that a producer sent lie in the segments and go out to consumers; only base offset and leader epoch are
 * written into them.
 */
export class PartitionLog {
  readonly topic: string
  readonly partition: number
  /** Relative to the storage's root. */
  readonly directory: string
  /** `topic-partition`, as in error messages. */
  readonly name: string
  readonly #storage: Storage
  readonly #flush: FlushPolicy
  readonly #segments: Segment[]
  readonly #producers: ProducerState
  readonly #epochs: LeaderEpochs
  readonly #reader: LogReader
  readonly #flusher: Flusher
  readonly #listeners = new Set<LogListener>()
  readonly #onLogStartMoved: (log: PartitionLog) => void
  #config: LogConfig
  #leaderEpoch = 0
  #logStartOffset: number
  #logEndOffset: number
  #highWatermark: number
  #closed = false

  private constructor(origin: LogOrigin) {
    const loaded = loadLog(origin)
    this.topic = origin.topic
    this.partition = origin.partition
    this.directory = origin.directory
    this.name = `${origin.topic}-${origin.partition}`
    this.#storage = origin.storage
    this.#flush = origin.flush
    this.#config = origin.config
    this.#onLogStartMoved = origin.onLogStartMoved
    this.#segments = loaded.segments
    this.#producers = loaded.producers
    this.#epochs = loaded.epochs
    this.#logStartOffset = loaded.logStartOffset
    this.#logEndOffset = loaded.logEndOffset
    this.#highWatermark = loaded.logEndOffset
    this.#flusher = new Flusher(this.#segments, loaded.recoveryPoint, () => this.#flushed())
    this.#reader = new LogReader(this.#segments)
  }

  /** Opens the log in a directory, creating it when absent, and recovers it when the last shutdown was not clean. Throws StorageError. */
  static open(origin: LogOrigin): PartitionLog {
    return new PartitionLog(origin)
  }

  get config(): LogConfig {
    return this.#config
  }

  /** The first offset that can be read. */
  get logStartOffset(): number {
    return this.#logStartOffset
  }

  /** The offset that the next record will get. */
  get logEndOffset(): number {
    return this.#logEndOffset
  }

  /** Records below it may be read. With one replica it is the log's end, or with `fsync` the end of what the disk has. */
  get highWatermark(): number {
    return this.#highWatermark
  }

  /** What `read_committed` consumers may read up to. Transactions are not served, so it is the high watermark. */
  get lastStableOffset(): number {
    return this.#highWatermark
  }

  /** Everything below it is on the disk for certain: recovery begins here. */
  get recoveryPoint(): number {
    return this.#flusher.recoveryPoint
  }

  get leaderEpoch(): number {
    return this.#leaderEpoch
  }

  /** Bytes of all segments. */
  get size(): number {
    return this.#segments.reduce((total, segment) => total + segment.size, 0)
  }

  get segmentCount(): number {
    return this.#segments.length
  }

  get producers(): ProducerState {
    return this.#producers
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Why the log takes no more appends: the disk refused to keep what it had accepted. Only a restart clears it. */
  get failure(): StorageError | null {
    return this.#flusher.failure
  }

  reconfigure(config: LogConfig): void {
    this.#config = config
  }

  /** The leader epoch that batches are stamped with from now on. Never goes back. Those who wait are told of a new one. */
  becomeLeader(leaderEpoch: number): void {
    if (leaderEpoch <= this.#leaderEpoch) return
    this.#leaderEpoch = leaderEpoch
    this.#notify()
  }

  addListener(listener: LogListener): void {
    this.#listeners.add(listener)
  }

  removeListener(listener: LogListener): void {
    this.#listeners.delete(listener)
  }

  /**
   * Appends the one batch in `batch` and writes the offsets it gets into those bytes. Throws LogError when the batch is refused and
   * StorageError when the disk refuses it; the log is then as it was.
   */
  append(batch: Buffer, options: AppendOptions): AppendResult {
    this.#checkUsable()
    const { now, origin } = options
    if (origin === 'client') validateProducedBatch(batch, this.#config, now, this.name)
    if (batch.length > this.#config.segmentBytes) {
      throw new LogError(
        'RECORD_LIST_TOO_LARGE',
        `${this.name}: ${batch.length} bytes; segment.bytes is ${this.#config.segmentBytes}`,
      )
    }
    if (producerId(batch, 0) !== NO_VALUE) {
      const repeated = this.#producers.check(batch, origin, this.name)
      if (repeated !== null) return this.#duplicateResult(repeated)
    }
    const first = this.#logEndOffset
    const last = first + lastOffsetDelta(batch, 0)
    const timestamp = maxTimestamp(batch, 0)
    const segment = this.#segmentFor(batch.length, last, timestamp, now)
    patchBaseOffset(batch, 0, first)
    patchLeaderEpoch(batch, 0, this.#leaderEpoch)
    this.#epochs.assign(this.#leaderEpoch, first)
    segment.append(batch, last, timestamp, this.#config.indexIntervalBytes)
    this.#producers.update(batch, 0)
    this.#logEndOffset = last + 1
    this.#afterAppend(origin)
    const logAppendTime = this.#config.messageTimestampType === 'LogAppendTime' ? timestamp : NO_VALUE
    return { baseOffset: first, lastOffset: last, logAppendTime, logStartOffset: this.#logStartOffset, duplicate: false }
  }

  /**
   * Whole batches from the one that holds `offset` on. Throws LogError OFFSET_OUT_OF_RANGE for an offset outside
   * `[logStartOffset, logEndOffset]`, and StorageError.
   */
  read(request: ReadRequest): LogRead {
    if (this.#closed) throw new LogError('KAFKA_STORAGE_ERROR', `${this.name} is closed`)
    const { offset } = request
    if (offset < this.#logStartOffset || offset > this.#logEndOffset) {
      throw new LogError(
        'OFFSET_OUT_OF_RANGE',
        `${this.name}: offset ${offset} is outside ${this.#logStartOffset} to ${this.#logEndOffset}`,
      )
    }
    const upperBound = Math.min(request.upperBound ?? this.#highWatermark, this.#highWatermark)
    return this.#reader.read(request, upperBound, this.#logEndOffset)
  }

  /** How many bytes a read from `offset` could return in all, up to `limit`; 0 for an offset that cannot be read. */
  bytesFrom(offset: number, limit: number): number {
    if (offset < this.#logStartOffset || offset >= this.#highWatermark) return 0
    return this.#reader.bytesFrom(offset, limit)
  }

  /** The first record at least as late as `timestamp`, or null. Throws StorageError. */
  offsetForTimestamp(timestamp: number): TimestampedOffset | null {
    return findTimestamp(this.#segments, timestamp, this.#logStartOffset, this.#highWatermark)
  }

  /** The first of the records with the largest timestamp, or null when there is no record with one. */
  maxTimestampOffset(): TimestampedOffset | null {
    return findMaxTimestamp(this.#segments, this.#logStartOffset, this.#highWatermark)
  }

  /** Where the log of a leader epoch ends: OffsetForLeaderEpoch. */
  epochEndOffset(epoch: number): EpochEnd {
    // An epoch is the leader's from its election on, before it has written anything.
    if (epoch === this.#leaderEpoch) return { epoch, endOffset: this.#logEndOffset }
    return this.#epochs.endOf(epoch, this.#logEndOffset)
  }

  /** The epoch that wrote `offset`; -1 when unknown. */
  epochOf(offset: number): number {
    return this.#epochs.epochOf(offset)
  }

  /**
   * Makes what lies before `offset` unreadable and removes the segments that hold nothing else. Returns the log start offset, which
   * never goes back. Throws LogError OFFSET_OUT_OF_RANGE past the high watermark.
   */
  deleteRecordsBefore(offset: number): number {
    this.#checkUsable()
    if (offset < 0 || offset > this.#highWatermark) {
      throw new LogError(
        'OFFSET_OUT_OF_RANGE',
        `${this.name}: cannot delete up to ${offset}; the high watermark is ${this.#highWatermark}`,
      )
    }
    if (offset > this.#logStartOffset) {
      this.#moveLogStart(offset)
      this.#deleteUnreadableSegments()
    }
    return this.#logStartOffset
  }

  /** Removes old segments by `retention.ms` and `retention.bytes`, and forgets idle producers. Returns the number of segments removed. */
  applyRetention(now: number, producerIdExpirationMs: number): number {
    if (this.#closed || this.failure !== null) return 0
    this.#producers.expire(now, producerIdExpirationMs)
    const expired = this.#expiredSegments(now)
    if (expired === 0) return 0
    if (expired === this.#segments.length) this.#roll(now)
    this.#moveLogStart(Math.max(this.#logStartOffset, this.#segments[expired]!.baseOffset))
    return this.#deleteUnreadableSegments()
  }

  /** Asks the disk to keep what was appended; when it did, the high watermark (with `fsync`) and the recovery point follow. */
  flush(): void {
    if (!this.#closed) this.#flusher.start(this.#logEndOffset)
  }

  /** Flushes, writes indexes and a producer snapshot, and closes the files. Throws StorageError. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    try {
      if (this.failure !== null) return
      this.#flusher.now(this.#logEndOffset)
      this.#segments.at(-1)!.saveIndexes()
      this.#producers.takeSnapshot()
    } finally {
      this.#release()
    }
  }

  /** Closes the files without writing anything: the log is about to be removed, or the process to be taken for dead. */
  abandon(): void {
    if (this.#closed) return
    this.#closed = true
    this.#release()
  }

  #checkUsable(): void {
    if (this.failure !== null) throw this.failure
    if (this.#closed) throw new LogError('KAFKA_STORAGE_ERROR', `${this.name} is closed`)
  }

  #duplicateResult(batch: ProducerBatch): AppendResult {
    return {
      baseOffset: batch.lastOffset - batch.offsetDelta,
      lastOffset: batch.lastOffset,
      logAppendTime: batch.timestamp,
      logStartOffset: this.#logStartOffset,
      duplicate: true,
    }
  }

  /** The segment that the next batch goes to; a new one when the active one has had its share. */
  #segmentFor(bytes: number, last: number, timestamp: number, now: number): Segment {
    const active = this.#segments.at(-1)!
    if (!mustRoll(active, this.#config, { bytes, last, timestamp, now })) return active
    return this.#roll(now)
  }

  #roll(now: number): Segment {
    const active = this.#segments.at(-1)!
    // Nothing to close: a segment that starts here is there already, and its first batch may exceed no limit of a new one.
    if (active.size === 0) return active
    active.saveIndexes()
    this.#producers.takeSnapshot()
    const segment = Segment.create(this.#storage, this.directory, this.#logEndOffset, now)
    if (this.#flush === 'fsync') this.#storage.syncDirectory(this.directory)
    active.unloadIndexes()
    this.#segments.push(segment)
    this.#flusher.start(this.#logEndOffset)
    return segment
  }

  #advanceHighWatermark(offset: number): void {
    this.#highWatermark = offset
    this.#notify()
  }

  #notify(): void {
    for (const listener of this.#listeners) listener.logChanged(this)
  }

  /** Decides when what was appended may be read, and so be answered for with acks=all. */
  #afterAppend(origin: AppendOptions['origin']): void {
    if (this.#flush === 'os') {
      this.#advanceHighWatermark(this.#logEndOffset)
    } else if (origin === 'client') {
      this.#flusher.start(this.#logEndOffset)
    } else {
      // Coordinators answer as soon as this returns.
      this.#flusher.now(this.#logEndOffset)
      this.#advanceHighWatermark(this.#logEndOffset)
    }
  }

  #flushed(): void {
    if (this.#closed || this.#flush === 'os') return
    if (this.failure !== null) {
      this.#notify()
      return
    }
    if (this.recoveryPoint > this.#highWatermark) this.#advanceHighWatermark(this.recoveryPoint)
    this.#flusher.start(this.#logEndOffset)
  }

  #moveLogStart(offset: number): void {
    const before = this.#logStartOffset
    if (offset <= before) return
    this.#logStartOffset = offset
    try {
      this.#onLogStartMoved(this)
    } catch (error) {
      // Nobody was told yet; what is not remembered has not happened.
      this.#logStartOffset = before
      throw error
    }
    this.#epochs.truncateFromStart(offset)
    this.#notify()
  }

  /** Removes the segments that end at or before the log start offset; never the active one. */
  #deleteUnreadableSegments(): number {
    let removed = 0
    this.#reader.forget()
    while (this.#segments.length > 1 && this.#segments[1]!.baseOffset <= this.#logStartOffset) {
      this.#segments.shift()!.delete()
      removed++
    }
    if (removed > 0) this.#producers.keepSnapshotsOf(new Set(this.#segments.map((segment) => segment.baseOffset)))
    return removed
  }

  #expiredSegments(now: number): number {
    return countExpired(this.#segments, this.#config, now, this.#highWatermark)
  }

  #release(): void {
    for (const segment of this.#segments) segment.close()
    this.#notify()
    this.#listeners.clear()
  }
}
