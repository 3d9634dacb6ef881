import { Consumer } from '@millrace/consumer-group'
import { SimCluster } from '@millrace/testkit'
import { expect, test } from 'vitest'

const LISTENER_MS = 20_000
const LIMIT_MS = 120_000

test.each(['classic', 'consumer'] as const)(
  'a member by the protocol %s that closes does not join again when it is put out while its listener learns of it',
  async (groupProtocol) => {
    const config = { 'num.partitions': 2, 'offsets.topic.num.partitions': 1, 'group.consumer.heartbeat.interval.ms': 1_000 }
    const cluster = new SimCluster({ seed: 1, config })
    const { bootstrapServers, broker, clock } = cluster
    const topic = { name: 't', numPartitions: 2, replicationFactor: 1, assignments: [], configs: new Map<string, string>() }
    broker.services.controller.createTopic(topic, false, clock.now())
    broker.door.requests.start()
    const told: string[] = []
    const options = { bootstrapServers, groupProtocol, groupId: 'g', topics: ['t'], maxPollIntervalMs: 60_000 }
    const rebalanceListener = {
      assigned: () => void told.push('assigned'),
      revoked: async () => {
        told.push('revoked')
        await clock.sleep(LISTENER_MS)
      },
      lost: () => void told.push('lost'),
    }
    const one = new Consumer({ ...options, clientId: 'one', rebalanceListener }, cluster.environment())
    const reading = one[Symbol.asyncIterator]().next()
    await clock.runUntil(() => one.assignment.length === 2, LIMIT_MS)
    const joins = (): number =>
      broker.door.requests.list().filter(({ api, clientId }) => api === 'JoinGroup' && clientId === 'one').length
    const before = joins()
    const closing = one.close()
    const api = groupProtocol === 'classic' ? 'Heartbeat' : 'ConsumerGroupHeartbeat'
    const putOut = broker.door.faults.add({ api, clientId: 'one', answer: { error: 'UNKNOWN_MEMBER_ID' } })
    const two = new Consumer({ ...options, clientId: 'two' }, cluster.environment())
    const other = two[Symbol.asyncIterator]().next()
    await clock.advance(LISTENER_MS / 2)
    expect(putOut.hits).toBe(1)
    expect([joins(), told]).toEqual([before, ['assigned', 'revoked']])
    await clock.settle(closing, LIMIT_MS)
    await clock.runUntil(() => two.assignment.length === 2, LIMIT_MS)
    expect(told).toEqual(['assigned', 'revoked'])
    await clock.settle(two.close(), LIMIT_MS)
    expect((await Promise.all([reading, other])).map(({ done }) => done)).toEqual([true, true])
    cluster.stop()
    await clock.advance(1_000)
    expect(clock.pendingTimers).toBe(0)
  },
)
