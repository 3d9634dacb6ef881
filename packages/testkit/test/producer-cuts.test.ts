import { Producer, type ProducerOptions } from '@millrace/producer'
import { HEALTHY, SimCluster, type PlannedCut, type Traffic } from '@millrace/testkit'
import { beforeAll, describe, expect, test } from 'vitest'
import { placesIn } from './cut-places.ts'
import { readLogs } from './producer-run.ts'

/** The first goes alone; the others follow in requests that are in flight together. */
const VALUES = ['v0', 'v1', 'v2', 'v3', 'v4'] as const

interface Exchange {
  /** The APIs of the requests, in the order in which they were handled. */
  readonly apis: string[]
  readonly traffic: readonly Readonly<Traffic>[]
  readonly stored: readonly string[]
  /** What the producer said of each value: its offset, or the error's code. */
  readonly said: readonly (number | string)[]
  readonly brokenConnections: number
  readonly timersLeft: number
}

/** A producer from its first connection to its close, on a network that cuts as planned. */
async function exchange(plannedCuts: readonly PlannedCut[], options: Partial<ProducerOptions> = {}): Promise<Exchange> {
  const cluster = new SimCluster({ seed: 1, faults: HEALTHY, flush: 'os' })
  const { bootstrapServers, broker, clock, network } = cluster
  network.plannedCuts = plannedCuts
  broker.door.requests.start()
  const producer = new Producer({ bootstrapServers, lingerMs: 0, batchSize: 0, ...options }, cluster.environment())
  const send = (value: string): Promise<number | string> =>
    producer.send({ topic: 't', value }).then(
      ({ offset }) => offset,
      (error: { code: string }) => error.code,
    )
  const first = await clock.settle(send(VALUES[0]))
  const others = await clock.settle(Promise.all(VALUES.slice(1).map(send)))
  await clock.settle(producer.close())
  const apis = broker.door.requests.list().map(({ api }) => api)
  const stored = readLogs(cluster).get('t-0') ?? []
  cluster.stop()
  await clock.advance(HEALTHY.delayMaxMs + 1)
  return {
    apis,
    traffic: network.traffic,
    stored,
    said: [first, ...others],
    brokenConnections: network.brokenConnections,
    timersLeft: clock.pendingTimers,
  }
}

describe('a producer whose connection is cut after any byte', () => {
  let whole: Exchange
  beforeAll(async () => {
    whole = await exchange([])
  })

  test('asks four APIs over connections that come to their end when nothing is cut', () => {
    expect(new Set(whole.apis)).toEqual(new Set(['ApiVersions', 'Metadata', 'InitProducerId', 'Produce']))
    expect(whole.stored).toEqual(VALUES)
    expect(whole.brokenConnections).toBe(0)
    expect(placesIn(whole).length).toBeGreaterThan(1_000)
  })

  test('stores every record once and in order, and says where', async () => {
    let cuts = 0
    for (const place of placesIn(whole)) {
      const { stored, said, brokenConnections, timersLeft } = await exchange([place])
      const about = `connection ${place.connection}, ${place.direction}, after ${place.bytes} bytes`
      expect({ stored, said, timersLeft }, about).toEqual({ stored: VALUES, said: [0, 1, 2, 3, 4], timersLeft: 0 })
      cuts += brokenConnections
    }
    expect(cuts).toBeGreaterThan(1_000)
  })

  test('ends every send with one error or one place when it has no time to try again', async () => {
    const options = { deliveryTimeoutMs: 40, requestTimeoutMs: 40, maxBlockMs: 20 }
    const endings = new Set<number | string>()
    for (const place of placesIn(whole)) {
      const { stored, said, timersLeft } = await exchange([place], options)
      const about = `connection ${place.connection}, ${place.direction}, after ${place.bytes} bytes`
      for (const one of said) endings.add(typeof one === 'number' ? 'stored' : one)
      const acknowledged = VALUES.filter((_, index) => typeof said[index] === 'number')
      expect([...new Set(stored)], about).toEqual(stored)
      expect(stored, about).toEqual(expect.arrayContaining(acknowledged))
      expect(stored.toSorted(), about).toEqual(stored)
      expect(timersLeft, about).toBe(0)
    }
    expect(endings).toEqual(new Set(['stored', 'METADATA_TIMED_OUT', 'DELIVERY_TIMED_OUT']))
  })

  test('without idempotence stores every record at least once, and some of them twice', async () => {
    let doubled = 0
    const plain = await exchange([], { enableIdempotence: false })
    // The last connection is the one for Produce requests.
    const last = plain.traffic.length - 1
    for (const place of placesIn(plain).filter(({ connection }) => connection === last)) {
      const { stored, said } = await exchange([place], { enableIdempotence: false })
      const about = `connection ${place.connection}, ${place.direction}, after ${place.bytes} bytes`
      expect(
        VALUES.filter((value) => !stored.includes(value)),
        about,
      ).toEqual([])
      expect(
        said.map((offset) => stored[Number(offset)]),
        about,
      ).toEqual(VALUES)
      if (stored.length > VALUES.length) doubled++
    }
    expect(doubled).toBeGreaterThan(0)
  })
})
