interface NodeTimes {
  /** When there last was something for the node. */
  readyAt: number
  /** When something last could be sent to it. */
  drainedAt: number
}

/**
 * Which brokers take what there is for them (KIP-794; Java: RecordAccumulator.updateNodeLatencyStats). A broker that has all its requests in flight
 * for longer than the timeout counts as unavailable.
 */
export class NodeAvailability {
  readonly #timeoutMs: number
  readonly #times = new Map<number, NodeTimes>()

  /** @param timeoutMs 0: every broker counts as available */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /** There is something for the node. */
  note(node: number, now: number, canDrain: boolean): void {
    if (this.#timeoutMs === 0) return
    const times = this.#times.get(node)
    if (times === undefined) {
      this.#times.set(node, { readyAt: now, drainedAt: now })
      return
    }
    times.readyAt = now
    if (canDrain) times.drainedAt = now
  }

  isAvailable(node: number): boolean {
    const times = this.#times.get(node)
    return times === undefined || times.readyAt - times.drainedAt <= this.#timeoutMs
  }
}
