import type { Storage } from '../storage/storage.ts'
import { readCheckpointLines, writeCheckpointLines } from './checkpoint-file.ts'
import { LEADER_EPOCH_FILE } from './log-files.ts'

/** A leader's term and the first offset it could write. */
export interface EpochStart {
  readonly epoch: number
  readonly startOffset: number
}

/** What a leader epoch's end is asked for with: `endOffset` is -1 when the epoch is unknown. */
export interface EpochEnd {
  readonly epoch: number
  readonly endOffset: number
}

export const UNDEFINED_EPOCH_END: EpochEnd = { epoch: -1, endOffset: -1 }

/** Which leader epoch wrote which offsets: Kafka's `LeaderEpochFileCache` with its `leader-epoch-checkpoint` file. */
export class LeaderEpochs {
  readonly #storage: Storage
  readonly #path: string
  /** Ascending in both. */
  #entries: EpochStart[]

  constructor(storage: Storage, directory: string) {
    this.#storage = storage
    this.#path = `${directory}/${LEADER_EPOCH_FILE}`
    this.#entries = (readCheckpointLines(storage, this.#path) ?? []).flatMap(parseEntry)
  }

  /** The newest epoch that wrote something; -1 when none did. */
  get latest(): number {
    return this.#entries.at(-1)?.epoch ?? -1
  }

  get entries(): readonly EpochStart[] {
    return this.#entries
  }

  /** Notes that `epoch` writes from `startOffset` on, if that is news. */
  assign(epoch: number, startOffset: number): void {
    if (epoch <= this.latest) return
    this.#replace([...this.#entries.filter((entry) => entry.startOffset < startOffset), { epoch, startOffset }])
  }

  /** The epoch that wrote `offset`; -1 when unknown. */
  epochOf(offset: number): number {
    return this.#entries.findLast((entry) => entry.startOffset <= offset)?.epoch ?? -1
  }

  /** Where the log of `epoch`, or of the newest epoch before it, ends. `LeaderEpochFileCache.endOffsetFor`. */
  endOf(epoch: number, logEndOffset: number): EpochEnd {
    if (epoch === -1) return UNDEFINED_EPOCH_END
    if (epoch === this.latest) return { epoch, endOffset: logEndOffset }
    const higher = this.#entries.find((entry) => entry.epoch > epoch)
    if (higher === undefined) return UNDEFINED_EPOCH_END
    const floor = this.#entries.findLast((entry) => entry.epoch <= epoch)
    return { epoch: floor?.epoch ?? epoch, endOffset: higher.startOffset }
  }

  /** Forgets the epochs that begin at `endOffset` or later. */
  truncateFromEnd(endOffset: number): void {
    if ((this.#entries.at(-1)?.startOffset ?? -1) < endOffset) return
    this.#replace(this.#entries.filter((entry) => entry.startOffset < endOffset))
  }

  /** Forgets the epochs whose offsets are all below `startOffset`; the one that reaches into the log now begins there. */
  truncateFromStart(startOffset: number): void {
    const current = this.#entries.findLast((entry) => entry.startOffset <= startOffset)
    if (current === undefined || (current.startOffset === startOffset && current === this.#entries[0])) return
    const later = this.#entries.filter((entry) => entry.startOffset > startOffset)
    this.#replace([{ epoch: current.epoch, startOffset }, ...later])
  }

  #replace(entries: EpochStart[]): void {
    const lines = entries.map(({ epoch, startOffset }) => `${epoch} ${startOffset}`)
    writeCheckpointLines(this.#storage, this.#path, lines)
    this.#entries = entries
  }
}

function parseEntry(line: string): EpochStart[] {
  const match = /^(?<epoch>[0-9]+) (?<offset>[0-9]+)$/.exec(line)
  if (match === null) return []
  return [{ epoch: Number(match.groups!['epoch']), startOffset: Number(match.groups!['offset']) }]
}
