import { describe, expect, test } from 'vitest'
import { uniqueName, type SuiteBroker } from '../suite.ts'
import { Clients, read } from './clients.ts'

const BASE = 1_700_000_000_000

async function numbered(clients: Clients, topic: string, partition: number, count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, index) => ({ partition, value: `${index}`, timestamp: BASE + index * 1_000 }))
  await clients.producer().sendAll(topic, records)
}

export function positions(broker: SuiteBroker): void {
  describe('positions', () => {
    test('partitions by hand, without a group: seek, both ends, pause and lag', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(2)
      await numbered(clients, topic, 0, 20)
      await numbered(clients, topic, 1, 5)
      const [zero, one] = [
        { topic, partition: 0 },
        { topic, partition: 1 },
      ]
      const reader = clients.reader()
      reader.assign([{ ...zero, offset: 17 }, one])
      reader.pause([one])
      expect((await read(reader, 3)).map(({ offset }) => offset)).toEqual([17, 18, 19])
      expect(reader.currentLag(zero)).toBe(0)
      reader.seek(zero, 4)
      expect((await read(reader, 2)).map(({ offset }) => offset)).toEqual([4, 5])
      reader.seekToEnd([zero])
      expect(await reader.position(zero)).toBe(20)
      reader.seekToBeginning([zero])
      expect(await reader.position(zero)).toBe(0)
      reader.pause([zero])
      reader.resume([one])
      expect((await read(reader, 5)).map(({ partition, offset }) => [partition, offset])).toEqual(
        [0, 1, 2, 3, 4].map((offset) => [1, offset]),
      )
    })

    test('questions about offsets, and committed offsets with metadata and leader epoch', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(2)
      const group = uniqueName('positions')
      await numbered(clients, topic, 0, 10)
      const places = [
        { topic, partition: 0 },
        { topic, partition: 1 },
      ]
      const consumer = clients.consumer(topic, group, { enableAutoCommit: false })
      expect((await consumer.beginningOffsets(places)).map(({ offset }) => offset)).toEqual([0, 0])
      expect((await consumer.endOffsets(places)).map(({ offset }) => offset)).toEqual([10, 0])
      const found = await consumer.offsetsForTimes(places.map((place) => ({ ...place, timestamp: BASE + 3_001 })))
      expect(found).toMatchObject([{ offset: 4, timestamp: BASE + 4_000 }, { offset: null }])
      for await (const record of consumer) {
        if (record.offset < 6) continue
        await consumer.commit(record, { metadata: 'here' })
        consumer.stop()
      }
      const [first, second] = await consumer.committed(places)
      expect(first).toMatchObject({ offset: 7, metadata: 'here' })
      expect(first!.leaderEpoch).toBeGreaterThanOrEqual(0)
      expect(second!.offset).toBeNull()
      await consumer.close()
      // Begins at the committed offset, whose epoch the leader is asked about.
      const next = clients.consumer(topic, group)
      expect((await read(next, 1)).map(({ offset }) => offset)).toEqual([7])
    })

    test('by_duration begins with what is recent enough', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1)
      const now = Date.now()
      const records = [72, 48, 12, 1].map((hours) => ({ partition: 0, value: `${hours}`, timestamp: now - hours * 3_600_000 }))
      await clients.producer().sendAll(topic, records)
      const reader = clients.reader({ autoOffsetReset: 'by_duration:P1D' })
      reader.assign([{ topic, partition: 0 }])
      expect((await read(reader, 2)).map(({ value }) => value)).toEqual(['12', '1'])
    })

    test('a subscription changes, and streams of partitions go side by side', async () => {
      const clients = new Clients(broker)
      const [first, second] = [await clients.topic(1), await clients.topic(3)]
      await numbered(clients, first, 0, 3)
      for (const partition of [0, 1, 2]) await numbered(clients, second, partition, 10)
      const consumer = clients.consumer(first, uniqueName('streams'), { heartbeatIntervalMs: 300 })
      expect(await read(consumer, 3)).toHaveLength(3)
      consumer.subscribe([second])
      const seen = new Map<number, number[]>()
      let count = 0
      const drain = async (stream: AsyncIterable<{ partition: number; offset: number }>): Promise<void> => {
        for await (const { partition, offset } of stream) {
          if (!seen.has(partition)) seen.set(partition, [])
          seen.get(partition)!.push(offset)
          if (++count === 30) consumer.stop()
        }
      }
      const streams: Promise<void>[] = []
      for await (const stream of consumer.partitions()) if (stream.topic === second) streams.push(drain(stream))
      await Promise.all(streams)
      const inOrder = Array.from({ length: 10 }, (_, offset) => offset)
      expect(new Map([...seen].toSorted(([a], [b]) => a - b))).toEqual(
        new Map([0, 1, 2].map((partition) => [partition, inOrder])),
      )
    })
  })
}
