import { Producer } from '@millrace/producer'
import { SimCluster } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { readLogs } from './producer-run.ts'

/** Each tears and forgets something else. */
const seeds: number[] = Array.from({ length: 20 }, (_, index) => index + 1)

test.each(seeds)('seed %i: what was acknowledged first in a new topic survives a power loss', async (seed) => {
  const cluster = new SimCluster({ seed, flush: 'fsync', config: { 'num.partitions': 3 } })
  const { bootstrapServers, clock } = cluster
  const producer = new Producer({ bootstrapServers, lingerMs: 0 }, cluster.environment())
  const sends = [0, 1, 2].map((partition) => producer.send({ topic: 'new', partition, value: `v${partition}` }))
  await clock.settle(Promise.all(sends))
  await clock.settle(producer.close())
  cluster.losePower()
  cluster.start()
  expect([...readLogs(cluster).values()]).toEqual([['v0'], ['v1'], ['v2']])
})

test.each(seeds)('seed %i: what was acknowledged after a kill, as stored before it, survives a power loss', async (seed) => {
  const cluster = new SimCluster({ seed, flush: 'fsync' })
  const { bootstrapServers, clock } = cluster
  const producer = new Producer({ bootstrapServers, lingerMs: 0, reconnectBackoffMs: 1 }, cluster.environment())
  await clock.settle(producer.send({ topic: 'new', value: 'v0' }))
  const { log } = cluster.broker.services.topics.partition('new', 0)!
  const sent = producer.send({ topic: 'new', value: 'v1' })
  // Appended, not synced, not answered for.
  await clock.runUntil(() => log.logEndOffset === 2)
  expect(log.highWatermark).toBe(1)
  cluster.kill()
  cluster.start()
  await clock.settle(sent)
  cluster.losePower()
  cluster.start()
  expect([...readLogs(cluster).values()]).toEqual([['v0', 'v1']])
  await clock.settle(producer.close())
})
