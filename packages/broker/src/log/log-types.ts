import type { PartitionLog } from './partition-log.ts'

/** Told when a log has something new to say to whoever waits for it. */
export interface LogListener {
  /** The high watermark, the log start offset or the leader epoch moved, or the log failed or was closed. */
  logChanged(log: PartitionLog): void
}

export interface AppendOptions {
  /** Milliseconds since 1970. */
  readonly now: number
  /** `client` is validated in full; `coordinator` is a batch that this broker built. */
  readonly origin: 'client' | 'coordinator'
}

export interface AppendResult {
  readonly baseOffset: number
  readonly lastOffset: number
  /** The timestamp that the batch was given on a topic with LogAppendTime; -1 otherwise. */
  readonly logAppendTime: number
  readonly logStartOffset: number
  /** Whether the batch was in the log already; the offsets are those it got then. */
  readonly duplicate: boolean
}

/** When appended bytes count as safe. `os`: at once; a killed process loses nothing. `fsync`: when the disk has them. */
export type FlushPolicy = 'os' | 'fsync'
