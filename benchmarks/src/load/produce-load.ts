import { monitorEventLoopDelay } from 'node:perf_hooks'
import { percentile } from '../statistics.ts'
import type { BenchClient, ProduceMeasurement, ProduceWorkload } from '../workload.ts'
import { chunksOf } from './chunks.ts'
import { coresOf, mark, measurementOf, type Mark } from './mark.ts'

/** Keeps `callsInFlight` chunks on the way, through the warm-up and the measured time; any failed call fails the run. */
export async function produceLoad(client: BenchClient, workload: ProduceWorkload): Promise<ProduceMeasurement> {
  const chunks = chunksOf(workload.messageBytes)
  const producer = await client.openProducer(workload, chunks)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const calls: number[] = []
  let acknowledged = 0
  let acknowledgedAtStart = 0
  let next = 0
  let start: Mark | undefined
  let end: Mark | undefined
  let measured = 0
  const warmUntil = performance.now() + workload.warmupMs
  const lane = async (): Promise<void> => {
    while (end === undefined) {
      const chunk = next++ % chunks.length
      const begin = performance.now()
      await producer.send(chunk)
      acknowledged += chunks[chunk]!.length
      const now = performance.now()
      if (end !== undefined) return // what the other lanes had on the way
      if (start !== undefined) {
        calls.push(now - begin)
        if (now < start.timeMs + workload.measureMs) continue
        end = mark(workload.brokerPid)
        measured = acknowledged - acknowledgedAtStart
        delay.disable()
      } else if (now >= warmUntil) {
        start = mark(workload.brokerPid)
        acknowledgedAtStart = acknowledged
        delay.enable()
      }
    }
  }
  await Promise.all(Array.from({ length: workload.callsInFlight }, lane))
  await producer.close()
  return resultOf(start!, end!, measured, {
    acknowledged,
    calls,
    // No sample at all: the loop never came round.
    loopDelayP99Ms: delay.count === 0 ? workload.measureMs : delay.percentile(99) / 1e6,
  })
}

function resultOf(
  start: Mark,
  end: Mark,
  messages: number,
  more: { acknowledged: number; calls: number[]; loopDelayP99Ms: number },
): ProduceMeasurement {
  const sorted = more.calls.toSorted((left, right) => left - right)
  return {
    ...measurementOf(start, end, messages),
    acknowledged: more.acknowledged,
    callP50Ms: percentile(sorted, 0.5),
    callP99Ms: percentile(sorted, 0.99),
    loopDelayP99Ms: more.loopDelayP99Ms,
    ...coresOf(start, end),
  }
}
