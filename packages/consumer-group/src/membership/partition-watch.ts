import type { TopicLayout } from '../assignors/assignor.ts'

/** What the leader assigned by: how many partitions each topic had, and in which racks they were (KIP-881). */
export class PartitionWatch {
  #topics: readonly string[] | null = null
  #snapshot = ''
  /** The generation whose assignment was made by the snapshot. */
  #generationId = -1

  /** Null for who does not lead. */
  get topics(): readonly string[] | null {
    return this.#topics
  }

  /**
   * A static leader that comes back in the same generation assigns nothing (KIP-814): what it assigned by before counts, lest it miss what changed while it was away.
   * @param topics what the group subscribes to, whether it exists or not
   */
  start(
    topics: readonly string[],
    layouts: ReadonlyMap<string, TopicLayout>,
    generationId: number,
    skipsAssignment: boolean,
  ): void {
    this.#topics = topics
    if (skipsAssignment && generationId === this.#generationId) return
    this.#generationId = generationId
    this.#snapshot = this.#textOf(layouts)
  }

  stop(): void {
    this.#topics = null
  }

  /** Whether what is known now differs. False for who does not lead. */
  changed(layouts: ReadonlyMap<string, TopicLayout>): boolean {
    return this.#topics !== null && this.#textOf(layouts) !== this.#snapshot
  }

  #textOf(layouts: ReadonlyMap<string, TopicLayout>): string {
    return JSON.stringify(
      this.#topics!.map((topic) => {
        const layout = layouts.get(topic)
        return layout === undefined ? 0 : [layout.partitionCount, layout.replicaRacks.map((racks) => [...new Set(racks)].sort())]
      }),
    )
  }
}
