import { baseOffset, isControl, lastOffset, partitionLeaderEpoch } from '@millrace/records/internal'
import { PRODUCER_RECALL_BYTES } from '../limits.ts'
import type { Storage } from '../storage/storage.ts'
import { BatchScanner } from './batch-scanner.ts'
import { finishInterruptedSwaps } from './interrupted-swaps.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import type { LogConfig } from './log-config.ts'
import { LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX, offsetOfFileName } from './log-files.ts'
import type { FlushPolicy } from './log-types.ts'
import type { PartitionLog } from './partition-log.ts'
import { ProducerState } from './producer-state.ts'
import { Segment } from './segment.ts'

/** Where a log comes from and what is known about how it was left. */
export interface LogOrigin {
  readonly storage: Storage
  readonly directory: string
  readonly topic: string
  readonly partition: number
  readonly config: LogConfig
  readonly flush: FlushPolicy
  readonly now: number
  /** Whether the broker that wrote it shut down cleanly. */
  readonly clean: boolean
  /** Below it the disk has everything for certain. */
  readonly recoveryPoint: number
  /** From the checkpoint; 0 when it names none. */
  readonly logStartOffset: number
  readonly producerIdExpirationMs: number
  /** Called when the log start offset moved, so that it is remembered. */
  readonly onLogStartMoved: (log: PartitionLog) => void
}

export interface LoadedLog {
  /** Ascending, at least one. */
  readonly segments: Segment[]
  readonly producers: ProducerState
  readonly epochs: LeaderEpochs
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly recoveryPoint: number
  /** Bytes that recovery cut off because they were torn or corrupt. */
  readonly bytesCut: number
}

/** Brings a partition's directory into a consistent state and in memory: Kafka's `LogLoader`. Throws StorageError. */
export function loadLog(origin: LogOrigin): LoadedLog {
  const { storage, directory } = origin
  storage.mkdir(directory)
  finishInterruptedSwaps(storage, directory)
  const epochs = new LeaderEpochs(storage, directory)
  const segments: Segment[] = []
  const bytesCut = openSegments(origin, segments, epochs)
  if (segments.length === 0) {
    segments.push(Segment.create(storage, directory, origin.logStartOffset, origin.now))
    // What is flushed into a file helps nobody when its name is gone after a power failure.
    if (origin.flush === 'fsync') storage.syncDirectory(directory)
  }
  const logEndOffset = segments.at(-1)!.nextOffset()
  const logStartOffset = Math.min(Math.max(origin.logStartOffset, segments[0]!.baseOffset), logEndOffset)
  epochs.truncateFromEnd(logEndOffset)
  epochs.truncateFromStart(logStartOffset)
  const producers = loadProducers(origin, segments, logStartOffset, logEndOffset)
  const recoveryPoint = Math.min(origin.clean ? logEndOffset : origin.recoveryPoint, logEndOffset)
  return { segments, producers, epochs, logStartOffset, logEndOffset, recoveryPoint, bytesCut }
}

/** Opens the segments in order, and recovers those that need it. Everything after a cut is removed. */
function openSegments(origin: LogOrigin, segments: Segment[], epochs: LeaderEpochs): number {
  const { storage, directory } = origin
  const names = storage.list(directory)
  const bases = names.map((name) => offsetOfFileName(name, LOG_SUFFIX)).filter((base) => base !== null)
  removeOrphanIndexes(storage, directory, names, new Set(bases))
  for (const [index, base] of bases.entries()) {
    const next = bases[index + 1] ?? Infinity
    const { segment, sound } = Segment.open(storage, directory, base, next, origin.now)
    segments.push(segment)
    const unflushed = !origin.clean && next > origin.recoveryPoint
    // A directory that was copied while its broker ran has no end that can be trusted, whatever its marker says.
    const torn = next === Infinity && endsTorn(segment)
    if (sound && !unflushed && !torn) continue
    const cut = segment.recover(origin.config.indexIntervalBytes, (buffer, at) => {
      epochs.assign(partitionLeaderEpoch(buffer, at), baseOffset(buffer, at))
    })
    // What a killed broker wrote counts as stored from here on, so the disk has to have it.
    if (origin.flush === 'fsync') segment.file.sync()
    if (cut === 0) continue
    return cut + removeSegments(origin, bases.slice(index + 1))
  }
  return 0
}

function endsTorn(segment: Segment): boolean {
  const scanner = new BatchScanner(segment.file, segment.positionBefore(Number.MAX_SAFE_INTEGER))
  while (scanner.next());
  return scanner.stoppedEarly
}

function removeSegments(origin: LogOrigin, bases: readonly number[]): number {
  let bytes = 0
  for (const base of bases) {
    const { segment } = Segment.open(origin.storage, origin.directory, base, Infinity, origin.now)
    bytes += segment.size
    segment.delete()
  }
  return bytes
}

function removeOrphanIndexes(storage: Storage, directory: string, names: string[], bases: ReadonlySet<number>): void {
  for (const name of names) {
    for (const suffix of [OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX]) {
      const base = offsetOfFileName(name, suffix)
      if (base !== null && !bases.has(base)) storage.remove(`${directory}/${name}`)
    }
  }
}

/** Producers from the newest snapshot, brought up to the end of the log by reading the batches after it. */
function loadProducers(
  origin: LogOrigin,
  segments: readonly Segment[],
  logStartOffset: number,
  logEndOffset: number,
): ProducerState {
  const producers = new ProducerState(origin.storage, origin.directory)
  producers.keepSnapshotsOf(new Set(segments.map((segment) => segment.baseOffset)))
  const from = producers.reload(logStartOffset, logEndOffset)
  if (producers.size > 0) recallBatches(producers, segments, from)
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1]?.baseOffset ?? logEndOffset
    if (next <= from) continue
    const scanner = new BatchScanner(segment.file, from > segment.baseOffset ? segment.positionBefore(from) : 0)
    while (scanner.next()) {
      if (lastOffset(scanner.buffer, scanner.at) < from) continue
      if (isControl(scanner.buffer, scanner.at)) scanner.load()
      producers.update(scanner.buffer, scanner.at)
    }
  }
  producers.advanceTo(logEndOffset)
  producers.expire(origin.now, origin.producerIdExpirationMs)
  return producers
}

/** Looks at the batches shortly before a snapshot, for those that clients may send again. */
function recallBatches(producers: ProducerState, segments: readonly Segment[], snapshotOffset: number): void {
  const before = segments.filter((segment) => segment.baseOffset < snapshotOffset)
  let bytes = 0
  let first = before.length
  while (first > 0 && bytes < PRODUCER_RECALL_BYTES) bytes += before[--first]!.size
  for (const segment of before.slice(first)) {
    const start = segment === before[first] ? segment.batchStartBefore(Math.max(0, bytes - PRODUCER_RECALL_BYTES)) : 0
    const scanner = new BatchScanner(segment.file, start)
    while (scanner.next() && lastOffset(scanner.buffer, scanner.at) < snapshotOffset) producers.recall(scanner.buffer, scanner.at)
  }
}
