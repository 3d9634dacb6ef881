import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startRealKafka } from '@millrace/testkit'
import { RETENTION_BYTES, RETENTION_CHECK_MS, SEGMENT_BYTES } from './limits.ts'
import type { BrokerKind } from './options.ts'

export interface BenchBroker {
  readonly bootstrapServers: string
  readonly pid: number
  /** From the call to the first answered request, in a process that has loaded the code; absent for the JVM. */
  readonly startMs?: number
  /** Where it keeps its log; absent if that is in memory. */
  readonly dataDir?: string
  stop(): Promise<void>
}

/** What a broker keeps: all of it on disk, or what producers sent last, so that no load fills the machine. */
export type Keep = 'all' | 'last'

/** By Kafka's names. */
export type BrokerProperties = Readonly<Record<string, string>>

const RETENTION: BrokerProperties = {
  'log.retention.bytes': String(RETENTION_BYTES),
  'log.segment.bytes': String(SEGMENT_BYTES),
  'log.retention.check.interval.ms': String(RETENTION_CHECK_MS),
}

/**
 * The broker to measure against, in a process of its own. The embedded one that keeps only the last is in memory: the least work there is.
 * @param config of the broker, besides
 */
export async function startBroker(kind: BrokerKind, keep: Keep = 'all', config: BrokerProperties = {}): Promise<BenchBroker> {
  if (kind === 'embedded') return keep === 'all' ? startOnDisk(config) : startEmbedded({ config: { ...RETENTION, ...config } })
  const last = { ...RETENTION, 'log.segment.delete.delay.ms': '0', 'log.initial.task.delay.ms': '1000' }
  const kafka = await startRealKafka({ properties: { ...(keep === 'all' ? {} : last), ...config } })
  const { bootstrapServers, pid, dataDir } = kafka
  return { bootstrapServers, pid, dataDir, stop: () => kafka.stop() }
}

async function startOnDisk(config: BrokerProperties): Promise<BenchBroker> {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const broker = await startEmbedded({ dataDir, config })
  const stop = async (): Promise<void> => {
    await broker.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
  return { ...broker, dataDir, stop }
}

async function startEmbedded(options: object): Promise<BenchBroker> {
  const program = join(import.meta.dirname, 'embedded-broker.mjs')
  const child = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit'] })
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
    },
  }
}
