// Fills a topic, in a process of its own: node fill-worker.ts '<FillPlan as JSON>'. The last line of its output is what was stored.
import { Producer } from '@millrace/producer'
import { FILL_CALLS_IN_FLIGHT, FILL_LIMIT_MS } from '../limits.ts'
import type { Compression } from '../workload.ts'
import { fillPieces, type Filled, type FillPlan } from './fill.ts'

const plan = JSON.parse(process.argv[2]!) as FillPlan
const { bootstrapServers, batchBytes } = plan
const producers = new Map<Compression, Producer>()
const filled: Filled = { messages: 0, valueBytes: 0 }

function producerOf(compressionType: Compression): Producer {
  let producer = producers.get(compressionType)
  if (producer === undefined) {
    const patience = { deliveryTimeoutMs: FILL_LIMIT_MS, maxBlockMs: FILL_LIMIT_MS }
    producer = new Producer({ bootstrapServers, compressionType, batchSize: batchBytes, ...patience })
    producers.set(compressionType, producer)
  }
  return producer
}

const pieces = fillPieces(plan)
const lane = async (): Promise<void> => {
  for (const piece of pieces) {
    await producerOf(piece.compression).sendAll(plan.topic, piece.records)
    filled.messages += piece.records.length
    filled.valueBytes += piece.valueBytes
  }
}
await Promise.all(Array.from({ length: FILL_CALLS_IN_FLIGHT }, lane))
for (const producer of producers.values()) await producer.close()
process.stdout.write(`${JSON.stringify(filled)}\n`, () => process.exit(0))
