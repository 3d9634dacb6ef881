/**
 * Names by turns the members with the fewest partitions and those with the most, while partitions move between them. The members
 * are sorted once; both ends then grow towards the middle, as levels fill up or empty. Kafka's MemberAssignmentBalancer
 * (in UniformHeterogeneousAssignmentBuilder).
 */
export class MemberBalancer {
  readonly #sizes: readonly number[]
  readonly #sorted: number[]
  /** Members before this index were at the lowest level when its turn came. */
  #leastEnd = 0
  #leastLevel: number
  #nextLeast = 0
  /** Members from here … */
  #mostStart: number
  /** … to here were at the highest level; those behind have nothing to give up. */
  #mostEnd: number
  #mostLevel: number
  #nextMost: number

  /**
   * @param members indexes of those to balance, ascending
   * @param sizes how many partitions each member has now, by index; it changes while this is used
   */
  constructor(members: readonly number[], sizes: readonly number[]) {
    this.#sizes = sizes
    this.#sorted = members.toSorted((a, b) => sizes[a]! - sizes[b]! || a - b)
    this.#leastLevel = this.#sizeAt(0) - 1
    this.#mostStart = this.#mostEnd = this.#sorted.length
    this.#mostLevel = this.#sizeAt(this.#sorted.length - 1) + 1
    this.#nextMost = this.#sorted.length - 1
  }

  /** How much the members' sizes differ, before anything is moved. */
  get imbalance(): number {
    return this.#sizeAt(this.#sorted.length - 1) - this.#sizeAt(0)
  }

  get isBalanced(): boolean {
    return this.#mostLevel - this.#leastLevel <= 1
  }

  /** The next member to get a partition. */
  nextLeastLoaded(): number {
    if (this.#nextLeast >= this.#leastEnd) {
      // All of the level got one each: they are a level higher now, with those that were there already.
      this.#leastLevel++
      while (this.#leastEnd < this.#sorted.length && this.#sizeAt(this.#leastEnd) === this.#leastLevel) this.#leastEnd++
      this.#nextLeast = 0
    }
    return this.#sorted[this.#nextLeast++]!
  }

  /** The next member to give one up; -1 when there is none. */
  nextMostLoaded(): number {
    if (this.#nextMost < this.#mostStart) {
      // An empty range begins with whoever comes next, however few it has.
      if (this.#mostEnd <= this.#mostStart && this.#mostStart > 0) this.#mostLevel = this.#sizeAt(this.#mostStart - 1)
      else this.#mostLevel--
      while (this.#mostStart > 0 && this.#sizeAt(this.#mostStart - 1) === this.#mostLevel) this.#mostStart--
      this.#nextMost = this.#mostEnd - 1
    }
    return this.#nextMost < 0 ? -1 : this.#sorted[this.#nextMost--]!
  }

  /** The member that `nextMostLoaded` named has nothing to give up. */
  excludeMostLoaded(): void {
    const sorted = this.#sorted
    const last = this.#mostEnd - 1
    const excluded = sorted[this.#nextMost + 1]!
    sorted[this.#nextMost + 1] = sorted[last]!
    sorted[last] = excluded
    this.#mostEnd--
  }

  #sizeAt(index: number): number {
    return this.#sizes[this.#sorted[index]!]!
  }
}
