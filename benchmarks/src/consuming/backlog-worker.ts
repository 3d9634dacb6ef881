// Reads a backlog with a slow handler: node backlog-worker.ts '<BacklogWork as JSON>'. Each line of its output is a `BacklogReport`.
import { MEMORY_REPORT_MS } from '../limits.ts'
import type { BacklogReport, BacklogWork } from './backlog-bench.ts'
import { watchMemory } from './memory-watch.ts'
import { Pace } from './pace.ts'
import { WAYS } from './ways.ts'

const work = JSON.parse(process.argv[2]!) as BacklogWork
const { run } = WAYS[work.way]!
const peaks = watchMemory()
const pace = new Pace(work.bytesPerSecond)

function report(): string {
  const said: BacklogReport = { messages: pace.messages, bytes: pace.bytes, peaks }
  return `${JSON.stringify(said)}\n`
}

setInterval(() => process.stdout.write(report()), MEMORY_REPORT_MS)
const end = (): void => {
  process.stdout.write(report(), () => process.exit(0))
}
run(work, (messages, bytes) => {
  const waiting = pace.handled(messages, bytes)
  if (pace.messages >= work.messages) end()
  return waiting
}).catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
