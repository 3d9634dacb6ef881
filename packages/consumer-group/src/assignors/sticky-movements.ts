import { firstInHashOrder } from './java-hash-order.ts'
import type { StickyProblem } from './sticky-problem.ts'

interface Movements {
  readonly partitions: Set<number>
  /** How many it held at most. */
  peak: number
}

/**
 * Which partitions were moved from whom to whom while balancing: when another one of the topic is to go the opposite way, the one that
 * came goes back instead, and both stay where they were (Java: PartitionMovements).
 */
export class StickyMovements {
  readonly #problem: StickyProblem
  readonly #moves = new Map<number, { readonly from: number; readonly to: number }>()
  readonly #byWay = new Map<string, Movements>()

  constructor(problem: StickyProblem) {
    this.#problem = problem
  }

  /** The partition to move in place of this one. */
  inPlaceOf(partition: number, from: number, to: number): number {
    const origin = this.#moves.get(partition)?.from ?? from
    const back = this.#byWay.get(this.#way(partition, to, origin))
    if (back === undefined) return partition
    return firstInHashOrder(back.partitions, (one) => this.#problem.hashOf(one), back.peak) ?? partition
  }

  move(partition: number, from: number, to: number): void {
    const before = this.#moves.get(partition)
    if (before === undefined) return this.#add(partition, from, to)
    this.#moves.delete(partition)
    const way = this.#way(partition, before.from, before.to)
    const movements = this.#byWay.get(way)!
    movements.partitions.delete(partition)
    if (movements.partitions.size === 0) this.#byWay.delete(way)
    if (before.from !== to) this.#add(partition, before.from, to)
  }

  #add(partition: number, from: number, to: number): void {
    this.#moves.set(partition, { from, to })
    const way = this.#way(partition, from, to)
    let movements = this.#byWay.get(way)
    if (movements === undefined) this.#byWay.set(way, (movements = { partitions: new Set(), peak: 0 }))
    movements.partitions.add(partition)
    movements.peak = Math.max(movements.peak, movements.partitions.size)
  }

  #way(partition: number, from: number, to: number): string {
    return `${this.#problem.topicOf[partition]} ${from} ${to}`
  }
}
