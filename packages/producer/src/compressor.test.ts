import { compressionOf, readBatches } from '@millrace/records/internal'
import { describe, expect, test } from 'vitest'
import { Accumulator } from './accumulator.ts'
import { Compressor } from './compressor.ts'
import { COMPRESSION_TURN_MS, COMPRESSIONS_OFF_LOOP_MAX } from './limits.ts'
import { PartitionQueue, TopicQueues } from './partition-queue.ts'
import type { ProducerBatch } from './producer-batch.ts'
import { StickyPartitioner } from './sticky-partitioner.ts'

const BATCH_SIZE = 1_000
/** More than any codec compresses on the event loop. */
const LARGE = 2_000_000

class Bench {
  readonly accumulator: Accumulator
  readonly queues: PartitionQueue[]
  readonly compressor: Compressor
  readonly failures: unknown[] = []
  readonly timers: Array<() => void> = []
  now = 0
  /** What each look at the clock takes. */
  tickMs = 0
  changes = 0
  #wake = Promise.withResolvers<void>()

  constructor(compressionLevel?: number) {
    const settings = { batchSize: BATCH_SIZE, bufferMemory: 100_000_000, lingerMs: 5, compress: true }
    this.accumulator = new Accumulator(settings)
    const topic = new TopicQueues('t', new StickyPartitioner(1, () => 0, null))
    this.queues = Array.from({ length: 8 }, (_, partition) => new PartitionQueue(topic, partition))
    const clock = {
      now: () => (this.now += this.tickMs),
      after: (_delayMs: number, action: () => void) => {
        this.timers.push(action)
        return { cancel: () => {} }
      },
    }
    this.compressor = new Compressor({
      compressionType: 'gzip',
      compressionLevel,
      clock,
      accumulator: this.accumulator,
      failed: (_batch, error) => this.failures.push(error),
      changed: () => {
        this.changes++
        this.#wake.resolve()
        this.#wake = Promise.withResolvers()
      },
    })
  }

  /** A closed batch of one record. */
  closed(partition: number, size: number): ProducerBatch {
    const batch = this.accumulator.append(this.queues[partition]!, 0, 1, null, 'abc '.repeat(size / 4), [])!
    if (batch.state === 'open') this.accumulator.close(batch)
    return batch
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#wake.promise
  }
}

const states = (batches: readonly ProducerBatch[]): string[] => batches.map(({ state }) => state)

describe('small batches', () => {
  test('are ready at once, and take only what is left of them', () => {
    const bench = new Bench()
    const free = bench.accumulator.memoryFree
    const batch = bench.closed(0, 800)
    expect([batch.state, bench.accumulator.memoryFree]).toEqual(['compressing', free - BATCH_SIZE])
    expect(bench.compressor.run()).toBe(true)
    expect([batch.state, bench.accumulator.memoryFree]).toEqual(['ready', free - batch.sizeInBytes])
    expect(batch.sizeInBytes).toBeLessThan(200)
    const bytes = batch.seal()
    expect(compressionOf(bytes, 0)).toBe('gzip')
    expect([...readBatches(bytes)].flatMap((one) => [...one]).map(({ value }) => String(value))).toEqual(['abc '.repeat(200)])
    bench.accumulator.release(batch, true)
    expect(bench.accumulator.memoryFree).toBe(free)
    expect(bench.compressor.run()).toBe(false)
  })

  test('leave the event loop to others after a while, and go on', () => {
    const bench = new Bench()
    bench.tickMs = COMPRESSION_TURN_MS / 2
    const batches = Array.from({ length: 5 }, (_, index) => bench.closed(index, 800))
    bench.compressor.run()
    expect(states(batches)).toEqual(['ready', 'ready', 'compressing', 'compressing', 'compressing'])
    expect(bench.timers).toHaveLength(1)
    bench.compressor.run()
    expect(bench.timers).toHaveLength(1)
    bench.timers.shift()!()
    expect(bench.changes).toBe(1)
    bench.compressor.run()
    expect(states(batches)).toEqual(Array.from({ length: 5 }, () => 'ready'))
    expect(bench.timers).toHaveLength(0)
  })

  test('that were given up meanwhile are left alone', () => {
    const bench = new Bench()
    const [kept, gone] = [bench.closed(0, 800), bench.closed(1, 800)]
    bench.accumulator.release(gone, false)
    bench.compressor.run()
    expect(states([kept, gone])).toEqual(['ready', 'done'])
  })

  test('that cannot be compressed fail, the others go on', () => {
    const bench = new Bench(10)
    bench.closed(0, 800)
    bench.compressor.run()
    expect(bench.failures).toMatchObject([{ code: 'INVALID_CONFIG', option: 'compressionLevel' }])
  })
})

describe('large batches', () => {
  test('leave the event loop, a few at a time, and small ones do not wait for them', async () => {
    const bench = new Bench()
    const large = Array.from({ length: COMPRESSIONS_OFF_LOOP_MAX + 2 }, (_, index) => bench.closed(index, LARGE))
    const behind = bench.closed(0, 800)
    const small = bench.closed(7, 800)
    expect(bench.compressor.run()).toBe(true)
    expect([behind.state, small.state]).toEqual(['ready', 'ready'])
    expect(bench.queues[0]!.ready).toEqual([large[0], behind])
    expect(new Set(states(large))).toEqual(new Set(['compressing']))
    const done = (): number => large.filter(({ state }) => state === 'ready').length
    // Nobody starts the two that wait before the producer looks again.
    await bench.until(() => done() === COMPRESSIONS_OFF_LOOP_MAX)
    expect(states(large.slice(COMPRESSIONS_OFF_LOOP_MAX))).toEqual(['compressing', 'compressing'])
    bench.compressor.run()
    await bench.until(() => done() === large.length)
    expect(bench.changes).toBe(large.length)
    for (const batch of large) expect([...readBatches(batch.seal())].flatMap((one) => [...one])).toHaveLength(1)
  })

  test('given up on their way stay given up, and those that fail say so', async () => {
    const bench = new Bench()
    const batch = bench.closed(0, LARGE)
    bench.compressor.run()
    bench.accumulator.release(batch, false)
    const free = bench.accumulator.memoryFree
    await bench.until(() => bench.changes === 1)
    expect([batch.state, bench.accumulator.memoryFree, free]).toEqual(['done', 100_000_000, 100_000_000])
    const failing = new Bench(10)
    failing.closed(0, LARGE)
    failing.compressor.run()
    await failing.until(() => failing.changes === 1)
    expect(failing.failures).toMatchObject([{ option: 'compressionLevel' }])
  })
})

describe('how many records a batch takes', () => {
  const fill = (bench: Bench): ProducerBatch => {
    for (;;) {
      const batch = bench.accumulator.append(bench.queues[0]!, 0, 1, null, 'x'.repeat(90), [])!
      if (batch.state === 'open' && batch.recordCount === 1 && bench.queues[0]!.ready.length > 0)
        return bench.queues[0]!.ready.shift()!
    }
  }

  test('grows with what compression leaves of them, and shrinks at once', () => {
    const bench = new Bench()
    const { compressionRatio } = bench.queues[0]!.topic
    expect(fill(bench).builder!.sizeInBytes).toBeLessThanOrEqual(BATCH_SIZE)
    for (let batch = 0; batch < 400; batch++) compressionRatio.observe(0.1)
    fill(bench)
    const wide = fill(bench)
    expect(wide.builder!.buffer.length).toBe(9 * BATCH_SIZE)
    bench.compressor.run()
    expect(wide.sizeInBytes).toBeLessThan(BATCH_SIZE)
    compressionRatio.batchWasTooLarge(0.1)
    fill(bench)
    expect(fill(bench).builder!.buffer.length).toBe(BATCH_SIZE)
  })

  test('is not more than without compression when memory is in demand', () => {
    const accumulator = new Accumulator({ batchSize: BATCH_SIZE, bufferMemory: 8_000, lingerMs: 5, compress: true })
    const [first, second] = new Bench().queues
    for (let batch = 0; batch < 400; batch++) first!.topic.compressionRatio.observe(0.25)
    const fillTo = (queue: PartitionQueue, bytes: number): ProducerBatch => {
      let batch = accumulator.append(queue, 0, 1, null, 'x'.repeat(90), [])!
      while (batch.sizeInBytes < bytes) batch = accumulator.append(queue, 0, 1, null, 'x'.repeat(90), [])!
      return batch
    }
    expect(fillTo(first!, 2_900).memory).toBe(3 * BATCH_SIZE)
    expect([fillTo(second!, 850).memory, second!.ready.length]).toEqual([BATCH_SIZE, 0])
    fillTo(second!, 100)
    while (second!.ready.length === 0) accumulator.append(second!, 0, 1, null, 'x'.repeat(90), [])
    expect(second!.ready[0]!.memory).toBe(BATCH_SIZE)
  })
})
