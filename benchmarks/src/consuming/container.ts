import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Where the kernel's memory controller is: version 1 has a hierarchy of its own, version 2 one for all controllers. */
const VERSION_1 = '/sys/fs/cgroup/memory'
const VERSION_2 = '/sys/fs/cgroup'

/** A process that has ended leaves its group a moment later. */
const REMOVE_ATTEMPTS = 100
const REMOVE_RETRY_MS = 20

/** A limit of memory as a container has it: what exceeds it is ended by the kernel. */
export interface Container {
  /** What sets the limit, for the tables. */
  readonly kind: string
  /** Command and arguments that run this one inside. */
  wrap(command: readonly string[]): readonly string[]
  /** The most that was charged to it, page cache included; null where that is not told. */
  peakBytes(): number | null
  /** How often the kernel ended a process of it; null where that is not told. */
  kills(): number | null
  close(): Promise<void>
}

/** Why there is no limit to be had here. */
export interface NoContainer {
  readonly reason: string
}

/** The first of cgroup v1, cgroup v2 and `systemd-run` that works here. */
export function openContainer(limitBytes: number): Container | NoContainer {
  const name = `millrace-bench-${process.pid}-${Date.now()}`
  if (existsSync(join(VERSION_1, 'memory.limit_in_bytes'))) return tried(() => versionOne(join(VERSION_1, name), limitBytes))
  if (existsSync(join(VERSION_2, 'cgroup.controllers'))) {
    const group = tried(() => versionTwo(join(VERSION_2, name), limitBytes))
    return 'reason' in group && systemdRuns() ? underSystemd(name, limitBytes) : group
  }
  return { reason: 'the kernel has no memory controller' }
}

function tried(open: () => Container): Container | NoContainer {
  try {
    return open()
  } catch (error) {
    return { reason: String(error) }
  }
}

function versionOne(dir: string, limitBytes: number): Container {
  mkdirSync(dir)
  writeFileSync(join(dir, 'memory.limit_in_bytes'), String(limitBytes))
  const swap = join(dir, 'memory.memsw.limit_in_bytes')
  if (existsSync(swap)) writeFileSync(swap, String(limitBytes))
  return inGroup('cgroup v1', dir, 'memory.max_usage_in_bytes', 'memory.oom_control')
}

function versionTwo(dir: string, limitBytes: number): Container {
  if (!words(join(VERSION_2, 'cgroup.subtree_control')).includes('memory'))
    writeFileSync(join(VERSION_2, 'cgroup.subtree_control'), '+memory')
  mkdirSync(dir)
  writeFileSync(join(dir, 'memory.max'), String(limitBytes))
  if (existsSync(join(dir, 'memory.swap.max'))) writeFileSync(join(dir, 'memory.swap.max'), '0')
  return inGroup('cgroup v2', dir, 'memory.peak', 'memory.events')
}

function inGroup(kind: string, dir: string, peakFile: string, eventsFile: string): Container {
  return {
    kind,
    wrap: (command) => ['/bin/sh', '-c', 'echo $$ > "$0" && exec "$@"', join(dir, 'cgroup.procs'), ...command],
    peakBytes: () => {
      const peak = join(dir, peakFile)
      return existsSync(peak) ? Number(readFileSync(peak, 'latin1')) : null
    },
    kills: () => killsOf(readFileSync(join(dir, eventsFile), 'latin1')),
    close: () => remove(dir),
  }
}

/** `oom_kill 3` among the lines of `memory.oom_control` (version 1) and `memory.events` (version 2). */
export function killsOf(events: string): number | null {
  const found = /^oom_kill (\d+)$/m.exec(events)
  return found === null ? null : Number(found[1])
}

async function remove(dir: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return rmdirSync(dir)
    } catch (error) {
      if (attempt === REMOVE_ATTEMPTS) throw error
      await sleep(REMOVE_RETRY_MS)
    }
  }
}

function systemdRuns(): boolean {
  try {
    accessSync('/run/systemd/system', constants.R_OK)
    return true
  } catch {
    return false
  }
}

/** Without root, as a scope of the user. It tells nothing of itself afterwards. */
function underSystemd(name: string, limitBytes: number): Container {
  const user = process.getuid?.() === 0 ? [] : ['--user']
  const options = [...user, '--scope', '--quiet', `--unit=${name}`, '-p', `MemoryMax=${limitBytes}`, '-p', 'MemorySwapMax=0']
  return {
    kind: 'systemd-run',
    wrap: (command) => ['systemd-run', ...options, ...command],
    peakBytes: () => null,
    kills: () => null,
    close: async () => {},
  }
}

function words(file: string): string[] {
  return readFileSync(file, 'latin1').trim().split(/\s+/)
}

/** How a process ended that reports on itself, a line of JSON at a time. */
export interface Contained<Report> {
  /** The last thing it said; null if it said nothing. */
  readonly last: Report | null
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  /** It was ended because it took longer. */
  readonly isLate: boolean
  readonly stderr: string
  readonly seconds: number
}

/** Runs a command to its end, or for so long. */
export async function runReporting<Report>(command: readonly string[], timeoutMs: number): Promise<Contained<Report>> {
  const startedAt = performance.now()
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
  let rest = ''
  let last: Report | null = null
  let stderr = ''
  let isLate = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    const line = lines.findLast((one) => one.startsWith('{'))
    if (line !== undefined) last = JSON.parse(line) as Report
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-4_000)))
  const timer = setTimeout(() => {
    isLate = true
    child.kill('SIGKILL')
  }, timeoutMs)
  const [exitCode, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, by) => resolve([code, by]))
  })
  clearTimeout(timer)
  return { last, exitCode, signal, isLate, stderr, seconds: (performance.now() - startedAt) / 1000 }
}
