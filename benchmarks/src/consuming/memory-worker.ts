// Reads very many messages as fast as it goes: node memory-worker.ts '<MemoryWork as JSON>'. Each line of its output is a `MemoryReport`.
import { MEMORY_REPORT_MS } from '../limits.ts'
import type { MemoryReport, MemoryWork } from './consume-memory-bench.ts'
import { watchMemory } from './memory-watch.ts'
import { WAYS } from './ways.ts'

const work = JSON.parse(process.argv[2]!) as MemoryWork
const { run } = WAYS[work.way]!
const peaks = watchMemory()
const samples: number[] = []
const baselineBytes = process.memoryUsage.rss()
let messages = 0
let startedAt = 0

function report(): string {
  const messagesPerSecond = (messages * 1000) / (performance.now() - startedAt)
  const said: MemoryReport = { baselineBytes, samples, messages, messagesPerSecond, peaks }
  return `${JSON.stringify(said)}\n`
}

setInterval(() => process.stdout.write(report()), MEMORY_REPORT_MS)
run(work, (count) => {
  if (startedAt === 0) startedAt = performance.now()
  messages += count
  if (messages >= (samples.length + 1) * work.sampleEvery) samples.push(process.memoryUsage.rss())
  if (messages >= work.messages) process.stdout.write(report(), () => process.exit(0))
  return undefined
}).catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
