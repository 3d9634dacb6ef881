import { percentile } from '../statistics.ts'
import type { BenchClient, LatencyMeasurement, LatencyWorkload } from '../workload.ts'
import { chunksOf } from './chunks.ts'

/** One message after another, each acknowledged before the next is sent. */
export async function latencyLoad(client: BenchClient, workload: LatencyWorkload): Promise<LatencyMeasurement> {
  const producer = await client.openProducer(workload, chunksOf(workload.messageBytes))
  for (let sent = 0; sent < workload.warmupMessages; sent++) await producer.sendOne()
  const times = new Float64Array(workload.messages)
  for (let sent = 0; sent < times.length; sent++) {
    const begin = performance.now()
    await producer.sendOne()
    times[sent] = performance.now() - begin
  }
  await producer.close()
  const sorted = [...times].sort((left, right) => left - right)
  return { p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99) }
}
