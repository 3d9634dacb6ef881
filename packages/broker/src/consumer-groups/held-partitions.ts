import type { EpochAssignment } from './assignment.ts'

interface Holders {
  /** How many have each partition: one, or two while both a former and a next owner are on record. */
  readonly counts: Int32Array
  /** Of all partitions together. */
  total: number
}

/**
 * Which partitions any member of a group has. A copy costs next to nothing: what it shares with the original is copied when either of them changes it, and
 * that is as many bytes as the topic has partitions, four times.
 */
export class HeldPartitions {
  readonly #topics: Map<string, Holders>
  /** Those that no copy shares. */
  readonly #own = new Set<string>()

  constructor(from?: HeldPartitions) {
    this.#topics = new Map(from === undefined ? [] : from.#topics)
    if (from !== undefined) from.#own.clear()
  }

  has(topicId: string, partition: number): boolean {
    return (this.#topics.get(topicId)?.counts[partition] ?? 0) > 0
  }

  add(assignment: EpochAssignment): void {
    for (const [topicId, partitions] of assignment) this.#count(topicId, partitions.keys(), 1)
  }

  remove(assignment: EpochAssignment): void {
    for (const [topicId, partitions] of assignment) this.#count(topicId, partitions.keys(), -1)
  }

  #count(topicId: string, partitions: Iterable<number>, by: 1 | -1): void {
    const all = [...partitions]
    if (all.length === 0) return
    const holders = this.#writable(topicId, all.reduce((most, partition) => Math.max(most, partition), 0) + 1)
    for (const partition of all) holders.counts[partition]! += by
    holders.total += by * all.length
    if (holders.total > 0) return
    this.#topics.delete(topicId)
    this.#own.delete(topicId)
  }

  #writable(topicId: string, size: number): Holders {
    const known = this.#topics.get(topicId)
    if (known !== undefined && known.counts.length >= size && this.#own.has(topicId)) return known
    const counts = new Int32Array(Math.max(size, known?.counts.length ?? 0))
    if (known !== undefined) counts.set(known.counts)
    const holders = { counts, total: known?.total ?? 0 }
    this.#topics.set(topicId, holders)
    this.#own.add(topicId)
    return holders
  }
}
