import { readBatches } from '@millrace/records/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Accumulator, batchSizeUpperBound, type AccumulatorConfig } from './accumulator.ts'
import { PartitionQueue, TopicQueues } from './partition-queue.ts'
import type { ProducerBatch } from './producer-batch.ts'
import { StickyPartitioner } from './sticky-partitioner.ts'

const CONFIG: AccumulatorConfig = { batchSize: 200, bufferMemory: 1_000, lingerMs: 5, compress: false }

function queues(count: number): PartitionQueue[] {
  const topic = new TopicQueues('t', new StickyPartitioner(1, () => 0, null))
  return Array.from({ length: count }, (_, partition) => new PartitionQueue(topic, partition))
}

function append(accumulator: Accumulator, queue: PartitionQueue, now: number, size: number): ProducerBatch | null {
  return accumulator.append(queue, now, now, null, 'x'.repeat(size), [])
}

describe('batches', () => {
  test('fill up, and close when the next record does not fit', () => {
    const accumulator = new Accumulator(CONFIG)
    const [queue] = queues(1)
    const first = append(accumulator, queue!, 0, 60)!
    expect(append(accumulator, queue!, 0, 60)).toBe(first)
    const second = append(accumulator, queue!, 0, 60)!
    expect([first.state, first.recordCount, second.state]).toEqual(['ready', 2, 'open'])
    expect(queue!.ready).toEqual([first])
    expect(first.seal().length).toBeLessThanOrEqual(200)
  })

  test('a record larger than a batch gets its own, ready at once', () => {
    const accumulator = new Accumulator(CONFIG)
    const [queue] = queues(1)
    const batch = append(accumulator, queue!, 0, 500)!
    expect([batch.state, batch.recordCount, queue!.open]).toEqual(['ready', 1, null])
    expect(accumulator.memoryFree).toBeLessThan(500)
  })

  test('linger in the order in which they were opened', () => {
    const accumulator = new Accumulator(CONFIG)
    const [a, b] = queues(2)
    append(accumulator, a!, 100, 10)
    append(accumulator, b!, 103, 10)
    expect(accumulator.deadline).toBe(105)
    accumulator.closeLingering(104)
    expect([...accumulator.readyQueues]).toEqual([])
    accumulator.closeLingering(105)
    expect([...accumulator.readyQueues]).toEqual([a])
    expect(accumulator.deadline).toBe(108)
    accumulator.closeAll()
    expect([...accumulator.readyQueues]).toEqual([a, b])
    expect([accumulator.deadline, accumulator.openCount]).toEqual([Infinity, 0])
  })

  test('wait for compression when they are to be compressed', () => {
    const accumulator = new Accumulator({ ...CONFIG, compress: true })
    const [queue] = queues(1)
    const batch = append(accumulator, queue!, 0, 10)!
    accumulator.close(batch)
    expect([batch.state, accumulator.toCompress]).toEqual(['compressing', [batch]])
  })

  test('an empty batch is not left behind by a record that the format cannot hold', () => {
    const accumulator = new Accumulator(CONFIG)
    const [queue] = queues(1)
    expect(() => accumulator.append(queue!, 0, Number.NaN, null, 'x', [])).toThrow(
      expect.objectContaining({ code: 'INVALID_RECORD' }),
    )
    expect([queue!.open, accumulator.memoryFree, accumulator.incomplete.size, accumulator.deadline]).toEqual([
      null,
      1_000,
      0,
      Infinity,
    ])
  })
})

describe('memory', () => {
  test('is taken by the batch, refused when short, and free again with the outcome', () => {
    const accumulator = new Accumulator(CONFIG)
    const all = queues(6)
    const batches = all.slice(0, 5).map((queue) => append(accumulator, queue, 0, 10)!)
    expect(accumulator.memoryFree).toBe(0)
    expect(append(accumulator, all[5]!, 0, 10)).toBeNull()
    expect(append(accumulator, all[0]!, 0, 10)).toBe(batches[0])
    accumulator.release(batches[0]!, true)
    expect(append(accumulator, all[5]!, 0, 10)).not.toBeNull()
  })

  test('a buffer is used again only when it may be', () => {
    const accumulator = new Accumulator(CONFIG)
    const [queue] = queues(1)
    const bufferOf = (isReusable: boolean): Buffer => {
      const batch = append(accumulator, queue!, 0, 10)!
      const { buffer } = batch.builder!
      accumulator.release(batch, isReusable)
      return buffer
    }
    const first = bufferOf(true)
    expect(bufferOf(false)).toBe(first)
    expect(bufferOf(true)).not.toBe(first)
  })

  test('never goes wrong, and every record is in exactly one batch, whatever is appended and released', () => {
    const action = fc.oneof(
      fc.record({ do: fc.constant('append' as const), partition: fc.nat(3), size: fc.nat(300) }),
      fc.record({ do: fc.constant('release' as const), index: fc.nat(10) }),
      fc.record({ do: fc.constant('close' as const), now: fc.nat(20) }),
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const accumulator = new Accumulator(CONFIG)
        const all = queues(4)
        let appended = 0
        let released = 0
        for (const one of actions) {
          if (one.do === 'append') {
            if (append(accumulator, all[one.partition]!, 0, one.size) !== null) appended++
          } else if (one.do === 'close') accumulator.closeLingering(one.now)
          else {
            const closed = [...accumulator.incomplete].filter(({ state }) => state === 'ready')
            const batch = closed[one.index % Math.max(1, closed.length)]
            if (batch === undefined) continue
            released += [...[...readBatches(batch.seal())][0]!].length
            accumulator.release(batch, true)
          }
          const held = [...accumulator.incomplete].reduce((sum, { memory }) => sum + memory, 0)
          expect(accumulator.memoryFree).toBe(CONFIG.bufferMemory - held)
          expect(accumulator.memoryFree).toBeGreaterThanOrEqual(0)
        }
        const waiting = [...accumulator.incomplete].reduce((sum, { recordCount }) => sum + recordCount, 0)
        expect(released + waiting).toBe(appended)
      }),
    )
  })

  test('the bound of a record is never below what it takes', () => {
    const bytes = fc.option(fc.oneof(fc.string({ unit: 'grapheme' }), fc.uint8Array()), { nil: null })
    fc.assert(
      fc.property(
        bytes,
        bytes,
        fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), bytes), { maxLength: 4 }),
        (key, value, headers) => {
          const bound = batchSizeUpperBound(key, value, headers)
          const accumulator = new Accumulator({ ...CONFIG, batchSize: 0, bufferMemory: bound })
          const batch = accumulator.append(queues(1)[0]!, 0, 1_790_000_000_000, key, value, headers)!
          expect(batch.seal().length).toBeLessThanOrEqual(bound)
        },
      ),
    )
  })
})

describe('the buffer of a batch', () => {
  const BATCH_SIZE = 16_000
  const settings = { ...CONFIG, batchSize: BATCH_SIZE, bufferMemory: 100_000 }

  test('grows with its records, within memory, and begins as large as the last one of its partition came to', () => {
    const accumulator = new Accumulator(settings)
    const [queue] = queues(1)
    const batch = append(accumulator, queue!, 0, 90)!
    expect(batch.memory).toBe(1_000)
    const sizes = new Set<number>()
    while (queue!.ready.length === 0) {
      sizes.add(batch.memory)
      append(accumulator, queue!, 0, 90)
      expect(accumulator.memoryFree).toBe(100_000 - batch.memory - (queue!.ready.length === 0 ? 0 : queue!.open!.memory))
    }
    expect([...sizes]).toEqual([1_000, 4_000, BATCH_SIZE])
    expect(queue!.open!.memory).toBe(BATCH_SIZE)
    const values = [...readBatches(batch.seal())].flatMap((one) => [...one]).map(({ value }) => String(value))
    expect(values).toEqual(Array.from({ length: batch.recordCount }, () => 'x'.repeat(90)))
    expect(batch.sizeInBytes).toBeGreaterThan(BATCH_SIZE - 110)
    accumulator.close(queue!.open!)
    expect(append(accumulator, queue!, 0, 90)!.memory).toBe(1_000)
  })

  test('does not grow when memory is short: the batch is closed as it is', () => {
    const accumulator = new Accumulator({ ...settings, bufferMemory: 4_500 })
    const [first, second] = queues(2)
    append(accumulator, first!, 0, 90)
    while (first!.ready.length === 0 && append(accumulator, second!, 0, 90) !== null);
    const closed = second!.ready[0]!
    expect([closed.memory, closed.sizeInBytes > 900]).toEqual([1_000, true])
    expect(accumulator.memoryFree).toBeGreaterThanOrEqual(0)
  })
})
