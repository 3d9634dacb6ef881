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
