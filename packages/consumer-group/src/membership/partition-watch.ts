/** What the leader assigned by: how many partitions each topic had. */
export class PartitionWatch {
  #counts: ReadonlyMap<string, number> | null = null

  /** Null for who does not lead. */
  get topics(): readonly string[] | null {
    return this.#counts === null ? null : [...this.#counts.keys()]
  }

  start(counts: ReadonlyMap<string, number>): void {
    this.#counts = new Map(counts)
  }

  stop(): void {
    this.#counts = null
  }

  /** Whether `counts` differ, for any topic that either knows. False for who does not lead. */
  changed(counts: ReadonlyMap<string, number>): boolean {
    const known = this.#counts
    if (known === null) return false
    for (const [topic, count] of counts) if ((known.get(topic) ?? 0) !== count) return true
    return false
  }
}
