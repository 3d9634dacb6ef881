import { WindowedStat } from '@millrace/client/internal'
import type { Accumulator } from './accumulator.ts'
import type { ProduceCall } from './sender.ts'

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
  /** Bytes of batches in requests, after compression. */
  readonly 'byte-rate': number
  readonly 'byte-total': number
  readonly 'batch-size-avg': number
  readonly 'batch-size-max': number
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
  readonly 'buffer-total-bytes': number
  readonly 'buffer-available-bytes': number
}

/** Counts per batch and per request, never per record. */
export class MetricsRecorder {
  readonly #bufferMemory: number
  readonly #accumulator: Accumulator
  readonly #records = new WindowedStat()
  readonly #errors = new WindowedStat()
  readonly #retries = new WindowedStat()
  readonly #bytes = new WindowedStat()
  readonly #queueTime = new WindowedStat()
  readonly #requests = new WindowedStat()
  readonly #latency = new WindowedStat()
  #inFlight = 0

  constructor(bufferMemory: number, accumulator: Accumulator) {
    this.#bufferMemory = bufferMemory
    this.#accumulator = accumulator
  }

  requestSent(call: ProduceCall, now: number): void {
    let records = 0
    for (const batch of call.batches) {
      records += batch.recordCount
      this.#bytes.record(batch.sizeInBytes, now)
      if (batch.attempts > 1) this.#retries.record(batch.recordCount, now)
      else this.#queueTime.record(now - batch.createdAt, now)
    }
    this.#records.record(records, now)
    this.#requests.record(1, now)
    this.#inFlight++
  }

  /** It was answered, or failed. */
  requestEnded(sentAt: number, now: number): void {
    this.#latency.record(now - sentAt, now)
    this.#inFlight--
  }

  failed(recordCount: number, now: number): void {
    this.#errors.record(recordCount, now)
  }

  read(now: number): ProducerMetrics {
    return {
      'record-send-rate': this.#records.rate(now),
      'record-send-total': this.#records.total,
      'record-error-rate': this.#errors.rate(now),
      'record-error-total': this.#errors.total,
      'record-retry-rate': this.#retries.rate(now),
      'record-retry-total': this.#retries.total,
      'byte-rate': this.#bytes.rate(now),
      'byte-total': this.#bytes.total,
      'batch-size-avg': this.#bytes.average(now),
      'batch-size-max': this.#bytes.max(now),
      'records-per-request-avg': this.#records.average(now),
      'record-queue-time-avg': this.#queueTime.average(now),
      'record-queue-time-max': this.#queueTime.max(now),
      'request-rate': this.#requests.rate(now),
      'request-total': this.#requests.total,
      'request-latency-avg': this.#latency.average(now),
      'request-latency-max': this.#latency.max(now),
      'requests-in-flight': this.#inFlight,
      'buffer-total-bytes': this.#bufferMemory,
      'buffer-available-bytes': this.#accumulator.memoryFree,
    }
  }
}
