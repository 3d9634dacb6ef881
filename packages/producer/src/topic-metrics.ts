import { METRIC_TOPICS_MAX } from './limits.ts'
import { WindowedStat } from '@millrace/client/internal'

/** Java's group `producer-topic-metrics`: one topic's share of what `ProducerMetrics` says of all. */
export interface ProducerTopicMetrics {
  readonly 'record-send-rate': number
  readonly 'record-send-total': number
  readonly 'byte-rate': number
  readonly 'byte-total': number
  /** What compression left of the records, on average: 1 without it. */
  readonly 'compression-rate': number
  readonly 'record-retry-rate': number
  readonly 'record-retry-total': number
  readonly 'record-error-rate': number
  readonly 'record-error-total': number
}

/** What the batches of one topic in one request come to. */
export interface TopicTally {
  batches: number
  records: number
  retriedRecords: number
  bytes: number
  /** Sum of the batches' ratios of compression. */
  ratios: number
}

class TopicStats {
  readonly records = new WindowedStat()
  readonly bytes = new WindowedStat()
  readonly ratios = new WindowedStat()
  readonly retries = new WindowedStat()
  readonly errors = new WindowedStat()

  read(now: number): ProducerTopicMetrics {
    return {
      'record-send-rate': this.records.rate(now),
      'record-send-total': this.records.total,
      'byte-rate': this.bytes.rate(now),
      'byte-total': this.bytes.total,
      'compression-rate': this.ratios.average(now),
      'record-retry-rate': this.retries.rate(now),
      'record-retry-total': this.retries.total,
      'record-error-rate': this.errors.rate(now),
      'record-error-total': this.errors.total,
    }
  }
}

/** The metrics of the topics that were sent to lately, at most `METRIC_TOPICS_MAX` of them: whoever is forgotten begins anew. */
export class TopicMetricsRecorder {
  /** Two generations, of which the elder goes when the younger is full, so that no topic needs to be looked for. */
  #recent = new Map<string, TopicStats>()
  #earlier = new Map<string, TopicStats>()

  sent(topic: string, tally: TopicTally, now: number): void {
    const stats = this.#of(topic)
    stats.records.record(tally.records, now)
    stats.bytes.record(tally.bytes, now)
    stats.ratios.recordMany(tally.ratios, tally.batches, Number.NaN, now)
    if (tally.retriedRecords > 0) stats.retries.record(tally.retriedRecords, now)
  }

  failed(topic: string, recordCount: number, now: number): void {
    this.#of(topic).errors.record(recordCount, now)
  }

  read(now: number): ReadonlyMap<string, ProducerTopicMetrics> {
    const metrics = new Map<string, ProducerTopicMetrics>()
    for (const [topic, stats] of this.#earlier) metrics.set(topic, stats.read(now))
    for (const [topic, stats] of this.#recent) metrics.set(topic, stats.read(now))
    return metrics
  }

  #of(topic: string): TopicStats {
    const known = this.#recent.get(topic)
    if (known !== undefined) return known
    const stats = this.#earlier.get(topic) ?? new TopicStats()
    this.#earlier.delete(topic)
    if (this.#recent.size >= METRIC_TOPICS_MAX / 2) {
      this.#earlier = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(topic, stats)
    return stats
  }
}
