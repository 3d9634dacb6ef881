import { patchBaseOffset, RecordBatchBuilder } from '@millrace/records/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { batch, FetchBench } from '../../test/fetch-bench.ts'
import { InHand } from '../delivery/in-hand.ts'
import { BUFFERED_BYTES_MAX } from '../limits.ts'
import type { FetchCall } from './broker-fetches.ts'
import type { PartitionCursor } from './partition-cursor.ts'

const MIB = 1024 * 1024
const inHand = new InHand()
const large = stored(MIB)
const medium = stored(256 * 1024)

describe('what was fetched', () => {
  test('counts as a whole until the last of its partitions was handled', () => {
    const bench = new FetchBench()
    const [first, second] = [bench.cursor(0), bench.cursor(1)]
    const [one, two] = [batch(0, 2), batch(0, 3)]
    bench.fetch({ 0: { records: one }, 1: { records: two } })
    expect(bench.fetcher.memory.heldBytes).toBe(one.length + two.length)
    readAll(bench, first)
    expect([bench.fetcher.memory.heldBytes, bench.fetcher.memory.bufferedBytes]).toEqual([one.length + two.length, two.length])
    readAll(bench, second)
    expect([bench.fetcher.memory.heldBytes, bench.fetcher.memory.bufferedBytes]).toEqual([0, 0])
  })

  test('counts while a record of it is in hand, though others of the partition were handed out since', () => {
    const bench = new FetchBench()
    const cursor = bench.cursor(0)
    const [one, two] = [batch(0, 2), batch(2, 3)]
    bench.fetch({ 0: { records: one } })
    bench.feed.nextRecordOf(cursor)
    bench.fetch({ 0: { records: two } })
    for (let record = 0; record < 3; record++) bench.feed.nextRecordOf(cursor)
    expect([cursor.chunks.length, cursor.position]).toEqual([1, 4])
    bench.poll()
    expect(bench.fetcher.memory.heldBytes).toBe(one.length + two.length)
    inHand.releaseUpTo(cursor, 1, 3)
    bench.poll()
    expect(bench.fetcher.memory.heldBytes).toBe(one.length + two.length)
    inHand.releaseUpTo(cursor, 2, 3)
    bench.poll()
    expect(bench.fetcher.memory.heldBytes).toBe(two.length)
  })

  test('counts no more when it is dropped: by a seek, or with the partition', () => {
    const bench = new FetchBench()
    const [moved, lost] = [bench.cursor(0), bench.cursor(1)]
    bench.fetch({ 0: { records: batch(0, 2) }, 1: { records: batch(0, 3) } })
    bench.feed.nextRecordOf(moved)
    bench.feed.nextRecordOf(moved)
    bench.feed.nextRecordOf(moved)
    bench.fetcher.discard(moved)
    moved.seek(7, -1)
    expect(bench.fetcher.memory.heldBytes).toBeGreaterThan(0)
    bench.fetcher.remove(lost)
    expect([bench.fetcher.memory.heldBytes, bench.fetcher.memory.bufferedBytes]).toEqual([0, 0])
  })

  test('counts with what was in the answer for partitions that are not ours any more: it is the same memory', () => {
    const bench = new FetchBench()
    const [kept, given] = [bench.cursor(0), bench.cursor(1)]
    const [call] = bench.poll()
    bench.fetcher.remove(given)
    const [one, two] = [batch(0, 2), batch(0, 3)]
    bench.answer(call!, { 0: { records: one }, 1: { records: two } })
    expect([bench.fetcher.memory.heldBytes, kept.bufferedBytes]).toEqual([one.length + two.length, one.length])
  })
})

describe('what is asked for', () => {
  test('is no more than there is room for', () => {
    const bench = new FetchBench({ fetchMaxBytes: 52_428_800, maxPartitionFetchBytes: MIB })
    const cursors = Array.from({ length: 100 }, (_, partition) => bench.cursor(partition))
    const model = new Broker(bench, large)
    const asked: number[] = []
    for (let held = 0; ; held = bench.fetcher.memory.heldBytes) {
      const [call] = bench.poll()
      asked.push(call!.request.maxBytes)
      expect(call!.request.maxBytes).toBeLessThanOrEqual(Math.max(MIB, BUFFERED_BYTES_MAX - held))
      if (cursors.filter(({ bufferedBytes }) => bufferedBytes > 0).length >= 63) break
      model.answer(call!)
    }
    expect(asked[0]).toBe(52_428_800)
    // Without room: for partitions of which there is nothing, each for its part.
    expect(asked.at(-1)).toBe(Math.floor(BUFFERED_BYTES_MAX / 100))
  })

  test('is never more than fetchMaxBytes', () => {
    const bench = new FetchBench({ fetchMaxBytes: 5_000, maxPartitionFetchBytes: MIB })
    bench.cursor(0)
    expect(bench.poll()[0]!.request.maxBytes).toBe(5_000)
  })

  test('is shared out among the brokers', () => {
    const bench = new FetchBench({ fetchMaxBytes: 52_428_800, maxPartitionFetchBytes: MIB })
    for (let node = 1; node <= 8; node++) {
      bench.leader = node
      bench.cursor(node)
      bench.poll()
    }
    bench.leader = 9
    bench.cursor(9)
    expect(bench.poll()[0]!.request.maxBytes).toBe(Math.floor(BUFFERED_BYTES_MAX / 9))
  })

  test('is bounded over all brokers, however much one fetch of one partition may bring', () => {
    const bench = new FetchBench({ fetchMaxBytes: 52_428_800, maxPartitionFetchBytes: 32 * MIB })
    bench.cursor(0)
    new Broker(bench, large).answer(bench.poll()[0]!)
    // Once to learn of the brokers.
    const rounds = [0, 1].map((round) => {
      let asked = 0
      for (bench.leader = 2; bench.leader <= 20; bench.leader++) {
        bench.cursor(round * 100 + bench.leader)
        const [call] = bench.poll()
        asked += call!.request.maxBytes
        bench.answer(call!, {})
      }
      return asked
    })
    expect(bench.fetcher.memory.isFull).toBe(false)
    expect(rounds[1]).toBeLessThanOrEqual(BUFFERED_BYTES_MAX)
  })
})

test('a partition with a record in hand for long, and few others, holds little of what comes for its neighbour meanwhile', () => {
  const bench = new FetchBench({ fetchMaxBytes: 4 * MIB, maxPartitionFetchBytes: MIB, checkCrcs: false })
  const [trickle, flood] = [bench.cursor(0), bench.cursor(1)]
  for (let step = 0; step < 300; step++) {
    const records = Buffer.from(large)
    patchBaseOffset(records, 0, flood.fetchOffset)
    bench.fetch({ 0: { records: batch(trickle.fetchOffset, 1) }, 1: { records } })
    while (bench.feed.nextRecordOf(trickle) !== null);
    readAll(bench, flood)
    expect(bench.fetcher.memory.heldBytes).toBeLessThanOrEqual(BUFFERED_BYTES_MAX + MIB)
  }
  expect([trickle.inHandFrom, trickle.position, flood.position]).toEqual([0, 300, 300])
  inHand.release(trickle)
  bench.poll()
  expect([bench.fetcher.memory.heldBytes, bench.fetcher.memory.bufferedBytes]).toEqual([0, 0])
})

/** Partitions whose handler never comes back, that are paused, or that nobody reads must neither fill the memory nor starve others. */
test('holds at most twice the limit, and no partition that is read starves, whatever others hold', () => {
  const scenario = fc.record({
    partitions: fc.integer({ min: 2, max: 60 }),
    stuck: fc.integer({ min: 0, max: 59 }),
    paused: fc.integer({ min: 0, max: 59 }),
    unread: fc.integer({ min: 0, max: 59 }),
    seed: fc.nat(),
  })
  fc.assert(
    fc.property(scenario, ({ partitions, stuck, paused, unread, seed }) => {
      const bench = new FetchBench({ fetchMaxBytes: 52_428_800, maxPartitionFetchBytes: MIB, checkCrcs: false })
      const model = new Broker(bench, medium)
      const cursors = Array.from({ length: partitions }, (_, partition) => bench.cursor(partition))
      const rest = shuffled(cursors, seed)
      const read = rest.splice(0, 1)
      const [stuckOnes, pausedOnes] = [rest.splice(0, stuck), rest.splice(0, paused)]
      rest.splice(0, unread)
      read.push(...rest)
      const reached = new Map<PartitionCursor, number>()
      for (let step = 0; step < 6 * partitions; step++) {
        for (const call of bench.poll()) model.answer(call)
        expect(bench.fetcher.memory.heldBytes).toBeLessThanOrEqual(2 * BUFFERED_BYTES_MAX)
        for (const cursor of stuckOnes) if (cursor.inHandFrom < 0) bench.feed.nextRecordOf(cursor)
        for (const cursor of pausedOnes) cursor.isPaused ||= cursor.bufferedBytes > 0
        for (const cursor of read) {
          readAll(bench, cursor)
          if (step === 3 * partitions) reached.set(cursor, cursor.position)
        }
      }
      for (const cursor of read) expect(cursor.position).toBeGreaterThan(reached.get(cursor)!)
    }),
    { numRuns: 25 },
  )
})

/** Has any number of the same batch, of one record, in each partition, and keeps to what is asked for as brokers do (KIP-74). */
class Broker {
  readonly #bench: FetchBench
  readonly #batch: Buffer

  constructor(bench: FetchBench, bytes: Buffer) {
    this.#bench = bench
    this.#batch = bytes
  }

  answer(call: FetchCall): void {
    let room = call.request.maxBytes
    const answer: Record<number, { records: Buffer }> = {}
    for (const [{ partition }, { fetchOffset, maxBytes }] of call.wanted) {
      const fits = Math.floor(Math.min(room, maxBytes) / this.#batch.length)
      const count = room === call.request.maxBytes ? Math.max(1, fits) : fits
      if (count === 0) continue
      const records = Buffer.concat(Array.from({ length: count }, () => this.#batch))
      for (let index = 0; index < count; index++) patchBaseOffset(records, index * this.#batch.length, fetchOffset + index)
      room = Math.max(0, room - records.length)
      answer[partition] = { records }
    }
    this.#bench.answer(call, answer)
  }
}

/** A batch of one record that takes about so many bytes, at most. */
function stored(bytes: number): Buffer {
  const builder = new RecordBatchBuilder({ batchSize: bytes })
  builder.tryAppend(5, null, Buffer.alloc(bytes - 100))
  return Buffer.from(builder.seal({ baseOffset: 0, partitionLeaderEpoch: 3, producerEpoch: 0 }))
}

/** To the end, each record handled before the next one is asked for. */
function readAll(bench: FetchBench, cursor: PartitionCursor): void {
  while (bench.feed.nextRecordOf(cursor) !== null) inHand.release(cursor)
  inHand.release(cursor)
}

function shuffled<Item>(items: readonly Item[], seed: number): Item[] {
  return items.toSorted((a, b) => hash(items.indexOf(a), seed) - hash(items.indexOf(b), seed))
}

function hash(value: number, seed: number): number {
  return Math.imul((value + 1) ^ seed, 0x9e37_79b1) >>> 8
}
