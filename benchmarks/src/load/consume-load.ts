import type { BenchClient, ConsumeMeasurement, ConsumeWorkload } from '../workload.ts'
import { CONSUME_SECONDS_MAX, CONSUME_WARMUP_SECONDS_MAX } from '../limits.ts'
import { coresOf, mark, measurementOf, type Mark } from './mark.ts'

/** Reads a filled topic from its beginning, all of it or as far as it gets in time; touches every value, so that lost or skipped bytes fail the run. */
export async function consumeLoad(client: BenchClient, workload: ConsumeWorkload): Promise<ConsumeMeasurement> {
  const total = workload.warmupMessages + workload.messages
  const done = Promise.withResolvers<ConsumeMeasurement>()
  let received = 0
  let bytes = 0
  let startedAt = 0
  let start: Mark | undefined
  let finished = false
  let isTimeUp = false
  let timer: NodeJS.Timeout | undefined
  const limit = (seconds: number): void => {
    clearTimeout(timer)
    isTimeUp = false
    timer = setTimeout(() => (isTimeUp = true), seconds * 1000)
  }
  const consumer = await client.openConsumer(workload, (count, size) => {
    if (finished) return
    if (received === 0) limit(CONSUME_WARMUP_SECONDS_MAX)
    received += count
    bytes += size
    if (start === undefined) {
      if (received < workload.warmupMessages && !isTimeUp) return
      start = mark(workload.brokerPid)
      startedAt = received
      limit(CONSUME_SECONDS_MAX)
    } else if (received >= total || isTimeUp) {
      finished = true
      const end = mark(workload.brokerPid)
      if (bytes !== received * workload.messageBytes) done.reject(new Error(`${bytes} bytes in ${received} messages`))
      else done.resolve({ ...measurementOf(start, end, received - startedAt), ...coresOf(start, end) })
    }
  })
  const measured = await done.promise
  await consumer.close()
  return measured
}
