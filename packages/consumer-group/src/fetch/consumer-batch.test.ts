import { markOwnMemory } from '@millrace/protocol/internal'
import { COMPRESSION_TYPES, RecordBatchBuilder, type CompressionType } from '@millrace/records/internal'
import { describe, expect, test } from 'vitest'
import { FetchBench } from '../../test/fetch-bench.ts'
import { stringDeserializer } from '../delivery/deserializers.ts'
import { RecordDecoder, type DeserializationErrorPolicy } from '../delivery/record-decoder.ts'
import type { DeserializationError } from '../errors.ts'
import { ConsumerBatch, takeMemory } from './consumer-batch.ts'
import { Loading, RecordFeed } from './record-feed.ts'

const VALUE = 'a value of some length, '.repeat(100)
const EPOCH = 7

async function stored(baseOffset: number, compression: CompressionType, records = 100): Promise<Buffer> {
  const builder = new RecordBatchBuilder({ batchSize: 1_000_000 })
  for (let index = 0; index < records; index++) builder.tryAppend(5, 'key', VALUE, [['name', Buffer.from('header')]])
  const bytes = await builder.sealAsync({ baseOffset, partitionLeaderEpoch: EPOCH, compression })
  const alone = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(alone)
  return markOwnMemory(alone)
}

async function take(feed: RecordFeed): Promise<ConsumerBatch> {
  for (;;) {
    const batch = feed.nextBatch()
    if (batch instanceof ConsumerBatch) return batch
    await (batch as Loading).done
  }
}

describe('a batch that was disposed of', () => {
  test.each(COMPRESSION_TYPES)('gives back what it lies in, %s: nothing of it can be read without being told', async (codec) => {
    const bench = new FetchBench()
    bench.cursor(0)
    // A loop shows by its first batch that it disposes of them.
    bench.fetch({ 0: { records: await stored(0, codec) } })
    ;(await take(bench.feed))[Symbol.dispose]()
    expect(bench.feed.nextBatch()).toBeNull()
    bench.fetch({ 0: { records: await stored(100, codec) } })
    const batch = await take(bench.feed)
    const iterator = batch[Symbol.iterator]()
    iterator.next()
    const record = [...batch][1]!
    const { value } = record
    expect(String(value)).toBe(VALUE)
    batch[Symbol.dispose]()
    expect(bench.feed.nextBatch()).toBeNull()
    const disposed = expect.objectContaining({
      name: 'BatchDisposedError',
      code: 'BATCH_DISPOSED',
      topic: 't',
      partition: 0,
      baseOffset: 100,
    })
    expect(value!.length).toBe(0)
    for (const read of [
      () => record.value,
      () => record.key,
      () => record.headers,
      () => record.timestamp,
      () => [...batch],
      () => iterator.next(),
    ]) {
      expect(read).toThrow(disposed)
    }
    expect([batch.leaderEpoch, batch.firstOffset, batch.lastOffset, batch.sizeLimit, record.offset]).toEqual([
      EPOCH,
      100,
      199,
      100,
      101,
    ])
  })

  test('keeps what it was decompressed to on another thread, which its neighbour may read', async () => {
    const bench = new FetchBench({ maxPartitionFetchBytes: 1_000_000 }, 3_000)
    bench.cursor(0)
    const builder = new RecordBatchBuilder({ batchSize: 4_000_000 })
    const noise = (index: number): string => Math.sin(index).toString(36).repeat(8)
    for (let index = 0; index < 6_000; index++) builder.tryAppend(5, null, noise(index))
    bench.fetch({ 0: { records: Buffer.from(await builder.sealAsync({ baseOffset: 0, compression: 'lz4' })) } })
    expect(bench.feed.nextBatch()).toBeInstanceOf(Loading)
    const first = await take(bench.feed)
    first[Symbol.dispose]()
    const second = await take(bench.feed)
    expect(Array.from(second, ({ value }) => String(value))).toEqual(
      Array.from({ length: 3_000 }, (_, index) => noise(3_000 + index)),
    )
    expect(() => [...first]).toThrow(expect.objectContaining({ code: 'BATCH_DISPOSED' }))
  })

  test('stays as it is where whoever handed it out needs it', async () => {
    const bench = new FetchBench()
    bench.cursor(0)
    bench.fetch({ 0: { records: await stored(0, 'none', 2) } })
    const batch = await take(bench.feed)
    takeMemory(batch)
    batch[Symbol.dispose]()
    expect(bench.feed.nextBatch()).toBeNull()
    expect(Array.from(batch, ({ value }) => String(value))).toEqual([VALUE, VALUE])
  })

  test.each(['throw', 'skip'] as const)(
    'stays for the error of a value that could not be deserialized, policy %s',
    async (policy) => {
      const errors: DeserializationError[] = []
      const bench = new FetchBench()
      bench.cursor(0)
      bench.fetch({ 0: { records: await stored(0, 'none', 1) } })
      const batch = await take(new RecordFeed(bench.fetcher, 500, decoderOf(policy, errors)))
      try {
        expect([...batch]).toEqual([])
      } catch (error) {
        errors.push(error as DeserializationError)
      }
      batch[Symbol.dispose]()
      expect(bench.feed.nextBatch()).toBeNull()
      expect(errors.map(({ code, record }) => [code, String(record.value)])).toEqual([['DESERIALIZATION_FAILED', VALUE]])
    },
  )
})

function decoderOf(policy: DeserializationErrorPolicy, errors: DeserializationError[]): RecordDecoder {
  const refuse = (): never => {
    throw new Error('not a number')
  }
  const options = { keyDeserializer: stringDeserializer, valueDeserializer: refuse, onDeserializationError: policy }
  return new RecordDecoder(options, (error) => errors.push(error))
}
