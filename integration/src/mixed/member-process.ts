import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { MemberEvent } from './member-events.ts'

/** A member of the group as a process of its own, from its start to its end; a member that is started again is another one. */
export class MemberProcess {
  /** Unique in a test: `java#2`. */
  readonly name: string
  readonly events: MemberEvent[] = []
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  readonly #owned = new Set<number>()
  /** Other lines that it printed: what it says of errors. */
  readonly #said: string[] = []
  #mayEnd = false
  #recordCount = 0
  #endedAt: number | null = null

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const lines = [this.#child.stdout!, this.#child.stderr!].map((input) => createInterface({ input }))
    for (const reader of lines) reader.on('line', (line) => this.#take(line))
    this.#child.on('error', (error) => this.#said.push(String(error)))
    // Both pipes are read to their ends before a process counts as ended.
    const read = Promise.all(lines.map((reader) => once(reader, 'close')))
    this.#ended = Promise.all([once(this.#child, 'exit').then(() => (this.#endedAt = Date.now())), read])
  }

  /** What else it printed: errors, mostly. */
  get said(): string {
    return `${this.name}: ${this.#said.join('\n')}`
  }

  get owned(): ReadonlySet<number> {
    return this.#owned
  }

  get recordCount(): number {
    return this.#recordCount
  }

  /** When the process was known to be gone; null while it lives. */
  get endedAt(): number | null {
    return this.#endedAt
  }

  /** @throws Error if it ended without being asked to */
  checkAlive(): void {
    if (!this.#mayEnd && this.#endedAt !== null) throw new Error(`${this.said} ended by itself`)
  }

  /** Ends it in order. @throws Error if it did not say that it closed its consumer */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
    if (this.events.at(-1)?.name !== 'shutdown_complete')
      throw new Error(`${this.name} did not leave in order: ${this.#said.join('\n')}`)
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
    this.#owned.clear()
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.checkAlive()
    this.#mayEnd = true
    this.#child.kill(signal)
    await this.#ended
  }

  #take(line: string): void {
    const event = parse(line)
    if (event === null) {
      this.#said.push(line)
      return
    }
    this.events.push(event)
    if (event.name === 'record_data') this.#recordCount++
    if (event.name === 'partitions_assigned') for (const { partition } of event.partitions) this.#owned.add(partition)
    if (event.name === 'partitions_revoked') for (const { partition } of event.partitions) this.#owned.delete(partition)
  }
}

const NAMES: readonly string[] = [
  'startup_complete',
  'shutdown_complete',
  'partitions_assigned',
  'partitions_revoked',
  'record_data',
] satisfies MemberEvent['name'][]

function parse(line: string): MemberEvent | null {
  if (!line.startsWith('{')) return null
  const event = JSON.parse(line) as MemberEvent
  return NAMES.includes(event.name) ? event : null
}
