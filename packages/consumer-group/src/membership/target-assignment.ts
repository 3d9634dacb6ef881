import type { TopicPartition } from '../topic-partition.ts'

interface IdPartitions {
  readonly topicId: string
  readonly partitions: readonly number[]
}

/**
 * Partitions by topic id, in one order. `serial` tells apart assignments with the same partitions that came one after the other, each of which
 * is to be acknowledged (Java: LocalAssignment).
 */
export class TargetAssignment {
  static readonly none: TargetAssignment = new TargetAssignment(-1, [])
  readonly serial: number
  readonly topics: readonly IdPartitions[]
  readonly #text: string

  constructor(serial: number, topics: readonly IdPartitions[]) {
    this.serial = serial
    this.topics = topics
      .map(({ topicId, partitions }) => ({ topicId, partitions: [...new Set(partitions)].sort((a, b) => a - b) }))
      .filter(({ partitions }) => partitions.length > 0)
      .sort((a, b) => (a.topicId < b.topicId ? -1 : 1))
    this.#text = JSON.stringify(this.topics)
  }

  get isNone(): boolean {
    return this.serial < 0
  }

  hasSamePartitions(other: TargetAssignment): boolean {
    return this.#text === other.#text
  }

  equals(other: TargetAssignment): boolean {
    return this.serial === other.serial && this.hasSamePartitions(other)
  }

  /** This one, if it has these partitions already; else the next one. */
  followedBy(topics: readonly IdPartitions[]): TargetAssignment {
    const next = new TargetAssignment(this.serial + 1, topics)
    return !this.isNone && this.hasSamePartitions(next) ? this : next
  }

  /** What is owned of it already, be it as a partition of a topic that had the name before. */
  among(owned: readonly TopicPartition[], names: ReadonlyMap<string, string>): TargetAssignment {
    const kept = new Set(owned.map(({ topic, partition }) => `${topic} ${partition}`))
    const topics = this.topics.map(({ topicId, partitions }) => {
      return { topicId, partitions: partitions.filter((one) => kept.has(`${names.get(topicId)} ${one}`)) }
    })
    return new TargetAssignment(this.serial, topics)
  }

  /** As far as there are names. */
  resolvedBy(names: ReadonlyMap<string, string>): TargetAssignment {
    return new TargetAssignment(
      this.serial,
      this.topics.filter(({ topicId }) => names.has(topicId)),
    )
  }

  partitionsBy(names: ReadonlyMap<string, string>): TopicPartition[] {
    return this.topics.flatMap(({ topicId, partitions }) => {
      const topic = names.get(topicId)
      return topic === undefined ? [] : partitions.map((partition) => ({ topic, partition }))
    })
  }
}
