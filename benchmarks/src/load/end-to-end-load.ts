import { percentile } from '../statistics.ts'
import type { BenchClient, EndToEndWorkload, LatencyMeasurement } from '../workload.ts'
import { chunksOf } from './chunks.ts'

const TICK_MS = 1

/**
 * Sends at an even rate, whatever comes back, and takes the time from each call of the producer to the consumer's handler. The topic has one
 * partition, so the n-th message received is the n-th sent.
 */
export async function endToEndLoad(client: BenchClient, workload: EndToEndWorkload): Promise<LatencyMeasurement> {
  const total = workload.warmupMessages + workload.messages
  const sentAt = new Float64Array(total)
  const times = new Float64Array(total)
  const first = Promise.withResolvers<void>()
  const done = Promise.withResolvers<void>()
  let received = 0
  const consumer = await client.openConsumer(workload, (count) => {
    const now = performance.now()
    for (const until = received + count; received < until; received++) times[received] = now - sentAt[received]!
    first.resolve()
    if (received === total) done.resolve()
    else if (received > total) done.reject(new Error(`${received} of ${total} messages were received`))
  })
  const producer = await client.openProducer(workload, chunksOf(workload.messageBytes))
  // The consumer is in its group, and at work, once it has one.
  sentAt[0] = performance.now()
  await producer.sendOne()
  await first.promise
  const begin = performance.now()
  let sent = 1
  const ticking = setInterval(() => {
    const due = Math.min(total, 1 + Math.floor(((performance.now() - begin) * workload.messagesPerSecond) / 1000))
    while (sent < due) {
      sentAt[sent++] = performance.now()
      producer.sendOne().catch(done.reject)
    }
    if (sent === total) clearInterval(ticking)
  }, TICK_MS)
  await done.promise.finally(() => clearInterval(ticking))
  await producer.close()
  await consumer.close()
  const sorted = [...times.subarray(workload.warmupMessages)].sort((left, right) => left - right)
  return { p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99) }
}
