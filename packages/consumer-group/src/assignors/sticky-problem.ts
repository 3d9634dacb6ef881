import type { TopicPartition } from '../topic-partition.ts'
import { compareStrings, usesRacks, type Assignment, type GroupMember, type TopicLayout } from './assignor.ts'
import { inHashOrder, javaHashCode } from './java-hash-order.ts'

/** What a member says it had: in the subscription or, under the eager protocol, in the assignor's own user data. */
export interface Claim {
  readonly partitions: readonly TopicPartition[]
  /** -1 if it does not say. */
  readonly generationId: number
}

const HASH_PRIME = 31

/**
 * A group for the sticky assignors: partitions are numbers in order of topic and partition, members are numbers in the order in which Java's
 * assignor goes through them.
 */
export class StickyProblem {
  readonly members: readonly GroupMember[]
  readonly claims: readonly Claim[]
  /** Those that exist, in order. */
  readonly topics: readonly string[]
  readonly partitionCount: number
  /** For each partition the number of its topic. */
  readonly topicOf: Int32Array
  /** For each member the numbers of the topics it subscribes to. */
  readonly subscribed: ReadonlyArray<ReadonlySet<number>>
  /** For each member its place when member ids are sorted. */
  readonly rank: Int32Array
  /** For each member the partitions that are validly its own. */
  readonly owned: number[][]
  /** Claimed by two members of the same generation: neither is believed. */
  readonly contested: Set<number> = new Set()
  readonly maxGeneration: number
  readonly racks: RackMatch
  readonly #layouts: readonly TopicLayout[]
  readonly #first: readonly number[]
  readonly #topicNumbers: ReadonlyMap<string, number>

  constructor(
    layouts: ReadonlyMap<string, TopicLayout>,
    members: readonly GroupMember[],
    claimOf: (member: GroupMember) => Claim,
  ) {
    const byId = new Map(members.map((member) => [member.memberId, member]))
    this.members = inHashOrder([...byId.keys()]).map((id) => byId.get(id)!)
    this.claims = this.members.map(claimOf)
    this.maxGeneration = this.claims.reduce((most, claim) => Math.max(most, claim.generationId), -1)
    const wanted = new Set(members.flatMap((member) => member.topics))
    this.topics = [...wanted].filter((topic) => (layouts.get(topic)?.partitionCount ?? 0) > 0).sort(compareStrings)
    this.#topicNumbers = new Map(this.topics.map((topic, number) => [topic, number]))
    this.#layouts = this.topics.map((topic) => layouts.get(topic)!)
    let count = 0
    this.#first = this.#layouts.map(({ partitionCount }) => (count += partitionCount) - partitionCount)
    this.partitionCount = count
    this.topicOf = new Int32Array(count)
    this.#layouts.forEach(({ partitionCount }, topic) => {
      const first = this.#first[topic]!
      this.topicOf.fill(topic, first, first + partitionCount)
    })
    this.subscribed = this.members.map((member) => new Set(this.#numbersOf(member.topics)))
    this.rank = new Int32Array(this.members.length)
    const sorted = this.members.map((_, member) => member).sort((a, b) => this.#compareIds(a, b))
    sorted.forEach((member, rank) => (this.rank[member] = rank))
    this.owned = this.#validClaims()
    this.racks = new RackMatch(this.members, this.#racksByPartition())
  }

  /** Whether everyone subscribes to the same, topics that do not exist included. */
  get isUniform(): boolean {
    const first = new Set(this.members[0]?.topics)
    return this.members.every(({ topics }) => topics.length === first.size && topics.every((topic) => first.has(topic)))
  }

  /** -1 if there is no such partition. */
  numberOf({ topic, partition }: TopicPartition): number {
    const number = this.#topicNumbers.get(topic)
    if (number === undefined || partition < 0 || partition >= this.#layouts[number]!.partitionCount) return -1
    return this.#first[number]! + partition
  }

  partitionAt(number: number): TopicPartition {
    const topic = this.topicOf[number]!
    return { topic: this.topics[topic]!, partition: number - this.#first[topic]! }
  }

  /** The partition's number within its topic. */
  withinTopic(number: number): number {
    return number - this.#first[this.topicOf[number]!]!
  }

  sizeOf(topic: number): number {
    return this.#layouts[topic]!.partitionCount
  }

  /** org.apache.kafka.common.TopicPartition.hashCode */
  hashOf(number: number): number {
    const { topic, partition } = this.partitionAt(number)
    return (Math.imul(HASH_PRIME, HASH_PRIME + partition) + javaHashCode(topic)) | 0
  }

  assignmentOf(assigned: ReadonlyArray<readonly number[]>): Assignment {
    return new Map(this.members.map(({ memberId }, member) => [memberId, assigned[member]!.map((one) => this.partitionAt(one))]))
  }

  #numbersOf(topics: readonly string[]): number[] {
    return topics.flatMap((topic) => this.#topicNumbers.get(topic) ?? [])
  }

  #compareIds(a: number, b: number): number {
    return compareStrings(this.members[a]!.memberId, this.members[b]!.memberId)
  }

  /** Of two that claim a partition the one of the later generation is right; in the same generation neither is. */
  #validClaims(): number[][] {
    const owned: number[][] = this.members.map(() => [])
    const owners = new Map<number, number>()
    this.claims.forEach(({ partitions, generationId }, member) => {
      for (const partition of partitions) {
        const number = this.numberOf(partition)
        if (number < 0) continue
        const other = owners.get(number)
        if (other !== undefined) {
          const otherGeneration = this.claims[other]!.generationId
          if (generationId < otherGeneration) continue
          remove(owned[other]!, number)
          if (generationId === otherGeneration) this.contested.add(number)
        }
        owners.set(number, member)
        if (other === undefined || generationId > this.claims[other]!.generationId) owned[member]!.push(number)
      }
    })
    return owned
  }

  #racksByPartition(): Array<ReadonlySet<string>> {
    return Array.from(this.topicOf, (topic, number) => new Set(this.#layouts[topic]!.replicaRacks[this.withinTopic(number)]))
  }
}

/** Which members are in a rack with a replica of which partition; everyone is everywhere when racks tell nothing apart. */
export class RackMatch {
  /** False when racks play no part. */
  readonly isUsed: boolean
  readonly #memberRacks: ReadonlyArray<string | null>
  readonly #partitionRacks: ReadonlyArray<ReadonlySet<string>>
  /** For each partition how many members are near it; null when no member has a rack. */
  readonly #nearby: readonly number[] | null

  constructor(members: readonly GroupMember[], partitionRacks: ReadonlyArray<ReadonlySet<string>>) {
    const memberRacks = members.map(({ rackId }) => (rackId === null || rackId === '' ? null : rackId))
    const inRack = new Map<string, number>()
    for (const rack of memberRacks) if (rack !== null) inRack.set(rack, (inRack.get(rack) ?? 0) + 1)
    this.isUsed = usesRacks(new Set(inRack.keys()), partitionRacks)
    this.#memberRacks = this.isUsed ? memberRacks : []
    this.#partitionRacks = this.isUsed ? partitionRacks : []
    const near = (racks: ReadonlySet<string>): number => [...racks].reduce((sum, rack) => sum + (inRack.get(rack) ?? 0), 0)
    this.#nearby = inRack.size === 0 ? null : partitionRacks.map(near)
  }

  /** False for a member without a rack. */
  isFar(member: number, partition: number): boolean {
    const rack = this.#memberRacks[member] ?? null
    return rack !== null && !this.#partitionRacks[partition]!.has(rack)
  }

  /** False for a member without a rack, too. */
  isNear(member: number, partition: number): boolean {
    const rack = this.#memberRacks[member] ?? null
    return rack !== null && this.#partitionRacks[partition]!.has(rack)
  }

  /** Those with fewest members nearby first, while there is choice. */
  sortByNearby(partitions: readonly number[]): number[] {
    const nearby = this.#nearby
    return nearby === null ? [...partitions] : partitions.toSorted((a, b) => nearby[a]! - nearby[b]!)
  }

  /** The place of the next of the members, from `first` on and around, that is near; -1 if none is. */
  nextNear(partition: number, members: readonly number[], first: number): number {
    for (let step = 0; step < members.length; step++) {
      const at = (first + step) % members.length
      if (this.isNear(members[at]!, partition)) return at
    }
    return -1
  }
}

export function remove(list: number[], item: number): void {
  const at = list.indexOf(item)
  if (at >= 0) list.splice(at, 1)
}
