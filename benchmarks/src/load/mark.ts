import { cpuMillis } from '../proc.ts'
import type { Cores, Measurement } from '../workload.ts'

/** One look at the clocks. */
export interface Mark {
  readonly timeMs: number
  /** User and system time of this process, all its threads. */
  readonly cpuMs: number
  /** NaN without a broker to look at. */
  readonly brokerCpuMs: number
}

export function mark(brokerPid?: number): Mark {
  const { userCPUTime, systemCPUTime } = process.resourceUsage()
  return {
    timeMs: performance.now(),
    cpuMs: (userCPUTime + systemCPUTime) / 1000,
    brokerCpuMs: brokerPid === undefined ? Number.NaN : cpuMillis(brokerPid),
  }
}

export function measurementOf(start: Mark, end: Mark, messages: number): Measurement {
  return {
    messagesPerSecond: (messages * 1000) / (end.timeMs - start.timeMs),
    cpuMicrosPerMessage: ((end.cpuMs - start.cpuMs) * 1000) / messages,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  }
}

export function coresOf(start: Mark, end: Mark): Cores {
  const elapsedMs = end.timeMs - start.timeMs
  return { clientCores: (end.cpuMs - start.cpuMs) / elapsedMs, brokerCores: (end.brokerCpuMs - start.brokerCpuMs) / elapsedMs }
}
