import { readFile, statfs } from 'node:fs/promises'
import { cpus, freemem, hostname, loadavg, totalmem } from 'node:os'
import { parse } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { MainJobEvent } from './event.ts'

const INTERVAL_MS = 1000

/** This computer's own readings, once a second until the signal aborts. */
export async function* readings(signal: AbortSignal): AsyncGenerator<MainJobEvent> {
  const host = hostname()
  // The first share is the one since the computer started.
  let before = cpuTimes().map((): CpuTimes => ({ busyMs: 0, totalMs: 0 }))
  while (!signal.aborted) {
    const after = cpuTimes()
    const timestamp = Date.now()
    const values = [
      ...cpuUsage(before, after),
      ['memory', memory()] as const,
      ['disk', await disk()] as const,
      ...(await network()),
    ]
    for (const [key, value] of values) {
      yield {
        key,
        value: JSON.stringify(value),
        timestamp,
        headers: [
          ['source', 'readings'],
          ['host', host],
        ],
      }
    }
    before = after
    await delay(INTERVAL_MS, undefined, { signal }).catch(() => undefined)
  }
}

interface CpuTimes {
  readonly busyMs: number
  readonly totalMs: number
}

function cpuTimes(): CpuTimes[] {
  return cpus().map(({ times }) => {
    const busyMs = times.user + times.nice + times.sys + times.irq
    return { busyMs, totalMs: busyMs + times.idle }
  })
}

/** The busy share of each processor since the last reading. */
function cpuUsage(before: CpuTimes[], after: CpuTimes[]): (readonly [string, object])[] {
  return after.map((now, index) => {
    const then = before[index] ?? now
    const passedMs = now.totalMs - then.totalMs
    const busy = passedMs === 0 ? 0 : (now.busyMs - then.busyMs) / passedMs
    return [`cpu-${index}`, { busy: Number(busy.toFixed(3)), load1m: loadavg()[0] }]
  })
}

function memory(): object {
  return { freeBytes: freemem(), totalBytes: totalmem() }
}

async function disk(): Promise<object> {
  const path = parse(process.cwd()).root
  const { bsize, bavail, blocks } = await statfs(path)
  return { path, freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

/** Bytes received and sent per interface, where the system tells (Linux's /proc/net/dev); none elsewhere. */
async function network(): Promise<(readonly [string, object])[]> {
  const table = await readFile('/proc/net/dev', 'utf8').catch(() => '')
  return table
    .split('\n')
    .filter((line) => line.includes(':'))
    .map((line) => {
      const [name, counters] = line.split(':') as [string, string]
      const columns = counters.trim().split(/\s+/).map(Number)
      return [`network-${name.trim()}`, { receivedBytes: columns[0], sentBytes: columns[8] }]
    })
}
