import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { LOG_TAIL_LINES, TOOL_LIMIT_MS } from '../limits.ts'

/** Kernel clock ticks a second in `/proc/PID/stat`; 100 on every Linux that Node supports. */
const TICKS_PER_SECOND = 100
const USAGE_SAMPLE_MS = 10

export interface RunOptions {
  /** Written to standard input, which is then closed. */
  readonly input?: string | Buffer
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** The process is killed after this, and the run fails. Default two minutes. */
  readonly timeoutMs?: number
}

export interface Usage {
  /** User and system time of the process, 10 ms exact. 0 where there is no `/proc`. */
  readonly cpuMs: number
  /** 0 where there is no `/proc`. */
  readonly peakRssBytes: number
  readonly elapsedMs: number
}

export interface Finished {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  readonly usage: Usage
}

/** A command that could not be run, ran too long or left with a code other than 0; the message quotes its output. */
export class ToolError extends Error {
  override readonly name: string = 'ToolError'
}

/** Runs a command to its end, whatever its exit code. @throws ToolError if it cannot start or does not end in time */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const started = performance.now()
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  child.stdin.on('error', () => {}) // a tool may end without reading its input: its exit code tells
  child.stdin.end(options.input)
  const usage = watchUsage(child)
  const limit = options.timeoutMs ?? TOOL_LIMIT_MS
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    child.kill('SIGKILL')
  }, limit)
  const output = (): string => tail(Buffer.concat([...stdout, ...stderr]).toString())
  try {
    const exitCode = await exitOf(child, command)
    if (timedOut) throw new ToolError(`${describe(command, args)} did not end within ${limit} ms:\n${output()}`)
    return {
      exitCode,
      stdout: Buffer.concat(stdout).toString(),
      stderr: Buffer.concat(stderr).toString(),
      usage: { ...usage.stop(), elapsedMs: performance.now() - started },
    }
  } finally {
    clearTimeout(timer)
    usage.stop()
  }
}

/** Runs a command that must succeed. @throws ToolError if it does not */
export async function runOk(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const finished = await run(command, args, options)
  if (finished.exitCode === 0) return finished
  throw new ToolError(
    `${describe(command, args)} ended with code ${finished.exitCode}:\n${tail(`${finished.stdout}\n${finished.stderr}`)}`,
  )
}

/** The last lines of a process's output. */
export function tail(text: string, lines: number = LOG_TAIL_LINES): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n')
}

function describe(command: string, args: readonly string[]): string {
  const shown = args.map((arg) => (arg.length > 120 ? `${arg.slice(0, 117)}...` : arg))
  return [command, ...shown].join(' ')
}

function exitOf(child: ChildProcess, command: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => reject(new ToolError(`${command} could not be started: ${cause.message}`, { cause })))
    child.once('close', (code, signal) => resolve(code ?? (signal === null ? -1 : 128)))
  })
}

/** Node has no rusage of a child, so its counters are read while it lives; the last sample counts. */
function watchUsage(child: ChildProcess): { stop(): { cpuMs: number; peakRssBytes: number } } {
  const sample = { cpuMs: 0, peakRssBytes: 0 }
  const read = (): void => {
    const current = child.pid === undefined ? undefined : usageOf(child.pid)
    if (current !== undefined) Object.assign(sample, current)
  }
  const timer = setInterval(read, USAGE_SAMPLE_MS)
  timer.unref()
  return {
    stop: () => {
      clearInterval(timer)
      return { ...sample }
    },
  }
}

/** What a living process has used so far; undefined if it is gone or there is no `/proc`. */
export function usageOf(pid: number): { cpuMs: number; peakRssBytes: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ticks = Number(fields[11]) + Number(fields[12])
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    if (peak === null) return undefined // a process that has ended but was not yet waited for has no memory map
    return { cpuMs: (ticks * 1000) / TICKS_PER_SECOND, peakRssBytes: Number(peak[1]) * 1024 }
  } catch {
    return undefined
  }
}
