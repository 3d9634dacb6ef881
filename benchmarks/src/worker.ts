// One measured client in a process of its own: node worker.ts '<workload as JSON>'. The last line of its output is the measurement.
import { loadClient } from './clients/registry.ts'
import { CALLS_IN_FLIGHT, CHUNK_MESSAGES } from './limits.ts'
import type { BenchClient, BenchProducer, Measurement, Workload } from './workload.ts'

interface Mark {
  readonly time: number
  readonly cpu: NodeJS.CpuUsage
}

function mark(): Mark {
  return { time: performance.now(), cpu: process.cpuUsage() }
}

function measure(start: Mark, end: Mark, messages: number, calls?: number[]): Measurement {
  const micros = end.cpu.user + end.cpu.system - start.cpu.user - start.cpu.system
  const sorted = calls?.toSorted((left, right) => left - right)
  return {
    messagesPerSecond: (messages * 1000) / (end.time - start.time),
    cpuMicrosPerMessage: micros / messages,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    ...(sorted === undefined ? {} : { callP50Ms: percentile(sorted, 0.5), callP99Ms: percentile(sorted, 0.99) }),
  }
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Keeps `CALLS_IN_FLIGHT` chunks on the way until `count` calls are acknowledged; any failed call fails the run. */
async function sendAll(producer: BenchProducer, count: number, times?: number[]): Promise<void> {
  let started = 0
  const lane = async (): Promise<void> => {
    while (started < count) {
      started++
      const begin = performance.now()
      await producer.send()
      times?.push(performance.now() - begin)
    }
  }
  await Promise.all(Array.from({ length: CALLS_IN_FLIGHT }, lane))
}

async function produce(client: BenchClient, workload: Workload): Promise<Measurement> {
  const values = Array.from({ length: CHUNK_MESSAGES }, (_, index) => Buffer.alloc(workload.messageBytes, 97 + (index % 26)))
  const producer = await client.openProducer(workload, values)
  await sendAll(producer, Math.ceil(workload.warmupMessages / CHUNK_MESSAGES))
  const calls = Math.ceil(workload.messages / CHUNK_MESSAGES)
  const times: number[] = []
  const start = mark()
  await sendAll(producer, calls, times)
  const measured = measure(start, mark(), calls * CHUNK_MESSAGES, times)
  await producer.close()
  return measured
}

async function consume(client: BenchClient, workload: Workload): Promise<Measurement> {
  const total = workload.warmupMessages + workload.messages
  const done = Promise.withResolvers<Measurement>()
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
      start = mark()
      startedAt = received
    } else if (received >= total) {
      finished = true
      if (bytes !== received * workload.messageBytes) done.reject(new Error(`${bytes} bytes in ${received} messages`))
      else done.resolve(measure(start!, mark(), received - startedAt))
    }
  })
  const measured = await done.promise
  await consumer.close()
  return measured
}

const workload = JSON.parse(process.argv[2]!) as Workload
const client = await loadClient(workload.client)
const measurement = await (workload.kind === 'produce' ? produce(client, workload) : consume(client, workload))
process.stdout.write(`${JSON.stringify(measurement)}\n`, () => process.exit(0))
