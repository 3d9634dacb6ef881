import { remove, type StickyProblem } from './sticky-problem.ts'

export interface StickySolution {
  /** For each member its partitions. */
  readonly assigned: number[][]
  /** Partitions that go to another member than the one that has them, with the member that gets them; null: not known. */
  readonly transfers: ReadonlyMap<number, number> | null
}

/**
 * The group in which all subscribe to the same topics (Java: ConstrainedAssignmentBuilder): everyone gets the same number, or one more; who has no
 * more than that keeps it, and what is left goes to those that lack some, in turn.
 */
export class UniformBalance {
  readonly #problem: StickyProblem
  readonly #assigned: number[][]
  readonly #transfers = new Map<number, number>()
  /** Taken from whom, unless it comes back to it. */
  readonly #takenFrom = new Map<number, number>()
  readonly #minQuota: number
  readonly #maxQuota: number
  /** How many more members may get one more than `minQuota`. */
  #roomAbove: number
  /** Members with fewer than `minQuota`. */
  #lacking: number[] = []
  /** Members with `minQuota` that may get one more. */
  #even: number[] = []

  constructor(problem: StickyProblem) {
    this.#problem = problem
    const { partitionCount, members } = problem
    this.#assigned = members.map(() => [])
    this.#minQuota = Math.floor(partitionCount / members.length)
    this.#maxQuota = Math.ceil(partitionCount / members.length)
    this.#roomAbove = partitionCount % members.length
  }

  solve(): StickySolution {
    this.#problem.members.forEach((_, member) => this.#keepOwned(member))
    const kept = new Set(this.#assigned.flat())
    const free: number[] = []
    for (let partition = 0; partition < this.#problem.partitionCount; partition++) if (!kept.has(partition)) free.push(partition)
    const byId = (a: number, b: number): number => this.#problem.rank[a]! - this.#problem.rank[b]!
    this.#lacking.sort(byId)
    this.#even.sort(byId)
    this.#dealOut(this.#dealOutByRack(this.#problem.racks.sortByNearby(free)))
    return { assigned: this.#assigned, transfers: this.#transfers }
  }

  #keepOwned(member: number): void {
    const { owned, racks, contested } = this.#problem
    const kept: number[] = []
    for (const partition of owned[member]!) {
      if (racks.isFar(member, partition)) this.#takenFrom.set(partition, member)
      else if (!contested.has(partition)) kept.push(partition)
    }
    kept.sort((a, b) => this.#problem.withinTopic(a) - this.#problem.withinTopic(b) || a - b)
    if (kept.length < this.#minQuota) {
      this.#assigned[member] = kept
      this.#lacking.push(member)
      return
    }
    const isAbove = kept.length >= this.#maxQuota && this.#roomAbove > 0
    const quota = isAbove ? this.#maxQuota : this.#minQuota
    for (const partition of kept.splice(quota)) this.#takenFrom.set(partition, member)
    this.#assigned[member] = kept
    if (isAbove) this.#takeRoomAbove()
    else if (this.#roomAbove > 0) this.#even.push(member)
  }

  #takeRoomAbove(): void {
    this.#roomAbove--
    if (this.#roomAbove === 0) this.#even = []
  }

  /** @returns what found no member nearby that may have it */
  #dealOutByRack(free: readonly number[]): number[] {
    if (!this.#problem.racks.isUsed) return [...free]
    let turn = 0
    return free.filter((partition) => {
      const at = this.#problem.racks.nextNear(partition, this.#lacking, turn)
      if (at >= 0) {
        turn = this.#giveLacking(partition, at)
        return false
      }
      const above = this.#problem.racks.nextNear(partition, this.#even, 0)
      if (above < 0) return true
      const member = this.#even[above]!
      if (this.#assigned[member]!.length + 1 === this.#maxQuota) {
        this.#even.splice(above, 1)
        this.#takeRoomAbove()
      }
      this.#give(partition, member)
      return false
    })
  }

  /** @returns whose turn is next among those that lack some */
  #giveLacking(partition: number, at: number): number {
    const member = this.#lacking[at]!
    const count = this.#assigned[member]!.length + 1
    let next = at + 1
    if (count >= this.#minQuota) {
      remove(this.#lacking, member)
      if (count < this.#maxQuota && this.#roomAbove > 0) this.#even.push(member)
      next = at
    }
    this.#give(partition, member)
    return this.#lacking.length === 0 ? 0 : next % this.#lacking.length
  }

  #dealOut(free: readonly number[]): void {
    let turn = 0
    for (const partition of free) {
      if (turn >= this.#lacking.length) turn = 0
      const isLacking = this.#lacking.length > 0
      const member = isLacking ? this.#lacking[turn]! : this.#even.shift()!
      this.#give(partition, member)
      if (!isLacking) continue
      if (this.#assigned[member]!.length === this.#minQuota) {
        this.#lacking.splice(turn, 1)
        this.#even.push(member)
      } else turn++
    }
  }

  #give(partition: number, member: number): void {
    this.#assigned[member]!.push(partition)
    const before = this.#takenFrom.get(partition)
    const isTaken = before !== undefined && before !== member
    if (isTaken || this.#problem.contested.has(partition)) this.#transfers.set(partition, member)
  }
}
