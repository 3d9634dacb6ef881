import { UNAVAILABLE_NODE_RETRY_MS } from './limits.ts'

interface NodeTimes {
  /** When there last was something for the node. */
  readyAt: number
  /** When something last could be sent to it. */
  drainedAt: number
  /** Whether its last request had no answer: its port is closed, its connection was lost, or it hangs. */
  isFailing: boolean
}

/**
 * Which brokers take what there is for them (KIP-794; Java: RecordAccumulator.updateNodeLatencyStats, Sender.sendProducerData). A broker that for longer
 * than the timeout has all its requests in flight, or does not answer any, counts as unavailable.
 */
export class NodeAvailability {
  readonly #timeoutMs: number
  readonly #times = new Map<number, NodeTimes>()
  #now = 0

  /** @param timeoutMs 0: every broker counts as available */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /** There is something for the node. */
  note(node: number, now: number, canDrain: boolean): void {
    if (this.#timeoutMs === 0) return
    this.#now = now
    const times = this.#of(node, now)
    // In Java a broker that got nothing any more, because it was unavailable, stays so; here it begins anew.
    if ((canDrain && !times.isFailing) || now - times.readyAt > UNAVAILABLE_NODE_RETRY_MS) times.drainedAt = now
    times.readyAt = now
  }

  /** A request to the node was answered, or had no answer. */
  answered(node: number, now: number, isAnswered: boolean): void {
    if (this.#timeoutMs > 0) this.#of(node, now).isFailing = !isAnswered
  }

  /** What time it is for `isAvailable`. */
  tick(now: number): void {
    this.#now = now
  }

  /** As of the last `note` or `tick`. Who got nothing for half a minute may get something again: else nobody would notice that it is back. */
  isAvailable(node: number): boolean {
    const times = this.#times.get(node)
    if (times === undefined || times.readyAt - times.drainedAt <= this.#timeoutMs) return true
    return this.#now - times.readyAt > UNAVAILABLE_NODE_RETRY_MS
  }

  #of(node: number, now: number): NodeTimes {
    let times = this.#times.get(node)
    if (times === undefined) {
      times = { readyAt: now, drainedAt: now, isFailing: false }
      this.#times.set(node, times)
    }
    return times
  }
}
