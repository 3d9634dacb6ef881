import type { LogListener } from '../log/log-types.ts'
import type { PartitionLog } from '../log/partition-log.ts'

/** Records up to `offset` of `log` are not safe yet; `note` counts such writes. */
interface Unsafe {
  readonly log: PartitionLog
  readonly offset: number
  readonly note: number
}

interface Waiting {
  /** The note of the last write that it waits for. */
  readonly until: number
  readonly done: (failed: boolean) => void
}

/**
 * Holds replies back while the broker's own writes (metadata, groups, offsets) are not yet safe. With `flush: 'os'` a write is safe
 * when it is made, and nothing ever waits. With `fsync` the disk must have it, or a client would be told of a topic or a commit
 * that a power failure takes back.
 */
export class Durability implements LogListener {
  /** In order of their notes. */
  #unsafe: Unsafe[] = []
  #waiting: Waiting[] = []
  #notes = 0

  /** Whether a write is not safe yet. */
  get isPending(): boolean {
    return this.#unsafe.length > 0
  }

  /** Records up to `offset` were appended to `log`. */
  note(log: PartitionLog, offset: number): void {
    if (log.highWatermark > offset) return
    log.addListener(this)
    this.#unsafe.push({ log, offset, note: ++this.#notes })
  }

  /** Calls `done` when all that was noted so far is safe, or when some of it failed to become so. */
  wait(done: (failed: boolean) => void): void {
    this.#waiting.push({ until: this.#notes, done })
  }

  logChanged(log: PartitionLog): void {
    const failed = log.failure !== null || log.closed
    this.#unsafe = this.#unsafe.filter((write) => write.log !== log || (!failed && write.offset >= log.highWatermark))
    if (!this.#unsafe.some((write) => write.log === log)) log.removeListener(this)
    const oldest = this.#unsafe[0]?.note ?? Infinity
    const ready = this.#waiting.filter(({ until }) => failed || until < oldest)
    if (ready.length === 0) return
    this.#waiting = failed ? [] : this.#waiting.filter(({ until }) => until >= oldest)
    for (const { done } of ready) done(failed)
  }
}
