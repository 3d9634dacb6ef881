import type { Assignment } from './assignment.ts'
import type { AssignorInput } from './assignor.ts'
import { compareUuids } from './java-order.ts'
import { MemberBalancer } from './member-balancer.ts'

/** Rounds of balancing; overlapping subscriptions converge slowly, and each round about halves what is left. */
const ROUNDS_MAX = 16
const NOBODY = -1

/**
 * For members with different subscriptions: each keeps what it had and still subscribes to, the rest goes to those with the fewest,
 * then partitions move from those with the most until no topic can be balanced better. Kafka's
 * UniformHeterogeneousAssignmentBuilder, decision by decision.
 */
export function assignHeterogeneous(input: AssignorInput): ReadonlyMap<string, Assignment> {
  const builder = new HeterogeneousAssignment(input)
  return builder.build()
}

class HeterogeneousAssignment {
  readonly #input: AssignorInput
  /** Indexes of members, ascending, by topic. */
  readonly #subscribers = new Map<string, number[]>()
  /** Who has each partition, by topic. */
  readonly #owners = new Map<string, number[]>()
  readonly #sizes: number[]
  readonly #result: Map<string, Set<number>>[]

  constructor(input: AssignorInput) {
    this.#input = input
    this.#sizes = input.members.map(() => 0)
    this.#result = input.members.map(() => new Map())
    for (const [index, { topics }] of input.members.entries()) {
      for (const topicId of topics) {
        const subscribers = this.#subscribers.get(topicId)
        if (subscribers !== undefined) {
          subscribers.push(index)
          continue
        }
        this.#subscribers.set(topicId, [index])
        this.#owners.set(topicId, Array<number>(input.partitionCount(topicId)).fill(NOBODY))
      }
    }
  }

  build(): ReadonlyMap<string, Assignment> {
    if (this.#subscribers.size === 0) return new Map()
    this.#keepCurrent()
    this.#assignFree()
    this.#balance()
    return new Map(this.#input.members.map(({ id }, index) => [id, this.#result[index]!]))
  }

  #keepCurrent(): void {
    for (const [index, { topics, current }] of this.#input.members.entries()) {
      for (const [topicId, partitions] of current) {
        if (!topics.has(topicId)) continue
        for (const partition of partitions) this.#give(topicId, partition, index)
      }
    }
  }

  #assignFree(): void {
    const topics = [...this.#owners.keys()].filter((topicId) => this.#owners.get(topicId)!.includes(NOBODY))
    for (const topicId of this.#sorted(topics)) {
      const balancer = new MemberBalancer(this.#subscribers.get(topicId)!, this.#sizes)
      for (const [partition, owner] of this.#owners.get(topicId)!.entries()) {
        if (owner === NOBODY) this.#give(topicId, partition, balancer.nextLeastLoaded())
      }
    }
  }

  #balance(): void {
    const topics = this.#sorted([...this.#subscribers.keys()].filter((topicId) => this.#subscribers.get(topicId)!.length > 1))
    let last = -1
    for (let round = 0; round < ROUNDS_MAX; round++) {
      for (const [index, topicId] of topics.entries()) {
        // A whole round without a move: nothing is left to do.
        if (index === last) return
        const moved = this.#balanceTopic(topicId)
        if (moved || last === -1) last = index
      }
    }
  }

  #balanceTopic(topicId: string): boolean {
    const balancer = new MemberBalancer(this.#subscribers.get(topicId)!, this.#sizes)
    if (balancer.imbalance <= 1) return false
    const givable = new Map<number, number[]>()
    for (const [partition, owner] of this.#owners.get(topicId)!.entries()) {
      const theirs = givable.get(owner)
      if (theirs === undefined) givable.set(owner, [partition])
      else theirs.push(partition)
    }
    let moved = false
    while (!balancer.isBalanced) {
      const partition = takeFromMostLoaded(balancer, givable)
      if (partition === undefined) break
      const receiver = balancer.nextLeastLoaded()
      if (balancer.isBalanced) break
      this.#give(topicId, partition, receiver)
      moved = true
    }
    return moved
  }

  /** Most partitions per subscriber first, then fewest subscribers, then by id. */
  #sorted(topics: readonly string[]): string[] {
    const { partitionCount } = this.#input
    const count = (topicId: string): number => this.#subscribers.get(topicId)!.length
    return topics.toSorted((a, b) => {
      const byLoad = partitionCount(b) / count(b) - partitionCount(a) / count(a)
      return byLoad || count(a) - count(b) || compareUuids(a, b)
    })
  }

  #give(topicId: string, partition: number, index: number): void {
    const owners = this.#owners.get(topicId)!
    const former = owners[partition]!
    if (former !== NOBODY) {
      const partitions = this.#result[former]!.get(topicId)!
      partitions.delete(partition)
      if (partitions.size === 0) this.#result[former]!.delete(topicId)
      this.#sizes[former]!--
    }
    const mine = this.#result[index]!
    let partitions = mine.get(topicId)
    if (partitions === undefined) mine.set(topicId, (partitions = new Set()))
    partitions.add(partition)
    owners[partition] = index
    this.#sizes[index]!++
  }
}

/** The last partition of the member with the most that has one of this topic left. */
function takeFromMostLoaded(balancer: MemberBalancer, givable: ReadonlyMap<number, number[]>): number | undefined {
  for (;;) {
    const member = balancer.nextMostLoaded()
    if (member === -1) return undefined
    const partition = givable.get(member)?.pop()
    if (partition !== undefined) return partition
    balancer.excludeMostLoaded()
  }
}
