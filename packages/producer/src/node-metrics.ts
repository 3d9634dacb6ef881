import { METRIC_NODES_MAX } from './limits.ts'
import { WindowedStat } from '@millrace/client/internal'

/** Java's group `producer-node-metrics`: what went to one broker, of Produce requests. */
export interface ProducerNodeMetrics {
  readonly 'request-rate': number
  readonly 'request-total': number
  /** Milliseconds from a request to its answer. */
  readonly 'request-latency-avg': number
  readonly 'request-latency-max': number
  /** Bytes of the batches in a request. */
  readonly 'request-size-avg': number
  readonly 'request-size-max': number
  readonly 'outgoing-byte-rate': number
  readonly 'outgoing-byte-total': number
}

class NodeStats {
  readonly requests = new WindowedStat()
  readonly bytes = new WindowedStat()
  readonly latency = new WindowedStat()

  read(now: number): ProducerNodeMetrics {
    return {
      'request-rate': this.requests.rate(now),
      'request-total': this.requests.total,
      'request-latency-avg': this.latency.average(now),
      'request-latency-max': this.latency.max(now),
      'request-size-avg': this.bytes.average(now),
      'request-size-max': this.bytes.max(now),
      'outgoing-byte-rate': this.bytes.rate(now),
      'outgoing-byte-total': this.bytes.total,
    }
  }
}

/** The metrics of each broker that was sent to; of more than `METRIC_NODES_MAX`, those that came first are forgotten. */
export class NodeMetricsRecorder {
  readonly #nodes = new Map<number, NodeStats>()

  sent(node: number, bytes: number, now: number): void {
    const stats = this.#of(node)
    stats.requests.record(1, now)
    stats.bytes.record(bytes, now)
  }

  answered(node: number, latencyMs: number, now: number): void {
    this.#of(node).latency.record(latencyMs, now)
  }

  read(now: number): ReadonlyMap<number, ProducerNodeMetrics> {
    return new Map(Array.from(this.#nodes, ([node, stats]) => [node, stats.read(now)]))
  }

  #of(node: number): NodeStats {
    let stats = this.#nodes.get(node)
    if (stats !== undefined) return stats
    stats = new NodeStats()
    if (this.#nodes.size >= METRIC_NODES_MAX) this.#nodes.delete(this.#nodes.keys().next().value!)
    this.#nodes.set(node, stats)
    return stats
  }
}
