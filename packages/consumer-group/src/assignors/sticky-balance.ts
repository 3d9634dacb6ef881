import { compareTopicPartitions, TopicPartitionSet, type TopicPartition } from '../topic-partition.ts'
import { compareMembers, compareStrings, emptyAssignment, type Assignment, type GroupMember } from './assignor.ts'

/**
 * The aims of Java's AbstractStickyAssignor: no member could take over a partition from one that has at least two more
 * than it, and under that condition as many partitions as possible stay where they are.
 */
export function assignSticky(partitionCounts: ReadonlyMap<string, number>, members: readonly GroupMember[]): Assignment {
  return new StickyBalance(partitionCounts, members.toSorted(compareMembers)).run()
}

class StickyBalance {
  readonly #members: readonly GroupMember[]
  readonly #assignment: Assignment
  /** The subscribers of each topic that exists. */
  readonly #subscribers = new Map<string, GroupMember[]>()
  readonly #partitionCounts: ReadonlyMap<string, number>

  constructor(partitionCounts: ReadonlyMap<string, number>, members: readonly GroupMember[]) {
    this.#members = members
    this.#partitionCounts = partitionCounts
    this.#assignment = emptyAssignment(members)
    for (const member of members) {
      for (const topic of new Set(member.topics)) {
        if ((partitionCounts.get(topic) ?? 0) === 0) continue
        const list = this.#subscribers.get(topic)
        if (list === undefined) this.#subscribers.set(topic, [member])
        else list.push(member)
      }
    }
  }

  run(): Assignment {
    const kept = this.#keepOwned()
    for (const { topic, partition } of this.#unassigned(kept)) this.#leastLoaded(topic).push({ topic, partition })
    while (this.#moveOne());
    for (const partitions of this.#assignment.values()) partitions.sort(compareTopicPartitions)
    return this.#assignment
  }

  /** Everyone keeps what it validly owns. Of two that claim a partition the later generation is right; in the same one, none is. */
  #keepOwned(): TopicPartitionSet {
    const claims = new Map<string, Map<number, { owner: GroupMember | null; generation: number }>>()
    for (const member of this.#members) {
      const topics = new Set(member.topics)
      for (const { topic, partition } of member.ownedPartitions) {
        if (!topics.has(topic) || partition >= (this.#partitionCounts.get(topic) ?? 0)) continue
        let byPartition = claims.get(topic)
        if (byPartition === undefined) claims.set(topic, (byPartition = new Map()))
        const claim = byPartition.get(partition)
        if (claim === undefined || member.generationId > claim.generation) {
          byPartition.set(partition, { owner: member, generation: member.generationId })
        } else if (claim.generation === member.generationId && claim.owner !== member) claim.owner = null
      }
    }
    const kept = new TopicPartitionSet()
    for (const [topic, byPartition] of claims) {
      for (const [partition, { owner }] of byPartition) {
        if (owner === null) continue
        this.#assignment.get(owner.memberId)!.push({ topic, partition })
        kept.add(topic, partition)
      }
    }
    return kept
  }

  /** Those that fewest members can take come first, while there is choice. */
  #unassigned(kept: TopicPartitionSet): TopicPartition[] {
    const topics = [...this.#subscribers.keys()]
    topics.sort((a, b) => this.#subscribers.get(a)!.length - this.#subscribers.get(b)!.length || compareStrings(a, b))
    const partitions: TopicPartition[] = []
    for (const topic of topics) {
      for (let partition = 0; partition < this.#partitionCounts.get(topic)!; partition++) {
        if (!kept.has(topic, partition)) partitions.push({ topic, partition })
      }
    }
    return partitions
  }

  #leastLoaded(topic: string): TopicPartition[] {
    let least: TopicPartition[] | null = null
    for (const member of this.#subscribers.get(topic)!) {
      const partitions = this.#assignment.get(member.memberId)!
      if (least === null || partitions.length < least.length) least = partitions
    }
    return least!
  }

  /** Moves one partition from a member to one with at least two fewer, if there is any such pair; the most loaded gives first. */
  #moveOne(): boolean {
    const byLoad = this.#members.map((member) => this.#assignment.get(member.memberId)!).sort((a, b) => b.length - a.length)
    const lightest = byLoad.at(-1)?.length ?? 0
    for (const giver of byLoad) {
      if (giver.length - lightest < 2) return false
      for (let at = giver.length - 1; at >= 0; at--) {
        const taker = this.#leastLoaded(giver[at]!.topic)
        if (giver.length - taker.length < 2) continue
        taker.push(giver[at]!)
        giver.splice(at, 1)
        return true
      }
    }
    return false
  }
}
