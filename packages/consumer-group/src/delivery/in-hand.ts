import type { PartitionCursor } from '../fetch/partition-cursor.ts'

interface Wait {
  readonly cursors: ReadonlySet<PartitionCursor>
  readonly resolve: () => void
}

/**
 * What the application has in its hands: of each partition, the records from some offset on that it was given and has not come back from. What lies
 * before that offset was handled: it may be committed. `PartitionCursor.handOut` puts records in hand.
 */
export class InHand {
  #waits: Wait[] = []

  /** All that was given out of the partition was handled. */
  release(cursor: PartitionCursor): void {
    cursor.inHandFrom = -1
    if (this.#waits.length > 0) this.#settle()
  }

  /** What was given out was handled up to `offset`, that one not included; `epoch` is the leader epoch of the record before it, -1 if unknown. */
  releaseUpTo(cursor: PartitionCursor, offset: number, epoch: number): void {
    if (cursor.inHandFrom < 0 || offset <= cursor.inHandFrom) return
    if (offset >= cursor.handedTo) return this.release(cursor)
    cursor.inHandFrom = offset
    cursor.inHandEpoch = epoch
  }

  /** Resolves once nothing of these partitions is in hand. */
  freeOf(cursors: ReadonlySet<PartitionCursor>): Promise<void> {
    if (isFree(cursors)) return Promise.resolve()
    return new Promise((resolve) => this.#waits.push({ cursors, resolve }))
  }

  #settle(): void {
    const free = this.#waits.filter(({ cursors }) => isFree(cursors))
    if (free.length === 0) return
    this.#waits = this.#waits.filter((wait) => !free.includes(wait))
    for (const wait of free) wait.resolve()
  }
}

function isFree(cursors: ReadonlySet<PartitionCursor>): boolean {
  for (const cursor of cursors) if (cursor.inHandFrom >= 0) return false
  return true
}
