import { readFileSync } from 'node:fs'

/** Kernel clock ticks a second in `/proc/PID/stat`; 100 on every Linux that Node supports. */
const TICKS_PER_SECOND = 100

/** User and system time of a process so far, in milliseconds, 10 ms exact. Read where nothing but this must be loaded. */
export function cpuMillis(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND
}

/** Resident memory of a process now, in bytes. */
export function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Number(found?.[1] ?? Number.NaN) * 1024
}
