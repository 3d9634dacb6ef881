import { Consumer } from '@millrace/consumer-group'
import { Producer } from '@millrace/producer'
import { BATCH_BYTES, CALLS_IN_FLIGHT, FETCH_PARTITION_BYTES, LINGER_MS } from '../limits.ts'
import type { BenchClient, BenchConsumer, BenchProducer, Workload } from '../workload.ts'

const IN_FLIGHT = 5

async function openProducer(workload: Workload, values: readonly Buffer[]): Promise<BenchProducer> {
  const producer = new Producer({
    clientId: 'bench',
    bootstrapServers: workload.bootstrapServers,
    lingerMs: LINGER_MS,
    batchSize: BATCH_BYTES,
    maxInFlightRequestsPerConnection: Math.min(CALLS_IN_FLIGHT, IN_FLIGHT),
  })
  const records = values.map((value) => ({ value }))
  return { send: () => producer.sendAll(workload.topic, records), close: () => producer.close() }
}

function connect(workload: Workload): Consumer {
  return new Consumer({
    clientId: 'bench',
    bootstrapServers: workload.bootstrapServers,
    groupId: `bench-${workload.topic}-${process.pid}`,
    topics: [workload.topic],
    autoOffsetReset: 'earliest',
    maxPartitionFetchBytes: FETCH_PARTITION_BYTES,
    maxPollRecords: 50_000,
  })
}

/** The loop runs beside the worker; what ends it ends the process. */
function running(consumer: Consumer, loop: () => Promise<void>): BenchConsumer {
  const done = loop()
  done.catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
  return {
    close: async () => {
      consumer.stop()
      await done
      await consumer.close()
    },
  }
}

async function consumeBatches(workload: Workload, onMessages: (count: number, bytes: number) => void): Promise<BenchConsumer> {
  const consumer = connect(workload)
  return running(consumer, async () => {
    for await (const batch of consumer.batches()) {
      let count = 0
      let bytes = 0
      for (const record of batch) {
        count++
        bytes += record.value!.length
      }
      onMessages(count, bytes)
    }
  })
}

async function consumeRecords(workload: Workload, onMessages: (count: number, bytes: number) => void): Promise<BenchConsumer> {
  const consumer = connect(workload)
  return running(consumer, async () => {
    for await (const record of consumer) onMessages(1, record.value!.length)
  })
}

/** `sendAll`, and `batches()`: the way for many at a time, as the peers are used here. */
export const millrace: BenchClient = { openProducer, openConsumer: consumeBatches }

/** `for await` over single records. */
export const millraceRecords: BenchClient = { openProducer, openConsumer: consumeRecords }
