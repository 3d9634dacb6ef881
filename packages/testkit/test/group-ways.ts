import type { ConsumerBatch, ConsumerRecord, PartitionStream, RecordSender, RunOptions } from '@millrace/consumer-group'
import { Producer } from '@millrace/producer'
import { nameOf, placeOf, valueOf, type GroupMember } from './group-member.ts'
import { DEAD, RETRY } from './group-plan.ts'

/** Consumes as the member is meant to, until that ends or fails. */
export async function consumeIn(member: GroupMember): Promise<void> {
  switch (member.plan.way) {
    case 'records':
      return eachOf(member, member.consumer.records({ disposeHandled: true }))
    case 'readable':
      return eachOf(member, member.consumer.readable())
    case 'nodeReadable':
      return eachOf(member, member.consumer.nodeReadable() as AsyncIterable<ConsumerRecord>)
    case 'batches':
      return eachBatchOf(member)
    case 'partitions':
      return eachStreamOf(member)
    default:
      return run(member)
  }
}

async function eachOf(member: GroupMember, records: AsyncIterable<ConsumerRecord>): Promise<void> {
  for await (const record of records) {
    const holding = member.holding(nameOf(record))
    member.polled(record)
    await member.work(record)
    if (breaks(member)) return
    member.handled(record)
    await member.commit(record, holding)
    if (breaks(member)) return
  }
}

async function eachBatchOf(member: GroupMember): Promise<void> {
  for await (using batch of member.consumer.batches()) {
    const records = [...batch]
    const holding = member.holding(nameOf(batch))
    for (const record of records) member.polled(record)
    await member.work(batch)
    if (breaks(member)) return
    for (const record of records) member.handled(record)
    await member.commit(records.at(-1)!, holding)
    if (breaks(member)) return
  }
}

async function eachStreamOf(member: GroupMember): Promise<void> {
  const streams: Promise<void>[] = []
  for await (const stream of member.consumer.partitions()) streams.push(drain(member, stream))
  await Promise.all(streams)
}

/** What stops one partition is thrown in its stream, which may be read on. */
async function drain(member: GroupMember, stream: PartitionStream): Promise<void> {
  for (;;) {
    try {
      await eachOf(member, stream.records({ disposeHandled: true }))
      return
    } catch (error) {
      if (!member.passes(error)) return
      await member.process.sleep(1_000)
    }
  }
}

/** Whoever breaks is followed by another loop, which gets the same once more, committed or not. */
function breaks({ plan, random, scene }: GroupMember): boolean {
  if (!scene.isWild || plan.way === 'partitions' || !random.chance(0.005)) return false
  scene.tally.add('broken loop')
  return true
}

async function run(member: GroupMember): Promise<void> {
  const { random, scene } = member
  const { bootstrapServers } = scene.cluster
  const producer = new Producer({ bootstrapServers, clientId: member.name, lingerMs: 0 }, member.process.environment)
  const ending = random.pick(['skip', 'dead', 'retry', 'retry and dead'] as const)
  scene.tally.add(`run ending: ${ending}`)
  try {
    await member.consumer.run({
      concurrency: random.between(1, 5),
      retry: { retries: random.between(0, 2), backoffMs: random.pick([1, 500]) },
      drainTimeoutMs: random.pick([100, 30_000]),
      ...(ending === 'skip' || ending === 'retry' ? { onExhausted: 'skip' } : { deadLetterTopic: DEAD }),
      ...handlersOf(member, ending.startsWith('retry'), copying(member, producer)),
    })
  } finally {
    await producer.close()
  }
}

function handlersOf(member: GroupMember, retries: boolean, { sender, failing }: Copying): Partial<RunOptions> {
  const { plan } = member
  const delayMs = member.random.pick([1, 3_000])
  member.consumer.on('handlerFailed', ({ topic, partition, offset, action }) => {
    member.scene.tally.add(`handler failed: ${action}`)
    const record = failing.get(`${topic}-${partition}@${offset}`)
    if (action === 'skip' && record !== undefined) for (const one of record) member.handled(one)
  })
  if (plan.way === 'run') {
    return {
      orderedBy: plan.order as 'partition' | 'key' | 'none',
      producer: sender,
      ...(retries ? { retryTopics: [{ topic: RETRY, delayMs }] } : {}),
      disposeHandled: true,
      eachRecord: (record: ConsumerRecord) => handle(member, [record], failing),
    }
  }
  return {
    orderedBy: plan.order === 'batch' ? 'partition' : 'none',
    producer: sender,
    disposeHandled: true,
    eachBatch: (batch: ConsumerBatch) => handle(member, [...batch], failing),
  }
}

async function handle(member: GroupMember, records: readonly ConsumerRecord[], failing: Copying['failing']): Promise<void> {
  const { history, isWild } = member.scene
  const first = records[0]!
  for (const record of records) member.polled(record)
  await member.work(first)
  if (isWild && member.random.chance(0.08)) {
    failing.set(`${nameOf(first)}@${first.offset}`, records)
    for (const record of records) history.add('failed', { consumer: member.name, place: placeOf(record) })
    throw new Error(`cannot handle ${valueOf(first)}`)
  }
  for (const record of records) member.handled(record)
}

interface Copying {
  readonly sender: RecordSender
  /** What was being handled when it failed, by its first place. */
  readonly failing: Map<string, readonly ConsumerRecord[]>
}

/** A record that goes to another topic counts as handled once it is stored there. */
function copying(member: GroupMember, producer: Producer): Copying {
  const failing = new Map<string, readonly ConsumerRecord[]>()
  const sender: RecordSender = {
    send: async (copy) => {
      const sent = await producer.send(copy)
      for (const records of failing.values()) {
        const record = records.find((one) => valueOf(one) === copy.value!.toString())
        if (record !== undefined) member.handled(record)
      }
      return sent
    },
  }
  return { sender, failing }
}
