/** What is coordinated: Kafka's key types in FindCoordinator. */
export type CoordinatorType = 'group' | 'transaction'

export const COORDINATOR_KEY_TYPE: Readonly<Record<CoordinatorType, number>> = { group: 0, transaction: 1 }

/** Which node coordinates which group or transactional id, as far as we were told. */
export class CoordinatorCache {
  readonly #nodes: Readonly<Record<CoordinatorType, Map<string, number>>> = { group: new Map(), transaction: new Map() }

  get(type: CoordinatorType, key: string): number | undefined {
    return this.#nodes[type].get(key)
  }

  set(type: CoordinatorType, key: string, node: number): void {
    this.#nodes[type].set(key, node)
  }

  /** The coordinator moved or cannot be reached. A newer answer than the one that failed stays: pass the node that failed. */
  invalidate(type: CoordinatorType, key: string, node: number): void {
    if (this.#nodes[type].get(key) === node) this.#nodes[type].delete(key)
  }
}
