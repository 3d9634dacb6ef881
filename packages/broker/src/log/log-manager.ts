import { CHECKPOINT_INTERVAL_MS } from '../limits.ts'
import type { Storage } from '../storage/storage.ts'
import { OffsetCheckpoint, type CheckpointEntry } from './checkpoint-file.ts'
import type { LogConfig } from './log-config.ts'
import { DELETE_DIRECTORY_SUFFIX, STRAY_DIRECTORY_SUFFIX, parsePartitionDirectory, partitionDirectory } from './log-files.ts'
import type { FlushPolicy } from './log-types.ts'
import { PartitionLog } from './partition-log.ts'
import { readTopicId, writeTopicId } from './partition-metadata.ts'

const RECOVERY_POINTS = 'recovery-point-offset-checkpoint'
const LOG_STARTS = 'log-start-offset-checkpoint'
const HIGH_WATERMARKS = 'replication-offset-checkpoint'
/** `CleanShutdownFileHandler`. */
const CLEAN_SHUTDOWN = '.kafka_cleanshutdown'
const CLEAN_SHUTDOWN_CONTENT = '{"version":0,"brokerEpoch":-1}'

export interface LogManagerOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /**
   * When appended bytes are brought to the disk. `os` (default): when the system sees fit, which survives a killed process. `interval`: besides,
   * every `flushIntervalMs`. `fsync`: before a produce request with acks=all is answered, which survives a power failure.
   */
  readonly flush?: 'os' | 'interval' | 'fsync'
  /** Default 1000. */
  readonly flushIntervalMs?: number
  /** `log.retention.check.interval.ms`; default 5 minutes. */
  readonly retentionCheckIntervalMs?: number
  /** `producer.id.expiration.ms`; default 24 hours. */
  readonly producerIdExpirationMs?: number
}

/**
 * All logs of a data directory: which there are, how they are opened after a clean or an unclean end, and the files that say where
 * each stands. Kafka's `LogManager`. It has no timer: call `tick` when `deadline` has come.
 */
export class LogManager {
  readonly #storage: Storage
  readonly #now: () => number
  readonly #flush: FlushPolicy
  readonly #flushIntervalMs: number
  readonly #retentionCheckIntervalMs: number
  readonly #producerIdExpirationMs: number
  readonly #clean: boolean
  readonly #logs = new Map<string, PartitionLog>()
  readonly #recoveryPointFile: OffsetCheckpoint
  readonly #logStartFile: OffsetCheckpoint
  readonly #highWatermarkFile: OffsetCheckpoint
  readonly #recoveryPoints: Map<string, number>
  readonly #logStarts: Map<string, number>
  #nextFlush: number
  #nextCheckpoint: number
  #nextRetention: number
  #ticking = false
  #closed = false

  /** Reads how the last run ended; changes nothing before `begin`. Throws StorageError. */
  constructor(storage: Storage, options: LogManagerOptions) {
    const now = options.now()
    this.#storage = storage
    this.#now = options.now
    this.#flush = options.flush === 'fsync' ? 'fsync' : 'os'
    this.#flushIntervalMs = options.flush === 'interval' ? (options.flushIntervalMs ?? 1000) : Infinity
    this.#retentionCheckIntervalMs = options.retentionCheckIntervalMs ?? 5 * 60 * 1000
    this.#producerIdExpirationMs = options.producerIdExpirationMs ?? 24 * 60 * 60 * 1000
    this.#recoveryPointFile = new OffsetCheckpoint(storage, RECOVERY_POINTS)
    this.#logStartFile = new OffsetCheckpoint(storage, LOG_STARTS)
    this.#highWatermarkFile = new OffsetCheckpoint(storage, HIGH_WATERMARKS)
    this.#recoveryPoints = this.#recoveryPointFile.read()
    this.#logStarts = this.#logStartFile.read()
    this.#nextFlush = now + this.#flushIntervalMs
    this.#nextCheckpoint = now + CHECKPOINT_INTERVAL_MS
    this.#nextRetention = now + this.#retentionCheckIntervalMs
    this.#clean = storage.exists(CLEAN_SHUTDOWN)
  }

  /**
   * Must come before the first write: from here on a crash is seen as one. Apart from the constructor, so that a directory which
   * turns out to be another's keeps the mark of its clean end. Throws StorageError.
   */
  begin(): void {
    if (this.#clean) this.#storage.remove(CLEAN_SHUTDOWN)
    for (const name of this.#storage.list('')) if (name.endsWith(DELETE_DIRECTORY_SUFFIX)) this.#storage.removeDirectory(name)
  }

  /** Whether the last run on this directory ended cleanly; false for a new one. */
  get wasClean(): boolean {
    return this.#clean
  }

  /** All open logs. */
  logs(): Iterable<PartitionLog> {
    return this.#logs.values()
  }

  /**
   * Opens a partition's log, creating it when absent. A directory of another topic id -- its topic was deleted while the broker could not see
   * it -- is moved aside. Throws StorageError.
   */
  open(topic: string, topicId: string, partition: number, config: LogConfig): PartitionLog {
    const directory = partitionDirectory(topic, partition)
    const known = this.#logs.get(directory)
    if (known !== undefined) return known
    if (this.#storage.exists(directory)) {
      const owner = readTopicId(this.#storage, directory)
      if (owner !== null && owner !== topicId) this.#moveAside(directory)
    }
    const isNew = !this.#storage.exists(directory)
    if (isNew) this.#create(directory, topicId)
    const log = PartitionLog.open({
      storage: this.#storage,
      directory,
      topic,
      partition,
      config,
      flush: this.#flush,
      now: this.#now(),
      clean: this.#clean || isNew,
      recoveryPoint: this.#recoveryPoints.get(directory) ?? 0,
      logStartOffset: this.#logStarts.get(directory) ?? 0,
      producerIdExpirationMs: this.#producerIdExpirationMs,
      onLogStartMoved: () => this.#logStartMoved(),
    })
    this.#logs.set(directory, log)
    return log
  }

  reconfigure(log: PartitionLog, config: LogConfig): void {
    log.reconfigure(config)
  }

  /** Removes a log and its files. A crash in between leaves a directory that the next start removes. Throws StorageError. */
  delete(log: PartitionLog): void {
    const { directory } = log
    if (this.#logs.get(directory) === log) this.#logs.delete(directory)
    this.#recoveryPoints.delete(directory)
    this.#logStarts.delete(directory)
    log.abandon()
    const doomed = this.#unusedName(directory, DELETE_DIRECTORY_SUFFIX)
    this.#storage.rename(directory, doomed)
    this.#storage.removeDirectory(doomed)
  }

  /** Moves aside the partition directories that were not opened: they belong to no topic that is known. Returns their former names. */
  moveStraysAside(): string[] {
    const strays = this.#storage.list('').filter((name) => parsePartitionDirectory(name) !== null && !this.#logs.has(name))
    for (const name of strays) this.#moveAside(name)
    return strays
  }

  /** When `tick` has something to do. */
  get deadline(): number {
    return this.#closed ? Infinity : Math.min(this.#nextFlush, this.#nextCheckpoint, this.#nextRetention)
  }

  /** Retention, checkpoints and periodic flushes that are due. Throws StorageError when the disk refuses; the next call tries again. */
  tick(now: number): void {
    if (this.#closed) return
    if (now >= this.#nextFlush) {
      this.#nextFlush = now + this.#flushIntervalMs
      for (const log of this.#logs.values()) log.flush()
    }
    if (now >= this.#nextRetention) {
      this.#nextRetention = now + this.#retentionCheckIntervalMs
      this.applyRetention(now)
    }
    if (now >= this.#nextCheckpoint) {
      this.#nextCheckpoint = now + CHECKPOINT_INTERVAL_MS
      this.writeCheckpoints()
    }
  }

  /** Applies `retention.ms` and `retention.bytes` to all logs at once. Returns the number of segments removed. */
  applyRetention(now: number): number {
    let removed = 0
    this.#ticking = true
    try {
      for (const log of this.#logs.values()) removed += log.applyRetention(now, this.#producerIdExpirationMs)
    } finally {
      this.#ticking = false
      if (removed > 0) this.#writeLogStarts()
    }
    return removed
  }

  /** Writes down where each log stands. Throws StorageError. */
  writeCheckpoints(): void {
    this.#writeRecoveryPoints()
    this.#writeLogStarts()
    this.#highWatermarkFile.write(this.#offsets((log) => log.highWatermark))
  }

  /**
   * Closes all logs and leaves the mark of a clean end, unless a log could not be closed well: then the first such error is
   * thrown, after the others are closed, and the next start recovers.
   */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    let failure: unknown = null
    for (const log of this.#logs.values()) {
      try {
        if (log.failure !== null) failure ??= log.failure
        log.close()
      } catch (error) {
        failure ??= error
      }
    }
    this.writeCheckpoints()
    if (failure !== null) throw failure
    this.#storage.writeFile(CLEAN_SHUTDOWN, CLEAN_SHUTDOWN_CONTENT)
  }

  /** Lets go of all files without writing anything: what a killed process leaves behind. For simulations. */
  abandon(): void {
    this.#closed = true
    for (const log of this.#logs.values()) log.abandon()
  }

  #create(directory: string, topicId: string): void {
    // What the checkpoints say about this name was said of a topic that is gone. A crash must not apply it to the new one.
    this.#recoveryPoints.delete(directory)
    this.#logStarts.delete(directory)
    if (this.#recoveryPointFile.has(directory)) this.#writeRecoveryPoints()
    if (this.#logStartFile.has(directory)) this.#writeLogStarts()
    this.#storage.mkdir(directory)
    writeTopicId(this.#storage, directory, topicId)
    if (this.#flush === 'fsync') this.#storage.syncDirectory('')
  }

  #moveAside(directory: string): void {
    this.#recoveryPoints.delete(directory)
    this.#logStarts.delete(directory)
    this.#storage.rename(directory, this.#unusedName(directory, STRAY_DIRECTORY_SUFFIX))
  }

  /** Kafka puts a random id between name and suffix; a counter serves, and keeps runs repeatable. */
  #unusedName(directory: string, suffix: string): string {
    for (let attempt = 0; ; attempt++) {
      const name = `${directory}.${attempt}${suffix}`
      if (!this.#storage.exists(name)) return name
    }
  }

  #logStartMoved(): void {
    // At once, as a client was promised that the records are gone; during retention once for all logs.
    if (!this.#ticking) this.#writeLogStarts()
  }

  #writeLogStarts(): void {
    this.#logStartFile.write(this.#offsets((log) => log.logStartOffset, this.#logStarts))
  }

  #writeRecoveryPoints(): void {
    this.#recoveryPointFile.write(this.#offsets((log) => log.recoveryPoint, this.#recoveryPoints))
  }

  /** One line per open log, and per log that is not open yet as the file had it. */
  #offsets(of: (log: PartitionLog) => number, fromFile?: ReadonlyMap<string, number>): CheckpointEntry[] {
    const entries: CheckpointEntry[] = []
    for (const log of this.#logs.values()) entries.push({ topic: log.topic, partition: log.partition, offset: of(log) })
    for (const [directory, offset] of fromFile ?? []) {
      const parsed = parsePartitionDirectory(directory)
      if (parsed !== null && !this.#logs.has(directory)) entries.push({ ...parsed, offset })
    }
    return entries
  }
}
