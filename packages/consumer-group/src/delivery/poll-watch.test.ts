import { expect, test } from 'vitest'
import { PartitionCursor } from '../fetch/partition-cursor.ts'
import { PollWatch } from './poll-watch.ts'

const INTERVAL = 1_000

class Bench {
  readonly watch = new PollWatch(INTERVAL, (deadline) => (this.deadline = deadline))
  readonly cursors = [new PartitionCursor('t', 0), new PartitionCursor('t', 1)]
  deadline = Number.NaN

  /** Looks whenever that is due, up to `until`; the application does `act` before each look. */
  run(from: number, until: number, act: () => void = () => {}): void {
    for (let now = from; now <= until; now = Math.max(now + 1, this.watch.nextCheck)) {
      act()
      this.watch.check(now, this.cursors)
    }
  }
}

test('an application that comes back has the whole interval again', () => {
  const bench = new Bench()
  bench.watch.start(0)
  expect([bench.deadline, bench.watch.nextCheck]).toEqual([1_000, 250])
  bench.run(250, 5_000, () => {
    bench.watch.asked()
    bench.cursors[0]!.inHandFrom++
  })
  expect(bench.deadline).toBe(6_000)
})

test('one that does not come back is late after the interval, to within a look', () => {
  const bench = new Bench()
  bench.watch.start(0)
  bench.watch.asked()
  bench.cursors[0]!.inHandFrom = 3
  bench.run(250, 1_000)
  expect(bench.deadline).toBe(1_250)
})

test('a partition that is stuck makes it late, however busy the others are', () => {
  const bench = new Bench()
  bench.watch.start(0)
  bench.cursors[0]!.inHandFrom = 3
  bench.run(250, 2_000, () => {
    bench.watch.asked()
    bench.cursors[1]!.inHandFrom++
  })
  expect(bench.deadline).toBe(1_250)
  // It comes back: all is well again.
  bench.cursors[0]!.inHandFrom = -1
  bench.run(2_250, 2_250, () => {
    bench.watch.asked()
    bench.cursors[1]!.inHandFrom++
  })
  expect(bench.deadline).toBe(3_250)
})

test('one that waits for us is not late, unless another of its loops has something in hand', () => {
  const bench = new Bench()
  bench.watch.start(0)
  bench.watch.waits()
  bench.watch.check(10, bench.cursors)
  expect([bench.deadline, bench.watch.nextCheck]).toEqual([Infinity, Infinity])
  bench.watch.check(90_000, bench.cursors)
  expect(bench.deadline).toBe(Infinity)
  expect(bench.watch.askedAt).toBe(90_000)
  bench.cursors[1]!.inHandFrom = 7
  bench.run(90_000, 95_000)
  expect(bench.deadline).toBe(91_000)
})

test('one that stopped asking, with nothing in hand, is late too', () => {
  const bench = new Bench()
  bench.watch.waits()
  bench.watch.check(0, bench.cursors)
  bench.watch.served()
  bench.run(0, 3_000)
  expect(bench.deadline).toBe(1_000)
})
