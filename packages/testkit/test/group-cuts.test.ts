import { Consumer, type ConsumerOptions } from '@millrace/consumer-group'
import { RecordBatchBuilder } from '@millrace/records/internal'
import { CoordinatorLog, HEALTHY, History, SimCluster, type PlannedCut, type Traffic } from '@millrace/testkit'
import { beforeAll, describe, expect, test } from 'vitest'
import { placesIn } from './cut-places.ts'

const TOPIC = 't'
const GROUP = 'g'
const VALUES = ['v0', 'v1', 'v2'] as const
const HEARTBEAT_MS = 1_000
const CONFIG = {
  'auto.create.topics.enable': false,
  'offsets.topic.num.partitions': 1,
  'group.consumer.heartbeat.interval.ms': HEARTBEAT_MS,
}
const LIMIT_MS = 120_000

interface Exchange {
  /** The APIs of the requests, in the order in which they were handled. */
  readonly apis: readonly string[]
  readonly traffic: readonly Readonly<Traffic>[]
  /** In the order in which they were handed out. */
  readonly read: readonly string[]
  /** What the coordinator wrote of the group's position, in order. */
  readonly commits: readonly number[]
  readonly membersLeft: number
  readonly brokenConnections: number
  readonly timersLeft: number
}

/** A member from its first connection to its close: it reads, commits, is idle for a heartbeat, reads once more, commits and leaves. The network cuts as planned. */
async function exchange(plannedCuts: readonly PlannedCut[], options: Partial<ConsumerOptions>): Promise<Exchange> {
  const cluster = new SimCluster({ seed: 1, faults: HEALTHY, flush: 'os', config: CONFIG })
  const { bootstrapServers, broker, clock, network } = cluster
  const topic = { name: TOPIC, numPartitions: 1, replicationFactor: 1, assignments: [], configs: new Map<string, string>() }
  broker.services.controller.createTopic(topic, false, clock.now())
  append(cluster, VALUES.slice(0, 2))
  network.plannedCuts = plannedCuts
  broker.door.requests.start()
  const consumer = new Consumer(
    { bootstrapServers, groupId: GROUP, topics: [TOPIC], autoOffsetReset: 'earliest', enableAutoCommit: false, ...options },
    cluster.environment(),
  )
  const read: string[] = []
  const life = async (): Promise<void> => {
    for await (const record of consumer) {
      read.push(record.value!.toString())
      if (record.offset === 0) continue
      await consumer.commit(record)
      if (record.offset === 2) break
      await clock.sleep(2 * HEARTBEAT_MS)
      append(cluster, VALUES.slice(2))
    }
    await consumer.close()
  }
  await clock.settle(life(), LIMIT_MS)
  const apis = broker.door.requests.list().map(({ api }) => api)
  const history = new History()
  new CoordinatorLog(history).read(broker)
  cluster.stop()
  await clock.advance(HEALTHY.delayMaxMs + 1)
  const owners = history.events.findLast((event) => event.kind === 'owners')
  return {
    apis,
    traffic: network.traffic,
    read,
    commits: history.events.flatMap((event) => (event.kind === 'wrote' ? [event.place.offset] : [])),
    membersLeft: owners?.members.length ?? -1,
    brokenConnections: network.brokenConnections,
    timersLeft: clock.pendingTimers,
  }
}

function append({ broker, clock }: SimCluster, values: readonly string[]): void {
  const builder = new RecordBatchBuilder({ buffer: Buffer.allocUnsafeSlow(1_000) })
  for (const value of values) builder.tryAppend(clock.now(), null, Buffer.from(value))
  broker.services.topics.partition(TOPIC, 0)!.log.append(builder.seal(), { now: clock.now(), origin: 'client' })
}

const MEMBERS: ReadonlyArray<readonly [string, Partial<ConsumerOptions>, readonly string[]]> = [
  ['classic', { heartbeatIntervalMs: HEARTBEAT_MS }, ['JoinGroup', 'SyncGroup', 'Heartbeat', 'LeaveGroup']],
  ['consumer', { groupProtocol: 'consumer' }, ['ConsumerGroupHeartbeat', 'DescribeConfigs']],
]

describe.each(MEMBERS)('a member by the protocol %s whose connection is cut after any byte', (_, options, ofTheGroup) => {
  let whole: Exchange
  beforeAll(async () => {
    whole = await exchange([], options)
  })

  test('asks all that a member asks when nothing is cut', () => {
    const others = ['ApiVersions', 'Metadata', 'FindCoordinator', 'OffsetFetch', 'ListOffsets', 'Fetch', 'OffsetCommit']
    expect(new Set(whole.apis)).toEqual(new Set([...others, ...ofTheGroup]))
    expect(whole).toMatchObject({ read: VALUES, commits: [2, 3], membersLeft: 0, brokenConnections: 0, timersLeft: 0 })
    expect(placesIn(whole).length).toBeGreaterThan(2_000)
  })

  test('reads every record, commits what it read, never back, and leaves nothing behind', { timeout: 300_000 }, async () => {
    let cuts = 0
    for (const place of placesIn(whole)) {
      const { read, commits, timersLeft, brokenConnections } = await exchange([place], options)
      const about = `connection ${place.connection}, ${place.direction}, after ${place.bytes} bytes`
      expect({ read: [...new Set(read)], timersLeft }, about).toEqual({ read: VALUES, timersLeft: 0 })
      expect(commits.at(-1), about).toBe(3)
      expect(
        commits.toSorted((left, right) => left - right),
        about,
      ).toEqual(commits)
      cuts += brokenConnections
    }
    expect(cuts).toBeGreaterThan(2_000)
  })
})
