import { CALLS_IN_FLIGHT } from '../limits.ts'
import type { BenchClient, FillMeasurement, FillWorkload } from '../workload.ts'
import { chunksOf } from './chunks.ts'

/** Writes whole chunks until there are at least `messages`; any failed call fails the run. */
export async function fillLoad(client: BenchClient, workload: FillWorkload): Promise<FillMeasurement> {
  const chunks = chunksOf(workload.messageBytes)
  const producer = await client.openProducer(workload, chunks)
  let started = 0
  let next = 0
  const lane = async (): Promise<void> => {
    while (started < workload.messages) {
      const chunk = next++ % chunks.length
      started += chunks[chunk]!.length
      await producer.send(chunk)
    }
  }
  await Promise.all(Array.from({ length: CALLS_IN_FLIGHT }, lane))
  await producer.close()
  return { acknowledged: started }
}
