import { WindowedStat } from '@millrace/client/internal'
import type { Accumulator } from './accumulator.ts'
import { BATCH_HEADER_BYTES } from './limits.ts'
import { NodeMetricsRecorder, type ProducerNodeMetrics } from './node-metrics.ts'
import type { ProducerBatch } from './producer-batch.ts'
import type { ProduceCall } from './sender.ts'
import { TopicMetricsRecorder, type ProducerTopicMetrics, type TopicTally } from './topic-metrics.ts'

const NANOSECONDS_PER_MS = 1e6

/**
 * Java's names and meanings (group `producer-metrics`). Rates are per second, averages and maxima are of about the last minute and `NaN` when
 * there was nothing, totals are since the producer began.
 */
export interface ProducerMetrics {
  /** Records in requests; a retry counts again. */
  readonly 'record-send-rate': number
  readonly 'record-send-total': number
  /** Records that failed for good. */
  readonly 'record-error-rate': number
  readonly 'record-error-total': number
  /** Records in requests that are not their first. */
  readonly 'record-retry-rate': number
  readonly 'record-retry-total': number
  /** Bytes of a record as it stands in its batch, before compression. (Java's average is that of the largest record of each batch.) */
  readonly 'record-size-avg': number
  readonly 'record-size-max': number
  /** Bytes of batches in requests, after compression. */
  readonly 'byte-rate': number
  readonly 'byte-total': number
  readonly 'batch-size-avg': number
  readonly 'batch-size-max': number
  /** What compression left of a batch's records: 1 without it. */
  readonly 'compression-rate-avg': number
  /** Batches that the broker found too large. */
  readonly 'batch-split-rate': number
  readonly 'batch-split-total': number
  readonly 'records-per-request-avg': number
  /** Milliseconds from a batch's first record to its request. */
  readonly 'record-queue-time-avg': number
  readonly 'record-queue-time-max': number
  readonly 'request-rate': number
  readonly 'request-total': number
  /** Milliseconds from a request to its answer. */
  readonly 'request-latency-avg': number
  readonly 'request-latency-max': number
  readonly 'requests-in-flight': number
  /** Milliseconds for which the answers asked to send no more (KIP-219); an answer that did not ask counts as 0. */
  readonly 'produce-throttle-time-avg': number
  readonly 'produce-throttle-time-max': number
  readonly 'buffer-total-bytes': number
  readonly 'buffer-available-bytes': number
  /** Sends that wait for buffer memory or metadata: nobody blocks a thread here. */
  readonly 'waiting-threads': number
  /** Nanoseconds that sends have waited for buffer memory, and for metadata, counted when they go on or fail. */
  readonly 'bufferpool-wait-time-ns-total': number
  readonly 'metadata-wait-time-ns-total': number
  /** Records for which no buffer memory came free in `maxBlockMs`. */
  readonly 'buffer-exhausted-rate': number
  readonly 'buffer-exhausted-total': number
  /** Nanoseconds that calls of `flush` have taken, to the millisecond. */
  readonly 'flush-time-ns-total': number
  /** Seconds since metadata last came; NaN before. */
  readonly 'metadata-age': number
  /** Connections to brokers that are in use or ready for it. */
  readonly 'connection-count': number
  /** By topic, those sent to lately. */
  readonly 'producer-topic-metrics': ReadonlyMap<string, ProducerTopicMetrics>
  /** By node id. */
  readonly 'producer-node-metrics': ReadonlyMap<number, ProducerNodeMetrics>
}

/** What others know when they are asked. */
interface Gauges {
  waitingSends(): number
  connections(): number
}

/** Counts per batch and per request, never per record. */
export class MetricsRecorder {
  readonly #bufferMemory: number
  readonly #accumulator: Accumulator
  readonly #gauges: Gauges = { waitingSends: () => 0, connections: () => 0 }
  readonly #topics = new TopicMetricsRecorder()
  readonly #nodes = new NodeMetricsRecorder()
  readonly #records = new WindowedStat()
  readonly #recordBytes = new WindowedStat()
  readonly #errors = new WindowedStat()
  readonly #retries = new WindowedStat()
  readonly #bytes = new WindowedStat()
  readonly #ratios = new WindowedStat()
  readonly #splits = new WindowedStat()
  readonly #queueTime = new WindowedStat()
  readonly #requests = new WindowedStat()
  readonly #latency = new WindowedStat()
  readonly #throttleTime = new WindowedStat()
  readonly #exhausted = new WindowedStat()
  #inFlight = 0
  #memoryWaitMs = 0
  #metadataWaitMs = 0
  #flushMs = 0
  #metadataAt = Number.NaN

  constructor(bufferMemory: number, accumulator: Accumulator) {
    this.#bufferMemory = bufferMemory
    this.#accumulator = accumulator
  }

  ask(gauges: Partial<Gauges>): void {
    Object.assign(this.#gauges, gauges)
  }

  requestSent(call: ProduceCall, now: number): void {
    let [bytes, largestBatch, records, recordBytes, largestRecord, ratios] = [0, 0, 0, 0, 0, 0]
    let [topic, tally] = ['', emptyTally()]
    for (const batch of call.batches) {
      const size = batch.sizeInBytes
      const ratio = batch.compressionRatio
      bytes += size
      largestBatch = Math.max(largestBatch, size)
      records += batch.recordCount
      recordBytes += batch.uncompressedBytes - BATCH_HEADER_BYTES
      largestRecord = Math.max(largestRecord, batch.largestRecordBytes)
      ratios += ratio
      if (batch.queue.topic.name !== topic) {
        if (tally.batches > 0) this.#topics.sent(topic, tally, now)
        topic = batch.queue.topic.name
        tally = emptyTally()
      }
      addTo(tally, batch, size, ratio)
      if (batch.attempts > 1) this.#retries.record(batch.recordCount, now)
      else this.#queueTime.record(now - batch.createdAt, now)
    }
    this.#topics.sent(topic, tally, now)
    this.#nodes.sent(call.node, bytes, now)
    this.#bytes.recordMany(bytes, call.batches.length, largestBatch, now)
    this.#recordBytes.recordMany(recordBytes, records, largestRecord, now)
    this.#ratios.recordMany(ratios, call.batches.length, Number.NaN, now)
    this.#records.record(records, now)
    this.#requests.record(1, now)
    this.#inFlight++
  }

  /** It was answered, or failed; without an answer there is no throttle time. */
  requestEnded(node: number, sentAt: number, now: number, throttleTimeMs: number | null): void {
    this.#latency.record(now - sentAt, now)
    this.#nodes.answered(node, now - sentAt, now)
    if (throttleTimeMs !== null) this.#throttleTime.record(throttleTimeMs, now)
    this.#inFlight--
  }

  failed(recordCount: number, now: number, topic?: string): void {
    this.#errors.record(recordCount, now)
    if (topic !== undefined) this.#topics.failed(topic, recordCount, now)
  }

  batchesSplit(count: number, now: number): void {
    this.#splits.record(count, now)
  }

  bufferExhausted(recordCount: number, now: number): void {
    this.#exhausted.record(recordCount, now)
  }

  /** A send waits no more: it goes on, or failed. */
  waited(forMetadataMs: number, forMemoryMs: number): void {
    this.#metadataWaitMs += forMetadataMs
    this.#memoryWaitMs += forMemoryMs
  }

  flushed(durationMs: number): void {
    this.#flushMs += durationMs
  }

  metadataCame(now: number): void {
    this.#metadataAt = now
  }

  read(now: number): ProducerMetrics {
    return {
      'record-send-rate': this.#records.rate(now),
      'record-send-total': this.#records.total,
      'record-error-rate': this.#errors.rate(now),
      'record-error-total': this.#errors.total,
      'record-retry-rate': this.#retries.rate(now),
      'record-retry-total': this.#retries.total,
      'record-size-avg': this.#recordBytes.average(now),
      'record-size-max': this.#recordBytes.max(now),
      'byte-rate': this.#bytes.rate(now),
      'byte-total': this.#bytes.total,
      'batch-size-avg': this.#bytes.average(now),
      'batch-size-max': this.#bytes.max(now),
      'compression-rate-avg': this.#ratios.average(now),
      'batch-split-rate': this.#splits.rate(now),
      'batch-split-total': this.#splits.total,
      'records-per-request-avg': this.#records.average(now),
      'record-queue-time-avg': this.#queueTime.average(now),
      'record-queue-time-max': this.#queueTime.max(now),
      'request-rate': this.#requests.rate(now),
      'request-total': this.#requests.total,
      'request-latency-avg': this.#latency.average(now),
      'request-latency-max': this.#latency.max(now),
      'requests-in-flight': this.#inFlight,
      'produce-throttle-time-avg': this.#throttleTime.average(now),
      'produce-throttle-time-max': this.#throttleTime.max(now),
      'buffer-total-bytes': this.#bufferMemory,
      'buffer-available-bytes': this.#accumulator.memoryFree,
      'waiting-threads': this.#gauges.waitingSends(),
      'bufferpool-wait-time-ns-total': this.#memoryWaitMs * NANOSECONDS_PER_MS,
      'metadata-wait-time-ns-total': this.#metadataWaitMs * NANOSECONDS_PER_MS,
      'buffer-exhausted-rate': this.#exhausted.rate(now),
      'buffer-exhausted-total': this.#exhausted.total,
      'flush-time-ns-total': this.#flushMs * NANOSECONDS_PER_MS,
      'metadata-age': (now - this.#metadataAt) / 1000,
      'connection-count': this.#gauges.connections(),
      'producer-topic-metrics': this.#topics.read(now),
      'producer-node-metrics': this.#nodes.read(now),
    }
  }
}

function emptyTally(): TopicTally {
  return { batches: 0, records: 0, retriedRecords: 0, bytes: 0, ratios: 0 }
}

function addTo(tally: TopicTally, batch: ProducerBatch, size: number, ratio: number): void {
  tally.batches++
  tally.records += batch.recordCount
  if (batch.attempts > 1) tally.retriedRecords += batch.recordCount
  tally.bytes += size
  tally.ratios += ratio
}
