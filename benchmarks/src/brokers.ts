import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startRealKafka } from '@millrace/testkit'
import type { BrokerKind } from './options.ts'

export interface BenchBroker {
  readonly bootstrapServers: string
  readonly pid: number
  /** From the call to the first answered request, in a process that has loaded the code; absent for the JVM. */
  readonly startMs?: number
  stop(): Promise<void>
}

/** The broker to measure against, with its log on disk and in a process of its own. */
export async function startBroker(kind: BrokerKind): Promise<BenchBroker> {
  if (kind === 'embedded') return startEmbedded()
  const kafka = await startRealKafka()
  return { bootstrapServers: kafka.bootstrapServers, pid: kafka.pid, stop: () => kafka.stop() }
}

async function startEmbedded(): Promise<BenchBroker> {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const program = join(import.meta.dirname, 'embedded-broker.mjs')
  const child = spawn(process.execPath, [program, dataDir], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'close')
  const lines = createInterface({ input: child.stdout })
  const first = await Promise.race([once(lines, 'line') as Promise<[string]>, exited.then(() => undefined)])
  if (first === undefined) throw new Error('the embedded broker ended before it served')
  const { bootstrapServers, startMs } = JSON.parse(first[0]) as { bootstrapServers: string; startMs: number }
  return {
    bootstrapServers,
    startMs,
    pid: child.pid!,
    stop: async () => {
      child.stdin.end()
      await exited
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

/** Resident memory of a process now, in bytes. */
export function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Number(found?.[1] ?? Number.NaN) * 1024
}
