import type { CommittedOffset } from './offset-records.ts'

/** The committed offsets of all groups: a map in step with the offsets topic. */
export class GroupOffsets {
  readonly #groups = new Map<string, Map<string, Map<number, CommittedOffset>>>()

  get(group: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#groups.get(group)?.get(topic)?.get(partition)
  }

  has(group: string): boolean {
    return this.#groups.has(group)
  }

  groupIds(): Iterable<string> {
    return this.#groups.keys()
  }

  /** By topic, then partition. */
  of(group: string): ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>> {
    return this.#groups.get(group) ?? new Map<string, Map<number, CommittedOffset>>()
  }

  set(group: string, topic: string, partition: number, commit: CommittedOffset): void {
    let topics = this.#groups.get(group)
    if (topics === undefined) this.#groups.set(group, (topics = new Map()))
    let partitions = topics.get(topic)
    if (partitions === undefined) topics.set(topic, (partitions = new Map()))
    partitions.set(partition, commit)
  }

  delete(group: string, topic: string, partition: number): void {
    const topics = this.#groups.get(group)
    const partitions = topics?.get(topic)
    if (topics === undefined || partitions === undefined) return
    partitions.delete(partition)
    if (partitions.size === 0) topics.delete(topic)
    if (topics.size === 0) this.#groups.delete(group)
  }
}
