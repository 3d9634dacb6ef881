import { CALLS_IN_FLIGHT } from '../limits.ts'
import type { BenchClient, MemoryMeasurement, MemoryWorkload } from '../workload.ts'
import { chunksOf } from './chunks.ts'

/** The load of `produceLoad` for a number of messages, with a look at the resident memory every so many. */
export async function memoryLoad(client: BenchClient, workload: MemoryWorkload): Promise<MemoryMeasurement> {
  const chunks = chunksOf(workload.messageBytes)
  const producer = await client.openProducer(workload, chunks)
  const baselineBytes = process.memoryUsage.rss()
  const samples: number[] = []
  let started = 0
  let acknowledged = 0
  let next = 0
  const begin = performance.now()
  const lane = async (): Promise<void> => {
    while (started < workload.messages) {
      const chunk = next++ % chunks.length
      started += chunks[chunk]!.length
      await producer.send(chunk)
      acknowledged += chunks[chunk]!.length
      if (acknowledged >= (samples.length + 1) * workload.sampleEvery) samples.push(process.memoryUsage.rss())
    }
  }
  await Promise.all(Array.from({ length: CALLS_IN_FLIGHT }, lane))
  const messagesPerSecond = (acknowledged * 1000) / (performance.now() - begin)
  await producer.close()
  return { baselineBytes, samples, peakRssBytes: process.resourceUsage().maxRSS * 1024, messagesPerSecond }
}
