import { expect, test } from 'vitest'
import { FakePartition } from '../../test/fake-partition.ts'
import { Scheduler, type SchedulerSettings } from './scheduler.ts'
import { NO_CHAIN, type Task } from './task.ts'

/** Handlers that end when the test says so. */
class Bench {
  readonly began: Task[] = []
  readonly sources: FakePartition[]
  readonly scheduler: Scheduler

  constructor(
    partitions: number,
    settings: Partial<SchedulerSettings>,
    sizeInBytes = 10,
    chainOf: (offset: number) => number = () => NO_CHAIN,
  ) {
    this.scheduler = new Scheduler(
      {
        orderedBy: 'none',
        concurrency: 4,
        windowRecords: 1_000,
        windowBytes: 1_000_000,
        bytesLimit: 1_000_000,
        holdMs: 10,
        finishMs: 50,
        isBatched: false,
        ...settings,
      },
      {
        begin: (task) => {
          this.began.push(task)
          return false
        },
        load: () => {},
        failed: (error) => {
          throw error
        },
        commit: () => Promise.resolve(),
      },
    )
    this.sources = Array.from({ length: partitions }, (_, partition) => {
      const items = Array.from({ length: 1_000 }, (_, offset) => ({ offset, chain: chainOf(offset), epoch: 0, sizeInBytes }))
      return new FakePartition(partition, items)
    })
    for (const source of this.sources) this.scheduler.add(source)
    this.pump()
  }

  pump(): void {
    while (this.scheduler.pump(0, () => false));
  }

  begunOf(partition: number): Task[] {
    return this.began.filter(({ lane }) => lane.source.partition === partition)
  }

  end(task: Task): void {
    this.sources[task.lane.source.partition]!.done.add(task.offset)
    this.scheduler.end(task)
    this.pump()
  }
}

test('partitions take turns', () => {
  const bench = new Bench(3, { concurrency: 4 })
  for (let count = 0; count < 200; count++) {
    bench.end(bench.began[count]!)
    const shares = [0, 1, 2].map((partition) => bench.begunOf(partition).length)
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1)
  }
})

test('a slow record stops its partition at the window, and no other', () => {
  const bench = new Bench(2, { concurrency: 3, windowRecords: 20 })
  const slow = bench.begunOf(0)[0]!
  for (let at = 0; bench.begunOf(1).length < 500; at++) if (bench.began[at] !== slow) bench.end(bench.began[at]!)
  expect(bench.begunOf(0)).toHaveLength(20)
  expect(bench.sources[0]!.handledTo).toBe(0)
  expect(bench.sources[1]!.handledTo).toBeGreaterThan(490)
  bench.end(slow)
  expect(bench.sources[0]!.handledTo).toBe(20)
  // The other was in line before it.
  bench.end(bench.began.at(-1)!)
  expect(bench.begunOf(0)).toHaveLength(21)
})

test('bytes are bounded in each partition and in all; whoever found none goes on as soon as there are', () => {
  const bench = new Bench(3, { concurrency: 100, windowBytes: 100, bytesLimit: 250 }, 40)
  // Three of 40 bytes reach 100 in the first two, and one more 250.
  const shares = [0, 1, 2].map((partition) => bench.begunOf(partition).length)
  expect(shares.reduce((sum, share) => sum + share)).toBe(7)
  expect(Math.max(...shares)).toBe(3)
  const [fuller] = bench.began.filter(({ lane }) => shares[lane.source.partition] === 3)
  const least = shares.findLastIndex((share) => share === 2)
  bench.sources[fuller!.lane.source.partition]!.isPaused = true
  bench.end(fuller!)
  expect(bench.begunOf(least).length + bench.begunOf(shares.indexOf(2)).length).toBeGreaterThan(4)
})

test('what was taken first begins first, whatever was ready first', () => {
  // Keys a, b, c, c, b, a, and one without: of each key the second waits for the first.
  const chains = [0, 1, 2, 2, 1, 0]
  const bench = new Bench(1, { orderedBy: 'key', concurrency: 4 }, 10, (offset) => chains[offset] ?? NO_CHAIN)
  expect(bench.began.map(({ offset }) => offset)).toEqual([0, 1, 2, 6])
  bench.sources[0]!.isPaused = true
  for (const task of bench.began.slice(0, 3)) bench.end(task)
  bench.sources[0]!.isPaused = false
  bench.scheduler.refresh(0)
  bench.pump()
  expect(bench.began.slice(4).map(({ offset }) => offset)).toEqual([3, 4, 5])
})

test('what may be finished of a partition that is given up is cut off after some time', () => {
  const bench = new Bench(1, { orderedBy: 'key', concurrency: 3, finishMs: 50 }, 10, (offset) => (offset === 2 ? 1 : 0))
  expect(bench.began.map(({ offset }) => offset)).toEqual([0, 2])
  bench.end(bench.began[1]!)
  bench.sources[0]!.isOurs = false
  bench.scheduler.refresh(0)
  bench.scheduler.tick(50)
  bench.end(bench.began[0]!)
  // Offset 1 could have begun until then.
  expect(bench.began).toHaveLength(2)
  expect(bench.sources[0]!.isInHand).toBe(false)
  expect(bench.sources[0]!.position).toBe(1)
})

test("a handler is told that the position was set anew before it is anybody else's turn", () => {
  const bench = new Bench(1, { concurrency: 1 })
  const [task] = bench.began
  expect(task!.isEnding).toBe(false)
  bench.sources[0]!.seek(500)
  expect(task!.isEnding).toBe(true)
})

test('one item may be larger than all bounds, and every partition has one', () => {
  const bench = new Bench(3, { concurrency: 10, windowBytes: 100, bytesLimit: 250 }, 5_000)
  expect([0, 1, 2].map((partition) => bench.begunOf(partition).length)).toEqual([1, 1, 1])
})
