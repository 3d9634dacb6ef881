import type { BenchClient, ConsumeMeasurement, ConsumeWorkload } from '../workload.ts'
import { coresOf, mark, measurementOf, type Mark } from './mark.ts'

/** Reads a filled topic from its beginning; touches every value, so that lost or skipped bytes fail the run. */
export async function consumeLoad(client: BenchClient, workload: ConsumeWorkload): Promise<ConsumeMeasurement> {
  const total = workload.warmupMessages + workload.messages
  const done = Promise.withResolvers<ConsumeMeasurement>()
  let received = 0
  let bytes = 0
  let startedAt = 0
  let start: Mark | undefined
  let finished = false
  const consumer = await client.openConsumer(workload, (count, size) => {
    if (finished) return
    received += count
    bytes += size
    if (start === undefined && received >= workload.warmupMessages) {
      start = mark(workload.brokerPid)
      startedAt = received
    } else if (received >= total) {
      finished = true
      const end = mark(workload.brokerPid)
      if (bytes !== received * workload.messageBytes) done.reject(new Error(`${bytes} bytes in ${received} messages`))
      else done.resolve({ ...measurementOf(start!, end, received - startedAt), ...coresOf(start!, end) })
    }
  })
  const measured = await done.promise
  await consumer.close()
  return measured
}
