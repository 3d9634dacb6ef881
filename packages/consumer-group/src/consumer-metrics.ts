import { WindowedStat } from '@millrace/client/internal'
import type { PartitionCursor } from './fetch/partition-cursor.ts'
import type { TopicPartition } from './topic-partition.ts'

/** Of one partition of ours, as of its last fetch; `NaN` before that. Java's metrics with the tags `topic` and `partition`. */
export interface PartitionMetrics extends TopicPartition {
  /** Offsets between the position and the end: with `read_committed`, the last stable offset. */
  readonly 'records-lag': number
  /** Offsets between the beginning of the log and the position. */
  readonly 'records-lead': number
}

/**
 * Java's names and meanings (groups `consumer-fetch-manager-metrics`, `consumer-coordinator-metrics` and `consumer-metrics`). Rates are per second,
 * averages, minima and maxima are of about the last minute and `NaN` when there was nothing, totals are since the consumer began.
 */
export interface ConsumerMetrics {
  /** The most records that a partition was behind, as its chunks were read. */
  readonly 'records-lag-max': number
  readonly 'records-lead-min': number
  readonly 'records-consumed-rate': number
  readonly 'records-consumed-total': number
  /** Bytes of fetched batches, before decompression. */
  readonly 'bytes-consumed-rate': number
  readonly 'bytes-consumed-total': number
  /** Milliseconds from a fetch to its answer, the broker's wait for data included. */
  readonly 'fetch-latency-avg': number
  readonly 'fetch-latency-max': number
  readonly 'fetch-rate': number
  readonly 'fetch-total': number
  /** Bytes of records in an answer. */
  readonly 'fetch-size-avg': number
  readonly 'fetch-size-max': number
  /** Records consumed for each fetch that was answered. */
  readonly 'records-per-request-avg': number
  readonly 'commit-latency-avg': number
  readonly 'commit-latency-max': number
  readonly 'commit-rate': number
  readonly 'commit-total': number
  readonly 'heartbeat-rate': number
  readonly 'heartbeat-total': number
  readonly 'heartbeat-response-time-max': number
  /** `NaN` before the first. */
  readonly 'last-heartbeat-seconds-ago': number
  readonly 'join-rate': number
  readonly 'join-total': number
  readonly 'sync-rate': number
  readonly 'sync-total': number
  /** Rebalances that brought an assignment. */
  readonly 'rebalance-total': number
  readonly 'assigned-partitions': number
  /** Since the application last asked for something, to within a quarter of `maxPollIntervalMs`; `NaN` before it did. */
  readonly 'last-poll-seconds-ago': number
  /** The part of the time in which the application waited for records, and not we for it. */
  readonly 'poll-idle-ratio-avg': number
  readonly partitions: readonly PartitionMetrics[]
}

const HEARTBEATS: ReadonlySet<string> = new Set(['Heartbeat', 'ConsumerGroupHeartbeat'])

/** Counts per fetch, per chunk of a partition and per request, never per record. */
export class MetricsRecorder {
  readonly #now: () => number
  readonly #records = new WindowedStat()
  readonly #bytes = new WindowedStat()
  readonly #lag = new WindowedStat()
  readonly #lead = new WindowedStat()
  readonly #fetchLatency = new WindowedStat()
  readonly #fetchSize = new WindowedStat()
  readonly #commits = new WindowedStat()
  readonly #heartbeats = new WindowedStat()
  readonly #joins = new WindowedStat()
  readonly #syncs = new WindowedStat()
  readonly #idle = new WindowedStat()
  readonly #busy = new WindowedStat()
  #heartbeatAt = Number.NaN
  #rebalances = 0
  /** When the application began to wait, or to work; NaN before its first loop. */
  #turnedAt = Number.NaN
  #isIdle = false

  constructor(now: () => number) {
    this.#now = now
  }

  /** A fetch was answered. */
  fetched(latencyMs: number, bytes: number): void {
    const now = this.#now()
    this.#fetchLatency.record(latencyMs, now)
    this.#fetchSize.record(bytes, now)
  }

  /** A chunk of the partition was handed out to its end. */
  consumed(cursor: PartitionCursor, records: number, bytes: number, end: number): void {
    const now = this.#now()
    this.#records.record(records, now)
    this.#bytes.record(bytes, now)
    if (end >= 0) this.#lag.record(Math.max(0, end - cursor.position), now)
    if (cursor.logStartOffset >= 0) this.#lead.record(Math.max(0, cursor.position - cursor.logStartOffset), now)
  }

  committed(latencyMs: number): void {
    this.#commits.record(latencyMs, this.#now())
  }

  /** The coordinator answered. */
  answered(api: string, latencyMs: number): void {
    const now = this.#now()
    if (HEARTBEATS.has(api)) {
      this.#heartbeats.record(latencyMs, now)
      this.#heartbeatAt = now
    } else if (api === 'JoinGroup') {
      this.#joins.record(latencyMs, now)
    } else if (api === 'SyncGroup') {
      this.#syncs.record(latencyMs, now)
    }
  }

  rebalanced(): void {
    this.#rebalances++
  }

  /** The application waits for us from now on, or does not any more. */
  turned(isIdle: boolean): void {
    if (this.#isIdle === isIdle && !Number.isNaN(this.#turnedAt)) return
    const now = this.#now()
    this.#countTurn(now)
    this.#isIdle = isIdle
  }

  read(cursors: Iterable<PartitionCursor>, askedAt: number, lagOf: (cursor: PartitionCursor) => number | null): ConsumerMetrics {
    const now = this.#now()
    if (!Number.isNaN(this.#turnedAt)) this.#countTurn(now)
    const partitions = Array.from(cursors, (cursor) => partitionMetrics(cursor, lagOf(cursor)))
    const fetches = this.#fetchLatency
    return {
      'records-lag-max': this.#lag.max(now),
      'records-lead-min': this.#lead.min(now),
      'records-consumed-rate': this.#records.rate(now),
      'records-consumed-total': this.#records.total,
      'bytes-consumed-rate': this.#bytes.rate(now),
      'bytes-consumed-total': this.#bytes.total,
      'fetch-latency-avg': fetches.average(now),
      'fetch-latency-max': fetches.max(now),
      'fetch-rate': fetches.countRate(now),
      'fetch-total': fetches.count,
      'fetch-size-avg': this.#fetchSize.average(now),
      'fetch-size-max': this.#fetchSize.max(now),
      'records-per-request-avg': this.#records.sum(now) / fetches.recentCount(now),
      'commit-latency-avg': this.#commits.average(now),
      'commit-latency-max': this.#commits.max(now),
      'commit-rate': this.#commits.countRate(now),
      'commit-total': this.#commits.count,
      'heartbeat-rate': this.#heartbeats.countRate(now),
      'heartbeat-total': this.#heartbeats.count,
      'heartbeat-response-time-max': this.#heartbeats.max(now),
      'last-heartbeat-seconds-ago': (now - this.#heartbeatAt) / 1000,
      'join-rate': this.#joins.countRate(now),
      'join-total': this.#joins.count,
      'sync-rate': this.#syncs.countRate(now),
      'sync-total': this.#syncs.count,
      'rebalance-total': this.#rebalances,
      'assigned-partitions': partitions.length,
      'last-poll-seconds-ago': askedAt === 0 ? Number.NaN : (now - askedAt) / 1000,
      'poll-idle-ratio-avg': this.#idle.sum(now) / (this.#idle.sum(now) + this.#busy.sum(now)),
      partitions,
    }
  }

  #countTurn(now: number): void {
    if (!Number.isNaN(this.#turnedAt)) (this.#isIdle ? this.#idle : this.#busy).record(now - this.#turnedAt, now)
    this.#turnedAt = now
  }
}

function partitionMetrics(cursor: PartitionCursor, lag: number | null): PartitionMetrics {
  const { topic, partition, position, logStartOffset } = cursor
  const isKnown = position >= 0 && logStartOffset >= 0
  return {
    topic,
    partition,
    'records-lag': lag ?? Number.NaN,
    'records-lead': isKnown ? Math.max(0, position - logStartOffset) : Number.NaN,
  }
}
