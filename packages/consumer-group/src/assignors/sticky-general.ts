import { StickyMovements } from './sticky-movements.ts'
import { remove, type StickyProblem } from './sticky-problem.ts'
import type { StickySolution } from './sticky-uniform.ts'

/**
 * The group in which subscriptions differ (Java: GeneralAssignmentBuilder): everyone keeps what it may keep, the rest goes to who has least, and then
 * partitions move from who has more to who has at least two fewer, as long as that makes it more even.
 */
export class GeneralBalance {
  readonly #problem: StickyProblem
  readonly #assigned: number[][]
  /** For each partition its member; -1 for none. */
  readonly #owner: Int32Array
  /** For each topic who subscribes to it. */
  readonly #subscribers: number[][]
  readonly #movements: StickyMovements
  /** Members that may still change, those with fewest partitions first. */
  #byLoad: number[] = []
  #mustRevoke = false

  constructor(problem: StickyProblem) {
    this.#problem = problem
    this.#assigned = problem.owned.map((partitions) => [...partitions])
    this.#owner = new Int32Array(problem.partitionCount).fill(-1)
    this.#assigned.forEach((partitions, member) => partitions.forEach((partition) => (this.#owner[partition] = member)))
    this.#subscribers = problem.topics.map(() => [])
    problem.subscribed.forEach((topics, member) => topics.forEach((topic) => this.#subscribers[topic]!.push(member)))
    this.#movements = new StickyMovements(problem)
  }

  solve(): StickySolution {
    const all = this.#partitionsByChoice()
    const kept = this.#keepOwned()
    const free = kept.size === 0 ? all : all.filter((partition) => !kept.has(partition))
    this.#byLoad = this.#assigned.map((_, member) => member).sort((a, b) => this.#compareLoads(a, b))
    const wasEmpty = this.#assigned.every((partitions) => partitions.length === 0)
    const rest = this.#problem.racks.isUsed
      ? free.filter((partition) => !this.#assignToLeast(partition, (member) => !this.#problem.racks.isFar(member, partition)))
      : free
    for (const partition of rest) this.#assignToLeast(partition, () => true)
    this.#balance(all, free, wasEmpty)
    return { assigned: this.#assigned, transfers: null }
  }

  #compareLoads(a: number, b: number): number {
    return this.#assigned[a]!.length - this.#assigned[b]!.length || this.#problem.rank[a]! - this.#problem.rank[b]!
  }

  /** Those that fewest members can take come first, while there is choice. */
  #partitionsByChoice(): number[] {
    const choice = (partition: number): number => this.#subscribers[this.#problem.topicOf[partition]!]!.length
    const partitions = Array.from({ length: this.#problem.partitionCount }, (_, partition) => partition)
    return partitions.sort((a, b) => choice(a) - choice(b) || a - b)
  }

  #keepOwned(): Set<number> {
    const kept = new Set<number>()
    this.#assigned.forEach((partitions, member) => {
      const keeps = partitions.filter((partition) => {
        const isSubscribed = this.#problem.subscribed[member]!.has(this.#problem.topicOf[partition]!)
        return isSubscribed && !this.#problem.racks.isFar(member, partition)
      })
      if (keeps.length < partitions.length) this.#mustRevoke = true
      this.#assigned[member] = keeps
      for (const partition of keeps) kept.add(partition)
    })
    return kept
  }

  #assignToLeast(partition: number, mayHave: (member: number) => boolean): boolean {
    const topic = this.#problem.topicOf[partition]!
    for (const member of this.#byLoad) {
      if (!this.#problem.subscribed[member]!.has(topic) || !mayHave(member)) continue
      this.#unlist(member)
      this.#assigned[member]!.push(partition)
      this.#owner[partition] = member
      this.#list(member)
      return true
    }
    return false
  }

  #balance(all: readonly number[], free: readonly number[], wasEmpty: boolean): void {
    const isMovable = (partition: number): boolean => this.#subscribers[this.#problem.topicOf[partition]!]!.length > 1
    const movable = all.filter(isMovable)
    this.#byLoad = this.#byLoad.filter((member) => this.#mayChange(member))
    const before = this.#assigned.map((partitions) => [...partitions])
    const previous = this.#previousOwners()
    if (!this.#mustRevoke) this.#moveAll(free.filter(isMovable), previous)
    const wasMoved = this.#moveAll(movable, previous)
    if (wasEmpty || !wasMoved || this.#unevenness(this.#assigned) < this.#unevenness(before)) return
    before.forEach((partitions, member) => (this.#assigned[member] = partitions))
  }

  /** Not one that has all it can get, none of which another one could have. */
  #mayChange(member: number): boolean {
    const topics = this.#problem.subscribed[member]!
    let most = 0
    for (const topic of topics) most += this.#problem.sizeOf(topic)
    const partitions = this.#assigned[member]!
    return partitions.length < most || partitions.some((one) => this.#subscribers[this.#problem.topicOf[one]!]!.length > 1)
  }

  /** Who had a partition in an earlier generation than the latest; of several the one in the latest of those. */
  #previousOwners(): Map<number, number> {
    const { claims, maxGeneration } = this.#problem
    const owners = new Map<number, number>()
    claims.forEach(({ partitions, generationId }, member) => {
      if (generationId >= maxGeneration) return
      for (const one of partitions) {
        const partition = this.#problem.numberOf(one)
        if (partition < 0) continue
        const other = owners.get(partition)
        if (other === undefined || generationId > claims[other]!.generationId) owners.set(partition, member)
      }
    })
    return owners
  }

  /** @returns whether anything was moved */
  #moveAll(partitions: readonly number[], previous: ReadonlyMap<number, number>): boolean {
    let wasMoved = false
    for (let isModified = true; isModified;) {
      isModified = false
      let isBalanced = this.#isBalanced()
      for (const partition of partitions) {
        if (isBalanced) break
        if (!this.#moveOne(partition, previous)) continue
        isModified = true
        wasMoved = true
        isBalanced = this.#isBalanced()
      }
    }
    return wasMoved
  }

  #moveOne(partition: number, previous: ReadonlyMap<number, number>): boolean {
    const owner = this.#owner[partition]!
    const topic = this.#problem.topicOf[partition]!
    const load = this.#assigned[owner]!.length
    const before = previous.get(partition)
    // Java's assignor gives it back to one that does not subscribe any more, too.
    if (before !== undefined && this.#problem.subscribed[before]!.has(topic) && load > this.#assigned[before]!.length + 1) {
      this.#move(partition, before)
      return true
    }
    if (!this.#subscribers[topic]!.some((other) => load > this.#assigned[other]!.length + 1)) return false
    this.#move(
      partition,
      this.#byLoad.find((member) => this.#problem.subscribed[member]!.has(topic))!,
    )
    return true
  }

  #move(wanted: number, to: number): void {
    const partition = this.#movements.inPlaceOf(wanted, this.#owner[wanted]!, to)
    const from = this.#owner[partition]!
    this.#unlist(from)
    this.#unlist(to)
    this.#movements.move(partition, from, to)
    remove(this.#assigned[from]!, partition)
    this.#assigned[to]!.push(partition)
    this.#owner[partition] = to
    this.#list(to)
    if (from !== to) this.#list(from)
  }

  /** Whether no member could take over a partition from one that has at least two more than it. */
  #isBalanced(): boolean {
    if (this.#byLoad.length === 0) return true
    const least = this.#assigned[this.#byLoad[0]!]!.length
    if (least >= this.#assigned[this.#byLoad.at(-1)!]!.length - 1) return true
    const most = new Int32Array(this.#problem.topics.length)
    for (const member of this.#byLoad) {
      const partitions = this.#assigned[member]!
      for (const partition of partitions) {
        const topic = this.#problem.topicOf[partition]!
        most[topic] = Math.max(most[topic]!, partitions.length)
      }
    }
    for (const member of this.#byLoad) {
      const load = this.#assigned[member]!.length
      for (const topic of this.#problem.subscribed[member]!) if (load + 1 < most[topic]!) return false
    }
    return true
  }

  /** The sum of all differences between two members' loads. */
  #unevenness(assigned: ReadonlyArray<readonly number[]>): number {
    const loads = this.#byLoad.map((member) => assigned[member]!.length).sort((a, b) => a - b)
    return loads.reduce((sum, load, at) => sum + load * (2 * at - loads.length + 1), 0)
  }

  #unlist(member: number): void {
    remove(this.#byLoad, member)
  }

  #list(member: number): void {
    let low = 0
    let high = this.#byLoad.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compareLoads(this.#byLoad[middle]!, member) < 0) low = middle + 1
      else high = middle
    }
    this.#byLoad.splice(low, 0, member)
  }
}
