import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { javaArguments } from '@millrace/testkit'
import type { Change, Command, Formed, GroupSettings } from './commands.ts'

/** Whose members are measured. */
export const SIDES = ['millrace', 'java'] as const
export type Side = (typeof SIDES)[number]

/** Java's default JIT, and room for as many consumers as we have in one process. */
const JVM = ['-Xmx1g']
const program: string = join(import.meta.dirname, '..', '..', 'java', 'GroupMembers.java')

/** All members of one side, in a process of their own that lives through all rounds: code is warm when it counts. */
export class Members {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #lines: AsyncIterator<string>

  static async start(side: Side, settings: GroupSettings, nodeOptions: readonly string[] = []): Promise<Members> {
    if (side === 'millrace') {
      const worker = join(import.meta.dirname, 'worker.ts')
      return new Members(process.execPath, [...process.execArgv, ...nodeOptions, worker, JSON.stringify(settings)])
    }
    const { bootstrapServers, topic, partitions, members, heartbeatIntervalMs, limitMs } = settings
    const args = [bootstrapServers, topic, partitions, members, heartbeatIntervalMs, limitMs].map(String)
    return new Members('java', [...(await javaArguments({ jvm: JVM })), program, ...args])
  }

  private constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#exited = once(this.#child, 'close')
    this.#exited.catch(() => {}) // one that cannot be started has no output either, and that is told
    this.#child.stdin!.on('error', () => {}) // the same when it has ended
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]()
  }

  form(group: string, protocol: string): Promise<Formed> {
    return this.#ask(`form ${group} ${protocol}` as Command)
  }

  rest(ms: number): Promise<Change> {
    return this.#ask(`rest ${ms}`)
  }

  leave(): Promise<Change> {
    return this.#ask('leave')
  }

  join(): Promise<Change> {
    return this.#ask('join')
  }

  async disband(): Promise<void> {
    await this.#ask('disband')
  }

  async stop(): Promise<void> {
    this.#child.stdin!.end()
    await this.#exited
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited.catch(() => {})
  }

  async #ask<Answer>(command: Command): Promise<Answer> {
    this.#child.stdin!.write(`${command}\n`)
    const line = await this.#lines.next()
    if (line.done === true) throw new Error(`the members ended at: ${command}`)
    return JSON.parse(line.value) as Answer
  }
}
