import { describe, expect, test } from 'vitest'
import { batch, FetchBench } from '../../test/fetch-bench.ts'
import type { ConsumerBatch } from '../fetch/consumer-batch.ts'
import type { PartitionCursor } from '../fetch/partition-cursor.ts'
import { Delivery } from './delivery.ts'

/** A delivery over two partitions: the first has batches 0-1, 2-4 and 5-6, the second 0-1. */
function start(): { bench: FetchBench; delivery: Delivery; first: PartitionCursor; second: PartitionCursor } {
  const bench = new FetchBench()
  const [first, second] = [bench.cursor(0), bench.cursor(1)]
  const clock = { now: () => bench.now, after: () => ({ cancel: () => {} }) }
  const delivery = new Delivery(bench.fetcher, 3, 1_000, null, {
    clock,
    schedule: () => {},
    setPollDeadline: () => {},
    tryAgain: () => {},
  })
  bench.fetch({
    0: { records: Buffer.concat([batch(0, 2), batch(2, 3), batch(5, 2)]) },
    1: { records: batch(0, 2) },
  })
  return { bench, delivery, first, second }
}

function takeOf(delivery: Delivery, cursor: PartitionCursor): [number, number] {
  const taken = delivery.takeBatchOf(cursor) as ConsumerBatch
  return [taken.firstOffset, taken.lastOffset]
}

describe('several batches of one partition in hand', () => {
  test('are handled from the first on: that much may be committed, with the epoch that is given', () => {
    const { delivery, first } = start()
    expect([takeOf(delivery, first), takeOf(delivery, first)]).toEqual([
      [0, 1],
      [2, 4],
    ])
    expect([first.handledOffset, first.handledEpoch, first.position]).toEqual([0, -1, 5])
    delivery.handledUpTo(first, 2, 3)
    expect([first.handledOffset, first.handledEpoch]).toEqual([2, 3])
    // Later handlers that are done sooner tell when the prefix has grown, not before; an older word changes nothing.
    delivery.handledUpTo(first, 1, 3)
    delivery.handledUpTo(first, 4, -1)
    expect([first.handledOffset, first.handledEpoch]).toEqual([4, -1])
    delivery.handledUpTo(first, 5, 3)
    expect([first.inHandFrom, first.handledOffset, first.handledEpoch]).toEqual([-1, 5, 3])
  })

  test('keep a revocation waiting until all of it came back; other partitions are none of its business', async () => {
    const { delivery, first, second } = start()
    takeOf(delivery, first)
    takeOf(delivery, first)
    takeOf(delivery, second)
    let isFree = false
    const free = delivery.inHand.freeOf(new Set([first])).then(() => (isFree = true))
    delivery.handledUpTo(first, 2, 3)
    await Promise.resolve()
    expect(isFree).toBe(false)
    delivery.handledUpTo(first, 5, 3)
    await free
    expect([isFree, second.inHandFrom]).toEqual([true, 0])
  })

  test('go back from the first unhandled one on, and are fetched again', () => {
    const { bench, delivery, first } = start()
    takeOf(delivery, first)
    takeOf(delivery, first)
    delivery.handledUpTo(first, 2, 3)
    delivery.giveBack(first)
    expect([first.inHandFrom, first.position, first.positionEpoch, first.handledOffset]).toEqual([-1, 2, 3, 2])
    expect(bench.poll()[0]!.wanted.get(first)!.fetchOffset).toBe(2)
  })

  test('of a partition that is given up go back too: what is committed then is what was handled', () => {
    const { delivery, first } = start()
    takeOf(delivery, first)
    delivery.remove(first)
    delivery.giveBack(first)
    expect(first.handledOffset).toBe(0)
    expect(delivery.takeBatchOf(first)).toBeNull()
  })

  test('are of no account once the position was set', () => {
    const { delivery, first } = start()
    takeOf(delivery, first)
    delivery.discard(first)
    first.seek(9, -1)
    delivery.moved(first)
    delivery.handledUpTo(first, 2, 3)
    delivery.giveBack(first)
    expect([first.handledOffset, first.position]).toEqual([9, 9])
  })
})

test('offsets that hold nothing for the application are passed with what was handled before them', () => {
  const bench = new FetchBench({ isolationLevel: 'read_committed' })
  const cursor = bench.cursor(0)
  const clock = { now: () => 0, after: () => ({ cancel: () => {} }) }
  const delivery = new Delivery(bench.fetcher, 10, 1_000, null, {
    clock,
    schedule: () => {},
    setPollDeadline: () => {},
    tryAgain: () => {},
  })
  const aborted = batch(2, 4, { producerId: 7, transactional: true })
  const abortedTransactions = [{ producerId: 7n, firstOffset: 2n }]
  bench.fetch({ 0: { records: Buffer.concat([batch(0, 2), aborted]), abortedTransactions } })
  expect(takeOf(delivery, cursor)).toEqual([0, 1])
  expect(delivery.takeBatchOf(cursor)).toBeNull()
  expect([cursor.handledOffset, cursor.position]).toEqual([0, 6])
  delivery.handledUpTo(cursor, 2, 3)
  expect([cursor.inHandFrom, cursor.handledOffset]).toEqual([-1, 6])
})
