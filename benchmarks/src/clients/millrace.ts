import { Consumer, type ConsumerBatch, type ConsumerRecord } from '@millrace/consumer-group'
import { Producer } from '@millrace/producer'
import { countValues } from '../batch-values.ts'
import { FETCH_PARTITION_BYTES, IDEMPOTENT_IN_FLIGHT } from '../limits.ts'
import type { BenchClient, BenchConsumer, BenchProducer, ConsumerWorkload, ProducerWorkload } from '../workload.ts'

function producerFor(workload: ProducerWorkload): Producer {
  return new Producer({
    clientId: 'bench',
    bootstrapServers: workload.bootstrapServers,
    compressionType: workload.compression,
    lingerMs: workload.lingerMs,
    batchSize: workload.batchBytes,
    maxInFlightRequestsPerConnection: IDEMPOTENT_IN_FLIGHT,
  })
}

async function openSendAll(workload: ProducerWorkload, values: readonly (readonly Buffer[])[]): Promise<BenchProducer> {
  const producer = producerFor(workload)
  const { topic } = workload
  const chunks = values.map((chunk) => chunk.map((value) => ({ value })))
  const one = { topic, value: values[0]![0]! }
  return {
    send: (chunk) => producer.sendAll(topic, chunks[chunk]!),
    sendOne: () => producer.send(one),
    close: () => producer.close(),
  }
}

async function openSend(workload: ProducerWorkload, values: readonly (readonly Buffer[])[]): Promise<BenchProducer> {
  const producer = producerFor(workload)
  const { topic } = workload
  const chunks = values.map((chunk) => chunk.map((value) => ({ topic, value })))
  const one = chunks[0]![0]!
  return {
    send: (chunk) => Promise.all(chunks[chunk]!.map((record) => producer.send(record))),
    sendOne: () => producer.send(one),
    close: () => producer.close(),
  }
}

function connect(workload: ConsumerWorkload, checkCrcs = true): Consumer {
  return new Consumer({
    clientId: 'bench',
    bootstrapServers: workload.bootstrapServers,
    groupId: `bench-${workload.topic}-${process.pid}`,
    topics: [workload.topic],
    autoOffsetReset: 'earliest',
    maxPartitionFetchBytes: FETCH_PARTITION_BYTES,
    maxPollRecords: 50_000,
    checkCrcs,
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

/** @param disposes else what it reads goes when the garbage collector comes by */
function consumeBatches(disposes: boolean, checkCrcs = true): BenchClient['openConsumer'] {
  return async (workload, onMessages) => {
    const consumer = connect(workload, checkCrcs)
    return running(consumer, async () => {
      for await (const batch of consumer.batches()) {
        using _ = disposes ? batch : null
        const { count, bytes } = countValues(batch)
        onMessages(count, bytes)
      }
    })
  }
}

/** @param disposeHandled else what it reads goes when the garbage collector comes by */
function consumeRecords(disposeHandled: boolean): BenchClient['openConsumer'] {
  return async (workload, onMessages) => {
    const consumer = connect(workload)
    return running(consumer, async () => {
      for await (const record of consumer.records({ disposeHandled })) onMessages(1, record.value!.length)
    })
  }
}

/** `sendAll`, and `batches()` that are disposed of: the way for many at a time, as the peers are used here. */
export const millrace: BenchClient = { openProducer: openSendAll, openConsumer: consumeBatches(true) }

/** As `millrace`, without a look at CRCs, as most peers. */
export const millraceUnchecked: BenchClient = { openProducer: openSendAll, openConsumer: consumeBatches(true, false) }

/** `batches()` by a loop that may keep what it reads. */
export const millraceKept: BenchClient = { openProducer: openSendAll, openConsumer: consumeBatches(false) }

/** One at a time: a promise for each record that is sent, and `for await` over records that are disposed of. */
export const millraceSingle: BenchClient = { openProducer: openSend, openConsumer: consumeRecords(true) }

/** `for await` over records by a loop that may keep what it reads. */
export const millraceSingleKept: BenchClient = { openProducer: openSend, openConsumer: consumeRecords(false) }

/** `run` with a handler of single records that does not wait. */
export const millraceRun: BenchClient = {
  openProducer: openSendAll,
  openConsumer: async (workload, onMessages) => {
    const consumer = connect(workload)
    const eachRecord = (record: ConsumerRecord): void => onMessages(1, record.value!.length)
    return running(consumer, () => consumer.run({ disposeHandled: true, eachRecord }))
  },
}

/** `run` with a handler of batches. */
export const millraceRunBatch: BenchClient = {
  openProducer: openSendAll,
  openConsumer: async (workload, onMessages) => {
    const consumer = connect(workload)
    const eachBatch = (batch: ConsumerBatch): void => {
      const { count, bytes } = countValues(batch)
      onMessages(count, bytes)
    }
    return running(consumer, () => consumer.run({ disposeHandled: true, eachBatch }))
  },
}
