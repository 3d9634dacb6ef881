import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker } from '@millrace/broker'
import { Consumer } from '@millrace/consumer-group'
import { Producer } from '@millrace/producer'
import { expect, test } from 'vitest'

const QUICK = { retryBackoffMs: 10, retryBackoffMaxMs: 50, reconnectBackoffMs: 10, reconnectBackoffMaxMs: 50 }
const RECORDS = 3_000
const RESTARTS = 3

test('nothing is lost, repeated or reordered by a producer and a consumer that live through restarts of their broker', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-restart-'))
  let broker = await Broker.start({ port: 0, dataDir, numPartitions: 3 })
  const { port, bootstrapServers } = broker
  const producer = new Producer({ bootstrapServers, ...QUICK, batchSize: 2_000 })
  const consumer = new Consumer({
    bootstrapServers,
    ...QUICK,
    groupId: 'g',
    topics: ['t'],
    autoOffsetReset: 'earliest',
    heartbeatIntervalMs: 100,
  })
  try {
    let stored = 0
    const sending = (async () => {
      for (let sent = 0; sent < RECORDS; sent += 10) {
        const records = Array.from({ length: 10 }, (_, index) => ({ key: `k${(sent + index) % 7}`, value: String(sent + index) }))
        await producer.sendAll('t', records)
        stored = sent + 10
      }
    })()
    const seen = new Map<string, number[]>()
    let count = 0
    const reading = (async () => {
      for await (const { key, value } of consumer) {
        const values = seen.get(String(key)) ?? []
        values.push(Number(value))
        seen.set(String(key), values)
        if (++count === RECORDS) consumer.stop()
      }
    })()
    for (let restart = 1; restart <= RESTARTS; restart++) {
      const enough = (RECORDS * restart) / (RESTARTS + 1)
      await until(() => stored >= enough && count >= enough / 2)
      await broker.close()
      broker = await Broker.start({ port, dataDir, numPartitions: 3 })
    }
    await Promise.all([sending, reading])
    expect([...seen.values()].flat()).toHaveLength(RECORDS)
    for (const values of seen.values()) expect(values).toEqual(values.toSorted((a, b) => a - b))
    expect(new Set([...seen.values()].flat()).size).toBe(RECORDS)
  } finally {
    await consumer.close()
    await producer.close()
    await broker.close()
    await rm(dataDir, { recursive: true })
  }
})

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
