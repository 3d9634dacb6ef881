import { randomBytes } from 'node:crypto'
import { markOwnMemory } from '@millrace/protocol/internal'
import { crc32c, RecordBatchBuilder } from '@millrace/records/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { batch, FetchBench, ModelLog } from '../../test/fetch-bench.ts'
import { UnreadableRecordError } from '../errors.ts'
import { Loading } from './record-feed.ts'

describe('the feed', () => {
  test('begins within a batch, passes gaps and batches that compaction has emptied, and says where it stands', () => {
    const bench = new FetchBench()
    const cursor = bench.cursor(0, 2)
    const empty = Buffer.from(new RecordBatchBuilder().seal({ baseOffset: 20 }))
    bench.fetch({ 0: { records: Buffer.concat([batch(0, 5), batch(10, 2), empty]) } })
    expect(cursor.fetchOffset).toBe(21)
    expect(bench.offsets()).toEqual([2, 3, 4, 10, 11])
    expect([cursor.position, cursor.positionEpoch, cursor.bufferedBytes, bench.fetcher.memory.bufferedBytes]).toEqual([
      21, -1, 0, 0,
    ])
  })

  test('leaves out an incomplete batch at the end, and fetches on from there', () => {
    const bench = new FetchBench()
    const cursor = bench.cursor(0)
    bench.fetch({ 0: { records: Buffer.concat([batch(0, 3), batch(3, 3).subarray(0, 40)]) } })
    expect(bench.offsets()).toEqual([0, 1, 2])
    expect([cursor.position, cursor.fetchOffset]).toEqual([3, 3])
  })

  test('takes the partitions in turn, chunk by chunk', () => {
    const bench = new FetchBench()
    bench.cursor(0)
    bench.cursor(1, 10)
    bench.fetch({ 0: { records: batch(0, 2) }, 1: { records: batch(10, 2) } })
    bench.fetch({ 0: { records: batch(2, 2) } })
    expect(bench.offsets()).toEqual([0, 1, 10, 11, 2, 3])
  })

  test.each(['nextRecord', 'nextBatch'] as const)(
    'a partition that another way read to its end is not looked at again: %s',
    (next) => {
      const bench = new FetchBench()
      const cursor = bench.cursor(0)
      bench.fetch({ 0: { records: batch(0, 3) } })
      expect(bench.feed.nextRecord()).toMatchObject({ offset: 0 })
      for (const offset of [1, 2]) expect(bench.feed.nextRecordOf(cursor)).toMatchObject({ offset })
      expect(bench.feed.nextRecordOf(cursor)).toBeNull()
      expect(bench.feed[next]()).toBeNull()
      bench.cursor(1, 10)
      bench.fetch({ 1: { records: batch(10, 2) } })
      expect(bench.feed[next]()).toMatchObject(next === 'nextRecord' ? { offset: 10 } : { firstOffset: 10 })
    },
  )

  test('what is no error of the data names no offset to go on from', () => {
    const bench = new FetchBench()
    const cursor = bench.cursor(0)
    bench.fetch({ 0: { records: batch(0, 3) } })
    bench.feed.nextRecord()
    cursor.records = {
      next: () => {
        throw new RangeError('not enough memory')
      },
    } as never
    expect(() => bench.feed.nextRecord()).toThrow(
      expect.objectContaining({ code: 'UNREADABLE_RECORD', partition: 0, offset: 1, nextOffset: -1 }),
    )
  })

  test('damage throws, names topic, partition and offset, skips nothing and fetches it again', () => {
    const bench = new FetchBench()
    const cursor = bench.cursor(7)
    const damaged = batch(3, 2)
    damaged[damaged.length - 3]! ^= 1
    bench.fetch({ 7: { records: Buffer.concat([batch(0, 3), damaged]) } })
    const read = (): unknown => bench.offsets()
    expect(read).toThrow(UnreadableRecordError)
    expect([cursor.position, cursor.fetchOffset, bench.fetcher.memory.bufferedBytes]).toEqual([3, 3, 0])
    bench.fetch({ 7: { records: damaged } })
    expect(read).toThrow(expect.objectContaining({ code: 'CORRUPT_MESSAGE', topic: 't', partition: 7, offset: 3 }))
    bench.fetch({ 7: { records: batch(3, 2) } })
    expect(bench.offsets()).toEqual([3, 4])
  })

  test('what was damaged before it was compressed is not freed while threads still decompress parts of it', async () => {
    for (let round = 0; round < 3; round++) {
      const bench = new FetchBench({ maxPartitionFetchBytes: 100_000_000, fetchMaxBytes: 100_000_000 })
      bench.cursor(0)
      const builder = new RecordBatchBuilder({ batchSize: 4_000_000 })
      for (let index = 0; index < 200; index++) builder.tryAppend(5, null, randomBytes(5_000).toString('hex'))
      const sealed = await builder.sealAsync({ baseOffset: 0, compression: 'snappy' })
      const records = markOwnMemory(Buffer.allocUnsafeSlow(sealed.length))
      sealed.copy(records)
      // The elements of the first block, after the header of the batch, that of snappy's frame, and the block's two lengths.
      records.fill(0xff, 61 + 16 + 4 + 3, 61 + 16 + 4 + 40)
      records.writeUInt32BE(crc32c(records.subarray(21)) >>> 0, 17)
      bench.fetch({ 0: { records } })
      await (bench.feed.nextRecord() as Loading).done
      expect(() => bench.feed.nextRecord()).toThrow(UnreadableRecordError)
      expect((records.buffer as ArrayBuffer).detached).toBe(false)
    }
  })

  test.each([
    ['its length', 8, 11],
    ['its last offset delta', 23, 26],
    ['its base offset', 0, 0],
    ['its record count', 57, 60],
  ])('a header with damage in %s is told of, and what comes before it is read', (_what, from, to) => {
    const bench = new FetchBench()
    const cursor = bench.cursor(7)
    const damaged = batch(3, 2)
    damaged.fill(0xff, from, to + 1)
    bench.fetch({ 7: { records: Buffer.concat([batch(0, 3), damaged, batch(5, 2)]) } })
    const seen: number[] = []
    const read = (): void => {
      for (let record = bench.feed.nextRecord(); record !== null; record = bench.feed.nextRecord()) {
        seen.push((record as { offset: number }).offset)
      }
    }
    expect(read).toThrow(expect.objectContaining({ name: 'UnreadableRecordError', topic: 't', partition: 7, offset: 3 }))
    expect(seen).toEqual([0, 1, 2])
    expect([cursor.position, cursor.fetchOffset, bench.fetcher.memory.bufferedBytes]).toEqual([3, 3, 0])
  })

  test('damage to what a batch holds says where to go on behind it; another partition is read on', () => {
    const bench = new FetchBench()
    bench.cursor(0)
    bench.cursor(1)
    const damaged = batch(0, 4)
    damaged[damaged.length - 2]! ^= 1
    bench.fetch({ 0: { records: damaged }, 1: { records: batch(0, 2) } })
    expect(() => bench.offsets()).toThrow(expect.objectContaining({ partition: 0, offset: 0, nextOffset: 4 }))
    expect(bench.offsets()).toEqual([0, 1])
  })

  test('what is in hand keeps the epoch of the record before it, and positions have that of the last one read', () => {
    const bench = new FetchBench()
    const cursor = bench.cursor(0)
    bench.fetch({
      0: { records: Buffer.concat([batch(0, 2, { partitionLeaderEpoch: 3 }), batch(2, 3, { partitionLeaderEpoch: 5 })]) },
    })
    const places: unknown[] = []
    for (let record = bench.feed.nextRecord(); record !== null; record = bench.feed.nextRecord()) {
      const { handledOffset, handledEpoch, position, positionEpoch } = cursor
      places.push([handledOffset, handledEpoch, position, positionEpoch])
      cursor.inHandFrom = -1
    }
    expect(places).toEqual([
      [0, -1, 1, 3],
      [1, 3, 2, 3],
      [2, 3, 3, 5],
      [3, 5, 4, 5],
      [4, 5, 5, 5],
    ])
  })

  test('damage is not looked for when it is not wanted', () => {
    const bench = new FetchBench({ checkCrcs: false })
    bench.cursor(0)
    const damaged = batch(0, 2)
    damaged[17]! ^= 1
    bench.fetch({ 0: { records: damaged } })
    expect(bench.offsets()).toEqual([0, 1])
  })

  test('batches hold at most maxPollRecords, of one chunk, and can be iterated again', () => {
    const bench = new FetchBench({}, 4)
    bench.cursor(0, 1)
    bench.fetch({ 0: { records: Buffer.concat([batch(0, 3), batch(3, 2), batch(5, 9)]) } })
    const ranges: Array<[number, number, number[]]> = []
    for (let next = bench.feed.nextBatch(); next !== null && !(next instanceof Loading); next = bench.feed.nextBatch()) {
      expect([...next].map(({ offset }) => offset)).toEqual([...next.records].map(({ offset }) => offset))
      ranges.push([next.firstOffset, next.lastOffset, [...next].map(({ offset }) => offset)])
    }
    expect(ranges).toEqual([
      [1, 2, [1, 2]],
      [3, 4, [3, 4]],
      [5, 8, [5, 6, 7, 8]],
      [9, 12, [9, 10, 11, 12]],
      [13, 13, [13]],
    ])
  })

  test('loads a large compressed batch first, and gives the same wait until it is there', async () => {
    const bench = new FetchBench({ maxPartitionFetchBytes: 1_000_000 })
    bench.cursor(0)
    const builder = new RecordBatchBuilder({ batchSize: 300_000 })
    let seed = 3
    const noise = Uint8Array.from({ length: 100_000 }, () => (seed = (seed * 48271) % 0x7fffffff) & 0xff)
    builder.tryAppend(5, null, noise)
    bench.fetch({ 0: { records: builder.seal({ compression: 'gzip' }) } })
    const loading = bench.feed.nextRecord() as Loading
    expect(loading).toBeInstanceOf(Loading)
    expect(bench.feed.nextRecord()).toBe(loading)
    await loading.done
    expect(bench.offsets()).toEqual([0])
  })
})

describe('read_committed', () => {
  test('hands out exactly the committed transactions, whatever is interleaved, wherever it begins and however fetches cut it', () => {
    const transaction = fc.record({
      producerId: fc.integer({ min: 1, max: 3 }),
      count: fc.integer({ min: 1, max: 3 }),
      end: fc.constantFrom('abort', 'commit', null),
    })
    fc.assert(
      fc.property(
        fc.array(transaction, { maxLength: 25 }),
        fc.nat(40),
        fc.integer({ min: 1, max: 6 }),
        (steps, start, batchesPerFetch) => {
          const log = new ModelLog()
          for (const { producerId, count, end } of steps) {
            log.write(producerId, count)
            if (end !== null) log.end(producerId, end)
          }
          for (const producerId of log.open()) log.end(producerId, 'commit')
          const position = Math.min(start, log.endOffset)
          const bench = new FetchBench({ isolationLevel: 'read_committed', maxPartitionFetchBytes: 10_000_000 })
          const cursor = bench.cursor(0, position)
          const seen: number[] = []
          while (cursor.position < log.endOffset) {
            bench.fetch({ 0: log.fetch(cursor.fetchOffset, batchesPerFetch) })
            seen.push(...bench.offsets())
          }
          expect(seen).toEqual(log.committed().filter((offset) => offset >= position))
          expect(cursor.position).toBe(log.endOffset)
        },
      ),
      { numRuns: 500 },
    )
  })
})
