export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** Of a map's entry for the partition. */
export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic} ${partition}`
}

/** Orders by topic, then by partition, as Java sorts them (UTF-16 code units, not a locale). */
export function compareTopicPartitions(a: TopicPartition, b: TopicPartition): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1
  return a.partition - b.partition
}

/** Partitions by topic, for quick membership tests. */
export class TopicPartitionSet {
  readonly #byTopic = new Map<string, Set<number>>()
  #size = 0

  constructor(partitions: Iterable<TopicPartition> = []) {
    for (const { topic, partition } of partitions) this.add(topic, partition)
  }

  get size(): number {
    return this.#size
  }

  has(topic: string, partition: number): boolean {
    return this.#byTopic.get(topic)?.has(partition) ?? false
  }

  add(topic: string, partition: number): void {
    let partitions = this.#byTopic.get(topic)
    if (partitions === undefined) this.#byTopic.set(topic, (partitions = new Set()))
    if (partitions.has(partition)) return
    partitions.add(partition)
    this.#size++
  }
}

/** What is in `from` and not in `without`. */
export function difference(from: readonly TopicPartition[], without: readonly TopicPartition[]): TopicPartition[] {
  const excluded = new TopicPartitionSet(without)
  return from.filter(({ topic, partition }) => !excluded.has(topic, partition))
}

/** Grouped by topic, in order of first appearance. */
export function groupByTopic(partitions: Iterable<TopicPartition>): Map<string, number[]> {
  const groups = new Map<string, number[]>()
  for (const { topic, partition } of partitions) {
    const group = groups.get(topic)
    if (group === undefined) groups.set(topic, [partition])
    else group.push(partition)
  }
  return groups
}
