import { Consumer, type AssignorName, type ConsumerRecord, type PartitionStream } from '@millrace/consumer-group'
import { Producer } from '@millrace/producer'
import type { History, SeededRandom } from '@millrace/testkit'
import { type SimCluster } from '@millrace/testkit'

export const TOPIC = 'events'
export const PARTITIONS = 3

/** Sends records one after another with pauses, some awaited, some not, and writes down what became of each. */
export async function produce(
  cluster: SimCluster,
  history: History,
  name: string,
  count: number,
  enableIdempotence = true,
): Promise<void> {
  const random = cluster.random.fork()
  const producer = new Producer(
    {
      bootstrapServers: cluster.bootstrapServers,
      clientId: name,
      lingerMs: random.pick([0, 5, 50]),
      deliveryTimeoutMs: 600_000,
      enableIdempotence,
    },
    cluster.environment(),
  )
  const pending: Promise<void>[] = []
  for (let index = 0; index < count; index++) {
    const value = `${name}-${index}`
    history.send(name, value)
    const key = random.chance(0.7) ? `key-${random.between(0, 9)}` : null
    const sent = producer.send({ topic: TOPIC, key, value: Buffer.from(value) }).then(
      ({ partition, offset }) => history.acked(name, value, { partition: `${TOPIC}-${partition}`, offset }),
      (error: unknown) => history.unknown(name, value, error),
    )
    pending.push(sent)
    if (random.chance(0.3)) await sent
    if (random.chance(0.2)) await cluster.clock.sleep(random.between(1, 2_000))
  }
  await Promise.all(pending)
  await producer.close()
}

export interface Member {
  readonly name: string
  /** Asks the loop to end after the record in hand, commits and leaves. */
  leave(): Promise<void>
  /** Settles when the loop ends; rejects with what it threw. */
  readonly done: Promise<void>
}

/** Members of one group must have an assignor in common. */
export interface Group {
  readonly id: string
  readonly assignors: readonly AssignorName[]
}

/** Pausing is no trouble for anybody: the member keeps its partitions, and goes on with what it had. */
async function pauseForAWhile(
  cluster: SimCluster,
  consumer: Consumer,
  which: { readonly topic: string; readonly partition: number },
  forMs: number,
): Promise<void> {
  const isOurs = (): boolean => consumer.assignment.some(({ partition }) => partition === which.partition)
  if (isOurs()) consumer.pause([which])
  await cluster.clock.sleep(forMs)
  if (isOurs()) consumer.resume([which])
}

/** A member of a group that consumes in one of the ways there are, at the pace of its seed. */
export function consume(cluster: SimCluster, history: History, name: string, group: Group): Member {
  const random: SeededRandom = cluster.random.fork()
  const consumer = new Consumer(
    {
      bootstrapServers: cluster.bootstrapServers,
      clientId: name,
      groupId: group.id,
      topics: [TOPIC],
      autoOffsetReset: 'earliest',
      sessionTimeoutMs: 10_000,
      autoCommitIntervalMs: random.pick([100, 1_000, 5_000]),
      partitionAssignors: group.assignors,
    },
    cluster.environment(),
  )
  history.member(name, group.id)
  consumer.on('assigned', ({ partitions }) => {
    for (const { topic, partition } of partitions) history.assigned(name, `${topic}-${partition}`)
  })
  consumer.on('committed', ({ offsets }) => {
    for (const { topic, partition, offset } of offsets)
      history.committed(group.id, { partition: `${topic}-${partition}`, offset })
  })
  const handle = async ({ topic, partition, offset, value }: ConsumerRecord): Promise<void> => {
    history.polled(name, value!.toString(), { partition: `${topic}-${partition}`, offset })
    if (random.chance(0.1)) await cluster.clock.sleep(random.between(1, 100))
    if (random.chance(0.02)) void pauseForAWhile(cluster, consumer, { topic, partition }, random.between(1, 3_000))
  }
  const ways = {
    records: async (): Promise<void> => {
      for await (const record of consumer) await handle(record)
    },
    batches: async (): Promise<void> => {
      for await (const batch of consumer.batches()) for (const record of batch) await handle(record)
    },
    partitions: async (): Promise<void> => {
      const streams: Promise<void>[] = []
      const drain = async (stream: PartitionStream): Promise<void> => {
        for await (const record of stream) await handle(record)
      }
      for await (const stream of consumer.partitions()) streams.push(drain(stream))
      await Promise.all(streams)
    },
    run: (): Promise<void> => consumer.run({ eachRecord: handle, concurrency: 2 }),
  }
  const loop = ways[random.pick(['records', 'batches', 'partitions', 'run'] as const)]
  return {
    name,
    done: loop(),
    leave: async () => {
      consumer.stop()
      await consumer.close()
    },
  }
}

/** Values acknowledged so far that no member of `members` has polled yet. */
export function unread(history: History, members: ReadonlySet<string>): Set<string> {
  const left = new Set<string>()
  for (const event of history.events) if (event.kind === 'acked') left.add(event.value)
  for (const event of history.events) if (event.kind === 'polled' && members.has(event.consumer)) left.delete(event.value)
  return left
}
