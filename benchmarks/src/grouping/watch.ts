import type { Change } from './commands.ts'

const NOBODY = -1

/** Who has which partitions, and for how long nothing came of them. Times in milliseconds, of any one clock. */
export class Watch {
  readonly #partitions: number
  readonly #counts: Int32Array
  readonly #owners: Int32Array
  readonly #before: Int32Array
  readonly #partitionLast: Float64Array
  readonly #partitionGaps: Float64Array
  readonly #isIn: boolean[]
  #wasIn: readonly boolean[] = []
  readonly #sizes: Int32Array
  readonly #events: Int32Array
  readonly #memberLast: Float64Array
  readonly #memberGaps: Float64Array
  /** Those of which something came since `settled`. */
  readonly #isFlowing: Uint8Array
  #flowing = 0
  /** Partitions with exactly one owner. */
  #exact = 0

  constructor(partitions: number, members: number) {
    this.#partitions = partitions
    this.#counts = new Int32Array(partitions)
    this.#owners = new Int32Array(partitions).fill(NOBODY)
    this.#before = new Int32Array(partitions)
    this.#partitionLast = new Float64Array(partitions)
    this.#partitionGaps = new Float64Array(partitions)
    this.#isIn = Array.from({ length: members }, () => false)
    this.#sizes = new Int32Array(members)
    this.#events = new Int32Array(members)
    this.#memberLast = new Float64Array(members)
    this.#memberGaps = new Float64Array(members)
    this.#isFlowing = new Uint8Array(partitions)
  }

  joins(member: number): void {
    this.#isIn[member] = true
    this.#sizes[member] = 0
  }

  /** What it has counts as given up from now on. */
  leaves(member: number): void {
    this.#isIn[member] = false
    this.#sizes[member] = 0
    for (let partition = 0; partition < this.#partitions; partition++) {
      if (this.#owners[partition] !== member) continue
      this.#owners[partition] = NOBODY
      this.#give(partition, -1)
    }
  }

  assigned(member: number, partitions: readonly number[]): void {
    if (partitions.length === 0 || !this.#isIn[member]) return
    this.#events[member]!++
    this.#sizes[member]! += partitions.length
    for (const partition of partitions) {
      this.#owners[partition] = member
      this.#give(partition, 1)
    }
  }

  revoked(member: number, partitions: readonly number[]): void {
    if (partitions.length === 0 || !this.#isIn[member]) return
    this.#events[member]!++
    this.#sizes[member]! -= partitions.length
    for (const partition of partitions) {
      if (this.#owners[partition] === member) this.#owners[partition] = NOBODY
      this.#give(partition, -1)
    }
  }

  delivered(member: number, partition: number, now: number): void {
    this.#partitionGaps[partition] = Math.max(this.#partitionGaps[partition]!, now - this.#partitionLast[partition]!)
    this.#partitionLast[partition] = now
    this.#memberGaps[member] = Math.max(this.#memberGaps[member]!, now - this.#memberLast[member]!)
    this.#memberLast[member] = now
    if (this.#isFlowing[partition] === 1) return
    this.#isFlowing[partition] = 1
    this.#flowing++
  }

  /** From now on it counts whether records flow. */
  settled(): void {
    this.#isFlowing.fill(0)
    this.#flowing = 0
  }

  /** Something came of every partition since `settled`. */
  get isFlowing(): boolean {
    return this.#flowing === this.#partitions
  }

  /** Every partition has exactly one owner, and every member its share. */
  get isSettled(): boolean {
    if (this.#exact < this.#partitions) return false
    const share = this.#partitions / this.#isIn.filter(Boolean).length
    return this.#isIn.every((isIn, member) => {
      return !isIn || (this.#sizes[member]! >= Math.floor(share) && this.#sizes[member]! <= Math.ceil(share))
    })
  }

  /** From here on it is watched what changes. The group has settled. */
  begin(): void {
    this.#before.set(this.#owners)
    this.#wasIn = [...this.#isIn]
    this.#partitionGaps.fill(0)
    this.#memberGaps.fill(0)
    this.#events.fill(0)
  }

  /** What changed since `begin`; the group has settled again. */
  report(settleMs: number, now: number): Change {
    const touched = new Set<number>()
    let kept = 0
    let keptGapMs = 0
    let movedGapMs = 0
    for (let partition = 0; partition < this.#partitions; partition++) {
      const gapMs = Math.max(this.#partitionGaps[partition]!, now - this.#partitionLast[partition]!)
      const [before, after] = [this.#before[partition]!, this.#owners[partition]!]
      if (before === after) {
        kept++
        keptGapMs = Math.max(keptGapMs, gapMs)
      } else {
        touched.add(before).add(after)
        movedGapMs = Math.max(movedGapMs, gapMs)
      }
    }
    const untouched = [...this.#isIn.keys()].filter((member) => {
      return this.#isIn[member] && this.#wasIn[member] && !touched.has(member)
    })
    const gapOf = (member: number): number => Math.max(this.#memberGaps[member]!, now - this.#memberLast[member]!)
    return {
      settleMs,
      untouched: untouched.length,
      untouchedEvents: untouched.reduce((sum, member) => sum + this.#events[member]!, 0),
      untouchedGapMs: Math.max(0, ...untouched.map(gapOf)),
      kept,
      keptGapMs,
      movedGapMs,
    }
  }

  #give(partition: number, by: 1 | -1): void {
    if (this.#counts[partition] === 1) this.#exact--
    this.#counts[partition]! += by
    if (this.#counts[partition] === 1) this.#exact++
  }
}
