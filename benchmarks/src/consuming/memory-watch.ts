import { MEMORY_LOOK_MS } from '../limits.ts'

/** The most that a process had of each at one time, in bytes. */
export interface MemoryPeaks {
  rss: number
  heap: number
  external: number
  arrayBuffers: number
}

/** Looks at the memory of this process every so often, until it ends. */
export function watchMemory(): MemoryPeaks {
  const peaks: MemoryPeaks = { rss: 0, heap: 0, external: 0, arrayBuffers: 0 }
  const look = (): void => {
    const { heapUsed, external, arrayBuffers } = process.memoryUsage()
    // The kernel's own maximum, of the times between too.
    peaks.rss = process.resourceUsage().maxRSS * 1024
    peaks.heap = Math.max(peaks.heap, heapUsed)
    peaks.external = Math.max(peaks.external, external)
    peaks.arrayBuffers = Math.max(peaks.arrayBuffers, arrayBuffers)
  }
  look()
  setInterval(look, MEMORY_LOOK_MS)
  return peaks
}
