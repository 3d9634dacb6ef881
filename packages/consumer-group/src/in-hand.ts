import type { PartitionCursor } from './fetch/partition-cursor.ts'

interface Wait {
  readonly cursors: ReadonlySet<PartitionCursor>
  readonly resolve: () => void
}

/** What the application has in its hands: the record or batch that it was given last and has not come back from. */
export class InHand {
  #cursor: PartitionCursor | null = null
  #offset = -1
  #waits: Wait[] = []

  /** The partition of it; null for nothing. */
  get cursor(): PartitionCursor | null {
    return this.#cursor
  }

  /** Its first offset. */
  get offset(): number {
    return this.#offset
  }

  take(cursor: PartitionCursor, offset: number): void {
    this.#cursor = cursor
    this.#offset = offset
  }

  /** The application is done with it, or has let it fall. */
  release(): void {
    this.#cursor = null
    if (this.#waits.length === 0) return
    for (const wait of this.#waits.splice(0)) wait.resolve()
  }

  /** Resolves once nothing of these partitions is in hand. */
  freeOf(cursors: ReadonlySet<PartitionCursor>): Promise<void> {
    if (this.#cursor === null || !cursors.has(this.#cursor)) return Promise.resolve()
    return new Promise((resolve) => this.#waits.push({ cursors, resolve }))
  }

  /** The first offset of the partition that was not handled, as far as it was handed out. */
  unhandledOf(cursor: PartitionCursor): number {
    return this.#cursor === cursor ? this.#offset : cursor.position
  }
}
