import { markOwnMemory } from '@millrace/protocol/internal'
import { describe, expect, test } from 'vitest'
import { batch, FetchBench } from '../../test/fetch-bench.ts'
import type { ConsumerBatch } from './consumer-batch.ts'
import { FetchedAnswer } from './fetched-answer.ts'

/** As an answer comes: in memory in which nothing else lies. */
function alone(...parts: readonly Buffer[]): Buffer {
  const bytes = Buffer.allocUnsafeSlow(parts.reduce((sum, { length }) => sum + length, 0))
  Buffer.concat(parts).copy(bytes)
  return markOwnMemory(bytes)
}

function take(bench: FetchBench): ConsumerBatch {
  return bench.feed.nextBatch() as ConsumerBatch
}

function isFreed(bytes: Buffer): boolean {
  return (bytes.buffer as ArrayBuffer).detached
}

describe('the memory of an answer', () => {
  test('is freed when its last batch was disposed of and nothing of it is buffered, not before', () => {
    const bench = new FetchBench({}, 2)
    bench.cursor(0)
    const records = alone(batch(0, 2), batch(2, 2))
    bench.fetch({ 0: { records } })
    const first = take(bench)
    const second = take(bench)
    second[Symbol.dispose]()
    second[Symbol.dispose]()
    expect(bench.feed.nextBatch()).toBeNull()
    expect([isFreed(records), [...first].map(({ offset }) => offset)]).toEqual([false, [0, 1]])
    first[Symbol.dispose]()
    expect([isFreed(records), records.length]).toEqual([true, 0])
  })

  test('holds for both parts of a stored batch that is handed out in two', () => {
    const bench = new FetchBench({}, 2)
    bench.cursor(0)
    const records = alone(batch(0, 4))
    bench.fetch({ 0: { records } })
    take(bench)[Symbol.dispose]()
    const second = take(bench)
    expect([...second].map(({ value }) => String(value))).toEqual(['v2', 'v3'])
    second[Symbol.dispose]()
    expect(isFreed(records)).toBe(false)
    expect(bench.feed.nextBatch()).toBeNull()
    expect(isFreed(records)).toBe(true)
  })

  test('is kept for other partitions that came with it, and freed once they are dropped', () => {
    const bench = new FetchBench()
    bench.cursor(0)
    const other = bench.cursor(1)
    const [one, two] = [batch(0, 2), batch(0, 2)]
    const bytes = alone(one, two)
    bench.fetch({ 0: { records: bytes.subarray(0, one.length) }, 1: { records: bytes.subarray(one.length) } })
    take(bench)[Symbol.dispose]()
    bench.fetcher.remove(other)
    expect(isFreed(bytes)).toBe(false)
    expect(bench.feed.nextBatch()).toBeNull()
    expect(isFreed(bytes)).toBe(true)
  })

  test('is left to the garbage collector when single records of it were handed out, or a batch that is not disposed of', () => {
    const bench = new FetchBench({}, 2)
    bench.cursor(0)
    const records = alone(batch(0, 2), batch(2, 2))
    bench.fetch({ 0: { records } })
    const record = bench.feed.nextRecord() as { value: Buffer }
    take(bench)[Symbol.dispose]()
    take(bench)[Symbol.dispose]()
    expect(bench.feed.nextBatch()).toBeNull()
    expect([isFreed(records), String(record.value)]).toEqual([false, 'v0'])
  })

  test('is not freed where other things may lie', () => {
    const bench = new FetchBench()
    const cursor = bench.cursor(0)
    const records = Buffer.from(batch(0, 2))
    bench.fetch({ 0: { records } })
    take(bench)[Symbol.dispose]()
    bench.fetcher.remove(cursor)
    expect(isFreed(records)).toBe(false)
  })

  test('of each part of a divided answer goes by itself', () => {
    const [one, two] = [Buffer.alloc(1_000), Buffer.alloc(1_000)]
    const bytes = alone(one, two)
    const answer = new FetchedAnswer(bytes.length, true)
    const shares = [answer.share(bytes.subarray(0, 1_000)), answer.share(bytes.subarray(1_000))]
    for (const share of shares) share.answer.lend()
    shares[0]!.answer.giveBack()
    expect([...shares.map(({ records }) => isFreed(records)), isFreed(bytes)]).toEqual([true, false, false])
  })
})
