import { startBroker } from './brokers.ts'
import { residentBytes } from './proc.ts'
import { median } from './statistics.ts'
import { digits, markdownTable, megabytes } from './table.ts'

/** How long the broker is left alone before its memory is read. */
const IDLE_MS = 3_000

const STARTS = 5

/** How fast the embedded broker starts, each time in a new process, and what it holds when it has nothing to do. */
export async function benchBroker(log: (line: string) => void): Promise<string> {
  const starts: number[] = []
  const idle: number[] = []
  for (let run = 0; run < STARTS; run++) {
    const broker = await startBroker('embedded')
    try {
      starts.push(broker.startMs!)
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
      idle.push(residentBytes(broker.pid))
    } finally {
      await broker.stop()
    }
    log(`embedded broker: serves after ${digits(starts.at(-1))} ms, ${megabytes(idle.at(-1)!)} MB when idle`)
  }
  return markdownTable(
    ['embedded broker', 'median', 'worst', 'wanted'],
    [
      ['from `Broker.start` to the first answer, ms', digits(median(starts)), digits(Math.max(...starts)), '≤ 100'],
      ['resident memory when idle, MB', megabytes(median(idle)), megabytes(Math.max(...idle)), '≤ 80'],
    ],
  )
}
