import type { Storage } from '../storage/storage.ts'

/** Kafka's `CheckpointFile`: a version, the number of lines, the lines. */
const VERSION = '0'

/** The lines of a checkpoint file; null when it is absent or its frame is damaged. */
export function readCheckpointLines(storage: Storage, path: string): string[] | null {
  const lines = storage.readFile(path)?.toString('utf8').split('\n')
  if (lines === undefined || lines[0] !== VERSION) return null
  const count = Number(lines[1])
  if (!Number.isSafeInteger(count) || count < 0 || lines.length < count + 2) return null
  return lines.slice(2, count + 2)
}

export function writeCheckpointLines(storage: Storage, path: string, lines: readonly string[]): void {
  storage.writeFile(path, [VERSION, String(lines.length), ...lines, ''].join('\n'))
}

export interface CheckpointEntry {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** Offsets by topic and partition, as `recovery-point-offset-checkpoint` and its like hold them: `topic partition offset`. */
export class OffsetCheckpoint {
  readonly #storage: Storage
  readonly #path: string
  #written: string | null = null
  #names = new Set<string>()

  constructor(storage: Storage, path: string) {
    this.#storage = storage
    this.#path = path
  }

  /** Offsets by `topic-partition`. A damaged file reads as an empty one: its readers then recover more than they need to. */
  read(): Map<string, number> {
    const offsets = new Map<string, number>()
    for (const line of readCheckpointLines(this.#storage, this.#path) ?? []) {
      const match = /^(?<topic>\S+) (?<partition>[0-9]+) (?<offset>[0-9]+)$/.exec(line)
      if (match === null) return new Map()
      const { topic, partition, offset } = match.groups!
      if (Number.isSafeInteger(Number(offset))) offsets.set(`${topic}-${partition}`, Number(offset))
    }
    this.#names = new Set(offsets.keys())
    return offsets
  }

  /** Whether the file has a line for `topic-partition`. */
  has(name: string): boolean {
    return this.#names.has(name)
  }

  /** Replaces the file, unless it holds just that. */
  write(entries: readonly CheckpointEntry[]): void {
    const lines = entries.map(({ topic, partition, offset }) => `${topic} ${partition} ${offset}`)
    const text = lines.join('\n')
    if (text === this.#written) return
    writeCheckpointLines(this.#storage, this.#path, lines)
    this.#written = text
    this.#names = new Set(entries.map(({ topic, partition }) => `${topic}-${partition}`))
  }
}
