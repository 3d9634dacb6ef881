import { markOwnMemory } from '@millrace/protocol/internal'
import { RecordBatchBuilder, type KafkaRecord } from '@millrace/records/internal'
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

/** The next record of a loop that disposes of those before. */
function next(bench: FetchBench): KafkaRecord {
  return bench.feed.nextRecord(true) as KafkaRecord
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

  test('goes when the last of its single records was handled, by a loop that says so', () => {
    const bench = new FetchBench()
    bench.cursor(0)
    const records = alone(batch(0, 2), batch(2, 1))
    bench.fetch({ 0: { records } })
    const read = [next(bench), next(bench), next(bench)]
    expect([isFreed(records), ...read.map(({ value }) => String(value))]).toEqual([false, 'v0', 'v1', 'v2'])
    expect(bench.feed.nextRecord(true)).toBeNull()
    expect(isFreed(records)).toBe(true)
    for (const record of read) expect(() => record.value).toThrow(expect.objectContaining({ code: 'BATCH_DISPOSED' }))
  })

  test('holds for a record in hand that is dropped, and for a loop that keeps what another one began', () => {
    for (const end of ['drop', 'keep'] as const) {
      const bench = new FetchBench()
      const cursor = bench.cursor(0)
      const records = alone(batch(0, 2))
      bench.fetch({ 0: { records } })
      const read = [next(bench)]
      bench.feed.leave(cursor)
      if (end === 'drop') bench.fetcher.remove(cursor)
      else read.push(bench.feed.nextRecord() as KafkaRecord)
      expect([bench.feed.nextRecord(), isFreed(records)]).toEqual([null, false])
      expect(read.map(({ value }) => String(value))).toEqual(end === 'drop' ? ['v0'] : ['v0', 'v1'])
    }
  })

  test.each(['gzip', 'lz4', 'zstd', 'snappy'] as const)(
    'so does what single records were decompressed to, batch by batch: %s',
    async (compression) => {
      const bench = new FetchBench({ maxPartitionFetchBytes: 1_000_000 })
      bench.cursor(0)
      const text = 'v'.repeat(60_000)
      const compressed = async (baseOffset: number): Promise<Buffer> => {
        const builder = new RecordBatchBuilder({ batchSize: 200_000 })
        for (let index = 0; index < 2; index++) builder.tryAppend(5, null, text)
        return Buffer.from(await builder.sealAsync({ baseOffset, compression }))
      }
      bench.fetch({ 0: { records: alone(await compressed(0), await compressed(2)) } })
      const [first, second, third] = [next(bench), next(bench), next(bench)]
      for (const record of [first, second])
        expect(() => record.value).toThrow(expect.objectContaining({ code: 'BATCH_DISPOSED' }))
      expect(String(third.value)).toBe(text)
    },
  )

  test('what was decompressed stays where a part of it was handed out as a batch', async () => {
    const bench = new FetchBench({}, 1)
    bench.cursor(0)
    const builder = new RecordBatchBuilder({ batchSize: 100_000 })
    for (let index = 0; index < 3; index++) builder.tryAppend(5, null, 'v'.repeat(30_000) + index)
    bench.fetch({ 0: { records: alone(Buffer.from(await builder.sealAsync({ baseOffset: 0, compression: 'lz4' }))) } })
    const part = take(bench)
    expect([next(bench).offset, next(bench).offset, bench.feed.nextRecord(true)]).toEqual([1, 2, null])
    expect(Array.from(part, ({ value }) => value!.length)).toEqual([30_001])
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
