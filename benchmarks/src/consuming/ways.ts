import type { Consumer, ConsumerOptions } from '@millrace/consumer-group'
import { countValues } from '../batch-values.ts'

/** What handles messages: it is to be waited for when it gives a promise. */
export type Handler = (messages: number, bytes: number) => Promise<void> | undefined

/** What a client is to read. */
export interface Reading {
  readonly bootstrapServers: string
  readonly topic: string
  readonly partitions: number
}

/** One way of one client to read all of a topic; it may go on for ever. */
export type Way = (reading: Reading, handle: Handler) => Promise<void>

interface Entry {
  readonly client: string
  readonly way: string
  readonly run: Way
}

/** Handlers of `run` at the same time. */
const CONCURRENCY = 100

const OWN: readonly Entry[] = [
  { client: 'millrace', way: '`for await` over records', run: own((consumer, handle) => eachRecord(consumer, handle)) },
  {
    client: 'millrace',
    way: '`for await` over `records({ disposeHandled: true })`',
    run: own((consumer, handle) => eachRecord(consumer.records({ disposeHandled: true }), handle)),
  },
  {
    client: 'millrace',
    way: '`for await (const batch of batches())`',
    run: own((consumer, handle) => eachBatch(consumer, handle, false)),
  },
  {
    client: 'millrace',
    way: '`for await (using batch of batches())`',
    run: own((consumer, handle) => eachBatch(consumer, handle, true)),
  },
  { client: 'millrace', way: `\`run\`, ${CONCURRENCY} handlers, ordered by key`, run: own(runByKey) },
  { client: 'millrace', way: 'a stream per partition', run: own(perPartition) },
]

const PEERS: readonly Entry[] = [
  { client: 'kafkajs', way: '`eachBatch`', run: peer('kafkajs') },
  { client: 'platformatic', way: '`for await` over its stream', run: peer('platformatic') },
  { client: 'kafkats', way: '`runBatch`', run: peer('kafkats') },
  { client: 'confluent', way: '`eachBatch`', run: peer('confluent') },
]

/** In the order in which they are measured. */
export const WAYS: readonly Entry[] = [...OWN, ...PEERS]

/** Loaded when it runs, so that the process holds no other. */
function peer(name: 'kafkajs' | 'platformatic' | 'kafkats' | 'confluent'): Way {
  return async (reading, handle) => (await import('./peer-ways.ts'))[name](reading, handle)
}

/** Every value's length is asked for, which decodes the record, and nothing is kept of it. */
function own(read: (consumer: Consumer, handle: Handler) => Promise<void>): Way {
  return async ({ bootstrapServers, topic }, handle) => {
    const { Consumer } = await import('@millrace/consumer-group')
    const options: ConsumerOptions = { bootstrapServers, groupId: groupOf(topic), topics: [topic], autoOffsetReset: 'earliest' }
    await read(new Consumer(options), handle)
  }
}

/** One of its own for each process, so that each begins at the beginning. */
export function groupOf(topic: string): string {
  return `bench-${topic}-${process.pid}`
}

async function eachRecord(records: AsyncIterable<{ readonly value: Buffer | null }>, handle: Handler): Promise<void> {
  for await (const record of records) {
    const waiting = handle(1, record.value!.length)
    if (waiting !== undefined) await waiting
  }
}

async function eachBatch(consumer: Consumer, handle: Handler, disposes: boolean): Promise<void> {
  for await (const batch of consumer.batches()) {
    using _ = disposes ? batch : null
    const { count, bytes } = countValues(batch)
    const waiting = handle(count, bytes)
    if (waiting !== undefined) await waiting
  }
}

function runByKey(consumer: Consumer, handle: Handler): Promise<void> {
  return consumer.run({
    eachRecord: (record) => handle(1, record.value!.length),
    concurrency: CONCURRENCY,
    orderedBy: 'key',
  })
}

async function perPartition(consumer: Consumer, handle: Handler): Promise<void> {
  const failed = Promise.withResolvers<never>()
  const all = async (): Promise<void> => {
    for await (const stream of consumer.partitions()) eachRecord(stream, handle).catch(failed.reject)
  }
  await Promise.race([all(), failed.promise])
}
