import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Admin, type TopicPartitionInfo } from '@millrace/admin'
import { Consumer, type ConsumerEvents, type ConsumerOptions } from '@millrace/consumer-group'
import { Producer } from '@millrace/producer'
import { javaMissing, KAFKA_VERSION, RealKafkaCluster } from '@millrace/testkit'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { until } from './scenarios/clients.ts'
import { uniqueName } from './suite.ts'

/** Node 1 is the controller and has no replica of anything; what is killed is one of these. */
const [LEFT, RIGHT] = [2, 3]
const QUICK = { retryBackoffMs: 50, retryBackoffMaxMs: 200, reconnectBackoffMs: 50, reconnectBackoffMaxMs: 200 }

const reason = await javaMissing()
const note = reason === undefined ? '' : ` (skipped: ${reason})`

// oxlint-disable-next-line vitest/no-conditional-tests -- what is missing on this machine is reported by name
describe.skipIf(reason !== undefined)(`consumers of several nodes of Apache Kafka ${KAFKA_VERSION}${note}`, () => {
  let cluster: RealKafkaCluster
  let admin: Admin

  beforeAll(async () => {
    cluster = await RealKafkaCluster.start({
      nodes: 3,
      properties: (nodeId) => ({
        'broker.rack': `rack-${nodeId}`,
        'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
        'broker.heartbeat.interval.ms': '300',
        'broker.session.timeout.ms': '2500',
        // A node that comes back leads again what it should.
        'leader.imbalance.check.interval.seconds': '1',
        'leader.imbalance.per.broker.percentage': '0',
        'offsets.topic.num.partitions': '1',
      }),
    })
    admin = new Admin({ bootstrapServers: cluster.bootstrapServers, ...QUICK })
    // The coordinator of every group is a node that may be killed.
    await admin.createTopics([
      { name: '__consumer_offsets', assignments: [[LEFT, RIGHT]], configs: { 'cleanup.policy': 'compact' } },
    ])
  })

  afterAll(async () => {
    await admin?.close()
    await cluster?.stop()
  })

  async function newTopic(assignments: readonly (readonly number[])[], configs: Record<string, string> = {}): Promise<string> {
    const name = uniqueName('moving')
    await admin.createTopics([{ name, assignments, configs }])
    await untilPartitions(name, (partitions) => partitions.length === assignments.length && partitions.every(hasFullIsr))
    return name
  }

  async function untilPartitions(topic: string, holds: (partitions: readonly TopicPartitionInfo[]) => boolean): Promise<void> {
    await until(async () => {
      const described = await admin.describeTopics([topic], { throwOnFailure: false })
      return holds(described.values.get(topic)?.partitions ?? [])
    }, `${topic} to have its replicas`)
  }

  function newConsumer(options: Partial<ConsumerOptions>): Consumer {
    const consumer = new Consumer({
      bootstrapServers: cluster.bootstrapServers,
      autoOffsetReset: 'earliest',
      ...QUICK,
      ...options,
    })
    onTestFinished(() => consumer.close())
    return consumer
  }

  function newProducer(): Producer {
    const producer = new Producer({ bootstrapServers: cluster.bootstrapServers, lingerMs: 0, ...QUICK })
    onTestFinished(() => producer.close())
    return producer
  }

  test('a consumer reads from the replica of its rack, from the leader while that is away, and from the replica again', async () => {
    const topic = await newTopic([[LEFT, RIGHT]])
    const nodes = fetchedNodes('nearby')
    const consumer = newConsumer({ clientId: 'nearby', clientRack: `rack-${RIGHT}`, metadataMaxAgeMs: 1_000 })
    consumer.assign([{ topic, partition: 0 }])
    const offsets = follow(consumer)
    const producer = newProducer()
    let sent = 0
    const send = async (): Promise<void> => {
      for (const end = sent + 20; sent < end; sent++) await producer.send({ topic, partition: 0, value: `${sent}` })
      await until(() => offsets.length === sent, `offset ${sent}`)
    }
    await send()
    await until(() => nodes.at(-1) === RIGHT, 'a fetch from the replica')

    await cluster.kill(RIGHT)
    await send()
    expect(nodes.at(-1)).toBe(LEFT)

    await cluster.restart(RIGHT)
    await untilPartitions(topic, (partitions) => partitions.every(hasFullIsr))
    await until(() => nodes.at(-1) === RIGHT, 'a fetch from the replica that is back')
    await send()
    expect(offsets).toEqual(Array.from({ length: 60 }, (_, offset) => offset))
  })

  test('groups of both protocols go on when leaders and their coordinator move away and back: nothing is lost, no commit goes back', async () => {
    const topic = await newTopic([
      [LEFT, RIGHT],
      [RIGHT, LEFT],
      [LEFT, RIGHT],
      [RIGHT, LEFT],
    ])
    const groups = (['classic', 'consumer'] as const).map((protocol) => {
      const groupId = uniqueName(protocol)
      const options = { groupId, topics: [topic], groupProtocol: protocol, autoCommitIntervalMs: 100 }
      return new WatchedGroup([newConsumer(options), newConsumer(options)])
    })
    const load = new Load(newProducer(), topic, 4)
    onTestFinished(() => load.stop())
    const untilAllReadOn = async (): Promise<void> => {
      const target = load.acked + 100
      await until(() => groups.every((group) => group.seen.size >= target), `both groups to read ${target} records`)
    }
    await untilAllReadOn()

    await cluster.kill(LEFT)
    await untilPartitions(topic, (partitions) => partitions.every(({ leader }) => leader === RIGHT))
    await untilAllReadOn()
    for (const { consumers } of groups) await Promise.all(consumers.map((consumer) => consumer.commit()))

    await cluster.restart(LEFT)
    for (const name of [topic, '__consumer_offsets'])
      await untilPartitions(name, (partitions) => partitions.every(({ leader, replicas }) => leader === replicas[0]))
    await untilAllReadOn()
    for (const { consumers } of groups) await Promise.all(consumers.map((consumer) => consumer.commit()))

    await load.stop()
    await until(() => groups.every((group) => group.seen.size === load.acked), 'both groups to read everything')
    for (const group of groups) {
      expect(group.anomalies).toEqual([])
      expect([...group.seen].every((value) => value < load.acked)).toBe(true)
    }
  })

  test('what an unclean leader has lost is told of, and read on where the logs differ (KIP-320)', async () => {
    const topic = await newTopic([[LEFT, RIGHT]], { 'unclean.leader.election.enable': 'true' })
    const consumer = newConsumer({})
    consumer.assign([{ topic, partition: 0 }])
    const truncations: Array<ConsumerEvents['truncated']> = []
    consumer.on('truncated', (event) => truncations.push(event))
    const values: string[] = []
    const offsets = follow(consumer, (value) => values.push(value))
    const producer = newProducer()
    const send = async (prefix: string, count: number): Promise<void> => {
      for (let index = 0; index < count; index++) await producer.send({ topic, partition: 0, value: `${prefix}${index}` })
    }
    await send('both-', 5)
    await cluster.kill(RIGHT)
    await untilPartitions(topic, ([one]) => one!.isr.length === 1 && one!.leader === LEFT)
    await send('lost-', 5)
    await until(() => values.at(-1) === 'lost-4', 'what will be lost')

    await cluster.kill(LEFT)
    await cluster.restart(RIGHT)
    await untilPartitions(topic, ([one]) => one!.leader === RIGHT)
    await send('later-', 3)
    await until(() => values.at(-1) === 'later-2', 'what the new leader has')
    expect(truncations).toEqual([{ topic, partition: 0, offset: 10, divergentOffset: 5 }])
    expect(offsets).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 5, 6, 7])
    await cluster.restart(LEFT)
  })
})

function hasFullIsr({ isr, replicas, leader }: TopicPartitionInfo): boolean {
  return leader !== null && isr.length === replicas.length
}

/** The nodes that answered a fetch of the client with this id, the last one at the end. */
function fetchedNodes(clientId: string): number[] {
  const nodes: number[] = []
  const listener = (message: unknown): void => {
    const request = message as { api: string; clientId: string; nodeId: number; error: unknown }
    if (request.api === 'Fetch' && request.clientId === clientId && request.error === null) nodes.push(request.nodeId)
  }
  subscribe('millrace:client:request:end', listener)
  onTestFinished(() => void unsubscribe('millrace:client:request:end', listener))
  return nodes
}

/** Reads in the background until the consumer is closed. */
function follow(consumer: Consumer, read: (value: string) => void = () => {}): number[] {
  const offsets: number[] = []
  const loop = async (): Promise<void> => {
    for await (const { offset, value } of consumer) {
      offsets.push(offset)
      read(String(value))
    }
  }
  const ended = loop()
  onTestFinished(async () => {
    await consumer.close()
    await ended
  })
  return offsets
}

/** Sends numbers, one after another, until it is stopped. */
class Load {
  /** All below were acknowledged. */
  acked = 0
  #isOver = false
  readonly #ended: Promise<void>

  constructor(producer: Producer, topic: string, partitions: number) {
    this.#ended = this.#run(producer, topic, partitions)
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#ended
  }

  async #run(producer: Producer, topic: string, partitions: number): Promise<void> {
    while (!this.#isOver) {
      const from = this.acked
      const records = Array.from({ length: 20 }, (_, index) => ({
        partition: (from + index) % partitions,
        value: `${from + index}`,
      }))
      await producer.sendAll(topic, records)
      this.acked += records.length
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

/** What the members of a group see and commit, and what of that must not be. */
class WatchedGroup {
  readonly consumers: readonly Consumer[]
  readonly seen = new Set<number>()
  readonly anomalies: string[] = []
  readonly #committed = new Map<number, number>()

  constructor(consumers: readonly Consumer[]) {
    this.consumers = consumers
    for (const consumer of consumers) this.#watch(consumer)
  }

  #watch(consumer: Consumer): void {
    const positions = new Map<number, number>()
    consumer.on('assigned', ({ partitions }) => partitions.forEach(({ partition }) => positions.delete(partition)))
    consumer.on('truncated', ({ partition, offset }) => this.anomalies.push(`partition ${partition} was truncated at ${offset}`))
    consumer.on('committed', ({ offsets }) => {
      for (const { partition, offset } of offsets) {
        const before = this.#committed.get(partition) ?? 0
        if (offset < before) this.anomalies.push(`the commit of partition ${partition} goes back from ${before} to ${offset}`)
        this.#committed.set(partition, offset)
      }
    })
    const loop = async (): Promise<void> => {
      for await (const { partition, offset, value } of consumer) {
        const expected = positions.get(partition)
        if (expected !== undefined && offset !== expected)
          this.anomalies.push(`partition ${partition}: ${offset} after ${expected - 1}`)
        positions.set(partition, offset + 1)
        this.seen.add(Number(String(value)))
      }
    }
    const ended = loop().catch((error: unknown) => this.anomalies.push(String(error)))
    onTestFinished(async () => {
      await consumer.close()
      await ended
    })
  }
}
