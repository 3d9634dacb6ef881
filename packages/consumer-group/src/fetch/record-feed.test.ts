import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { AbortedTransaction, FetchResponse, PartitionData } from '@millrace/protocol/apis/fetch'
import { encodeEndTransactionMarker, patchBaseOffset, RecordBatchBuilder } from '@millrace/records/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UnreadableRecordError } from '../errors.ts'
import { Fetcher, type ClusterView, type FetchCall, type FetcherSettings } from './fetcher.ts'
import { PartitionCursor } from './partition-cursor.ts'
import { Loading, RecordFeed } from './record-feed.ts'

const SETTINGS: FetcherSettings = {
  fetchMinBytes: 1,
  fetchMaxWaitMs: 500,
  fetchMaxBytes: 1_000_000,
  maxPartitionFetchBytes: 10_000,
  isolationLevel: 'read_uncommitted',
  clientRack: '',
  checkCrcs: true,
  metadataMaxAgeMs: 60_000,
  retryBackoffMs: 100,
  retryBackoffMaxMs: 100,
}

/** A fetcher with one node that leads everything, and its feed. */
class Bench {
  readonly fetcher: Fetcher
  readonly feed: RecordFeed
  now = 1_000
  leader = 1
  leaderEpoch = 3
  readonly offline = new Set<number>()

  constructor(settings: Partial<FetcherSettings> = {}, maxPollRecords = 500) {
    const view: ClusterView = {
      leaderOf: () => (this.leader < 0 ? null : { node: this.leader, leaderEpoch: this.leaderEpoch, topicId: 'topic-id' }),
      isOnline: (_cursor, node) => !this.offline.has(node),
    }
    this.fetcher = new Fetcher({ ...SETTINGS, ...settings }, view, () => 0.5)
    this.feed = new RecordFeed(this.fetcher, maxPollRecords)
  }

  cursor(partition: number, position = 0): PartitionCursor {
    const cursor = new PartitionCursor('t', partition)
    if (position >= 0) cursor.seek(position, -1)
    this.fetcher.add(cursor)
    return cursor
  }

  poll(): FetchCall[] {
    this.fetcher.poll(this.now)
    return this.fetcher.effects.calls.splice(0)
  }

  /** Fetches once and answers with this. */
  fetch(answer: Record<number, Partial<PartitionData>>): void {
    const [call] = this.poll()
    this.answer(call!, answer)
  }

  answer(call: FetchCall, answer: Record<number, Partial<PartitionData>>, errorCode = 0): void {
    const partitions = Object.entries(answer).map(([partition, data]) => dataOf(Number(partition), data))
    const responses = [{ topic: '', topicId: 'topic-id', partitions }]
    const response: FetchResponse = { throttleTimeMs: 0, errorCode, sessionId: 1, responses, nodeEndpoints: [] }
    this.fetcher.fetched(call, response, this.now)
  }

  /** Offsets of all that is buffered. */
  offsets(): number[] {
    const offsets: number[] = []
    for (let record = this.feed.nextRecord(); record !== null; record = this.feed.nextRecord()) {
      if (record instanceof Loading) throw new Error('not expected to load')
      offsets.push(record.offset)
    }
    return offsets
  }
}

function dataOf(partitionIndex: number, data: Partial<PartitionData>): PartitionData {
  return {
    partitionIndex,
    errorCode: 0,
    highWatermark: 1_000n,
    lastStableOffset: 1_000n,
    logStartOffset: 0n,
    divergingEpoch: { epoch: -1, endOffset: -1n },
    currentLeader: { leaderId: -1, leaderEpoch: -1 },
    snapshotId: { endOffset: -1n, epoch: -1 },
    abortedTransactions: null,
    preferredReadReplica: -1,
    records: null,
    ...data,
  }
}

interface BatchOptions {
  readonly producerId?: number
  readonly transactional?: boolean
}

/** A batch of `count` records from `offset` on. */
function batch(offset: number, count: number, options: BatchOptions = {}): Buffer {
  const builder = new RecordBatchBuilder({ batchSize: 100_000 })
  for (let index = 0; index < count; index++) builder.tryAppend(5, null, `v${offset + index}`)
  return Buffer.from(builder.seal({ baseOffset: offset, partitionLeaderEpoch: 3, producerEpoch: 0, ...options }))
}

function marker(offset: number, producerId: number, type: 'abort' | 'commit'): Buffer {
  const bytes = encodeEndTransactionMarker({ type, producerId, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 5 })
  patchBaseOffset(bytes, 0, offset)
  return bytes
}

describe('the feed', () => {
  test('begins within a batch, passes gaps and batches that compaction has emptied, and says where it stands', () => {
    const bench = new Bench()
    const cursor = bench.cursor(0, 2)
    const empty = Buffer.from(new RecordBatchBuilder().seal({ baseOffset: 20 }))
    bench.fetch({ 0: { records: Buffer.concat([batch(0, 5), batch(10, 2), empty]) } })
    expect(cursor.fetchOffset).toBe(21)
    expect(bench.offsets()).toEqual([2, 3, 4, 10, 11])
    expect([cursor.position, cursor.positionEpoch, cursor.bufferedBytes, bench.fetcher.bufferedBytes]).toEqual([21, -1, 0, 0])
  })

  test('leaves out an incomplete batch at the end, and fetches on from there', () => {
    const bench = new Bench()
    const cursor = bench.cursor(0)
    bench.fetch({ 0: { records: Buffer.concat([batch(0, 3), batch(3, 3).subarray(0, 40)]) } })
    expect(bench.offsets()).toEqual([0, 1, 2])
    expect([cursor.position, cursor.fetchOffset]).toEqual([3, 3])
  })

  test('takes the partitions in turn, chunk by chunk', () => {
    const bench = new Bench()
    bench.cursor(0)
    bench.cursor(1, 10)
    bench.fetch({ 0: { records: batch(0, 2) }, 1: { records: batch(10, 2) } })
    bench.fetch({ 0: { records: batch(2, 2) } })
    expect(bench.offsets()).toEqual([0, 1, 10, 11, 2, 3])
  })

  test('damage throws, names topic, partition and offset, skips nothing and fetches it again', () => {
    const bench = new Bench()
    const cursor = bench.cursor(7)
    const damaged = batch(3, 2)
    damaged[damaged.length - 3]! ^= 1
    bench.fetch({ 7: { records: Buffer.concat([batch(0, 3), damaged]) } })
    const read = (): unknown => bench.offsets()
    expect(read).toThrow(UnreadableRecordError)
    expect([cursor.position, cursor.fetchOffset, bench.fetcher.bufferedBytes]).toEqual([3, 3, 0])
    bench.fetch({ 7: { records: damaged } })
    expect(read).toThrow(expect.objectContaining({ code: 'CORRUPT_MESSAGE', topic: 't', partition: 7, offset: 3 }))
    bench.fetch({ 7: { records: batch(3, 2) } })
    expect(bench.offsets()).toEqual([3, 4])
  })

  test('damage is not looked for when it is not wanted', () => {
    const bench = new Bench({ checkCrcs: false })
    bench.cursor(0)
    const damaged = batch(0, 2)
    damaged[17]! ^= 1
    bench.fetch({ 0: { records: damaged } })
    expect(bench.offsets()).toEqual([0, 1])
  })

  test('batches hold at most maxPollRecords, of one chunk, and can be iterated again', () => {
    const bench = new Bench({}, 4)
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
    const bench = new Bench({ maxPartitionFetchBytes: 1_000_000 })
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
  test('hands out exactly the committed transactions, whatever is interleaved and wherever the fetch begins', () => {
    const transaction = fc.record({
      producerId: fc.integer({ min: 1, max: 3 }),
      count: fc.integer({ min: 1, max: 3 }),
      end: fc.constantFrom('abort', 'commit', null),
    })
    fc.assert(
      fc.property(fc.array(transaction, { maxLength: 25 }), fc.nat(40), (steps, start) => {
        const log = new ModelLog()
        for (const { producerId, count, end } of steps) {
          log.write(producerId, count)
          if (end !== null) log.end(producerId, end)
        }
        for (const producerId of log.open()) log.end(producerId, 'commit')
        const position = Math.min(start, log.endOffset)
        const bench = new Bench({ isolationLevel: 'read_committed', maxPartitionFetchBytes: 10_000_000 })
        const cursor = bench.cursor(0, position)
        bench.fetch({ 0: log.fetch(position) })
        expect(bench.offsets()).toEqual(log.committed().filter((offset) => offset >= position))
        expect(cursor.position).toBe(log.endOffset)
      }),
      { numRuns: 300 },
    )
  })
})

/** A partition's log with transactions, and what a broker says of it in a fetch. */
class ModelLog {
  #batches: Array<{ offset: number; end: number; bytes: Buffer }> = []
  #aborted: Array<{ producerId: number; firstOffset: number; lastOffset: number }> = []
  #offsetsOf = new Map<number, number[]>()
  #committed: number[] = []
  endOffset = 0

  write(producerId: number, count: number): void {
    const offset = this.endOffset
    this.#push(batch(offset, count, { producerId, transactional: true }), count)
    const offsets = this.#offsetsOf.get(producerId) ?? []
    for (let index = 0; index < count; index++) offsets.push(offset + index)
    this.#offsetsOf.set(producerId, offsets)
  }

  end(producerId: number, type: 'abort' | 'commit'): void {
    const offsets = this.#offsetsOf.get(producerId)!
    this.#offsetsOf.delete(producerId)
    const lastOffset = this.endOffset
    this.#push(marker(lastOffset, producerId, type), 1)
    if (type === 'commit') this.#committed.push(...offsets)
    else this.#aborted.push({ producerId, firstOffset: offsets[0]!, lastOffset })
  }

  open(): number[] {
    return [...this.#offsetsOf.keys()]
  }

  committed(): number[] {
    return this.#committed.toSorted((a, b) => a - b)
  }

  /** From the batch that holds `offset` on, with the aborted transactions that end after it. */
  fetch(offset: number): Partial<PartitionData> {
    const records = Buffer.concat(this.#batches.filter(({ end }) => end >= offset).map(({ bytes }) => bytes))
    const abortedTransactions: AbortedTransaction[] = this.#aborted
      .filter(({ lastOffset }) => lastOffset >= offset)
      .map(({ producerId, firstOffset }) => ({ producerId: BigInt(producerId), firstOffset: BigInt(firstOffset) }))
    return { records, abortedTransactions }
  }

  #push(bytes: Buffer, count: number): void {
    this.#batches.push({ offset: this.endOffset, end: this.endOffset + count - 1, bytes })
    this.endOffset += count
  }
}

describe('the fetcher', () => {
  test('fetches nothing of a partition whose position is unknown, or whose leader is', () => {
    const bench = new Bench()
    const cursor = bench.cursor(0, -1)
    expect(bench.poll()).toEqual([])
    cursor.seek(5, -1)
    bench.leader = -1
    expect(bench.poll()).toEqual([])
    expect([...bench.fetcher.effects.staleTopics]).toEqual(['t'])
    bench.leader = 1
    const [call] = bench.poll()
    expect(call!.request.topics).toMatchObject([
      { topicId: 'topic-id', partitions: [{ partition: 0, fetchOffset: 5n, currentLeaderEpoch: 3 }] },
    ])
    expect(bench.poll()).toEqual([])
  })

  test('drops what comes for a partition that was given up, or was moved meanwhile', () => {
    const bench = new Bench()
    const given = bench.cursor(0)
    const moved = bench.cursor(1)
    const [call] = bench.poll()
    bench.fetcher.remove(given)
    moved.seek(50, -1)
    bench.answer(call!, { 0: { records: batch(0, 3) }, 1: { records: batch(0, 3) } })
    expect(bench.offsets()).toEqual([])
    expect([moved.position, bench.fetcher.bufferedBytes]).toEqual([50, 0])
  })

  test('leaves out a partition of which enough is buffered, and does not wait for the others then', () => {
    const bench = new Bench({ maxPartitionFetchBytes: 200 })
    const cursor = bench.cursor(0)
    bench.cursor(1)
    bench.fetch({ 0: { records: batch(0, 10) } })
    expect(cursor.bufferedBytes).toBeGreaterThan(100)
    const [call] = bench.poll()
    expect(call!.request.maxWaitMs).toBe(0)
    expect([...call!.wanted.keys()].map(({ partition }) => partition)).toEqual([1])
    bench.answer(call!, {})
    // Nothing for it, so no asking again and again while the buffer stays full ...
    expect(bench.poll()).toEqual([])
    expect(bench.fetcher.deadline).toBe(bench.now + 500)
    // ... until there is room.
    bench.offsets()
    expect([...bench.poll()[0]!.wanted.keys()].map(({ partition }) => partition)).toEqual([0, 1])
  })

  test('an answer that comes after there is room again does not hold anything up', () => {
    const bench = new Bench({ maxPartitionFetchBytes: 200 })
    bench.cursor(0)
    bench.cursor(1)
    bench.fetch({ 0: { records: batch(0, 10) } })
    const [call] = bench.poll()
    bench.offsets()
    bench.answer(call!, {})
    expect(bench.poll()).toHaveLength(1)
  })

  test.each([ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH, ErrorCode.UNKNOWN_TOPIC_ID])(
    'error %d asks for metadata and keeps the position',
    (errorCode) => {
      const bench = new Bench()
      const cursor = bench.cursor(0, 9)
      bench.fetch({ 0: { errorCode } })
      expect([...bench.fetcher.effects.staleTopics]).toEqual(['t'])
      expect([cursor.position, bench.poll().length, bench.fetcher.deadline]).toEqual([9, 0, bench.now + 100])
      bench.now += 100
      expect(bench.poll()).toHaveLength(1)
    },
  )

  test('follows the leader that a refusal names, at once', () => {
    const bench = new Bench()
    const cursor = bench.cursor(0)
    bench.fetch({ 0: { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, currentLeader: { leaderId: 2, leaderEpoch: 4 } } })
    expect(bench.fetcher.effects.leaderHints).toEqual([{ cursor, leaderId: 2, leaderEpoch: 4 }])
    bench.leader = 2
    expect(bench.poll()[0]!.node).toBe(2)
  })

  test('an offset out of range is for the reset policy, after what is buffered', () => {
    const bench = new Bench()
    const cursor = bench.cursor(0)
    bench.fetch({ 0: { records: batch(0, 2) } })
    bench.fetch({ 0: { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE } })
    expect(bench.fetcher.effects.outOfRange).toEqual([])
    expect(bench.offsets()).toEqual([0, 1])
    bench.now += 100
    bench.fetch({ 0: { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE } })
    expect(bench.fetcher.effects.outOfRange).toEqual([cursor])
  })

  test('an error that will not pass is reported, naming the partition', () => {
    const bench = new Bench()
    const cursor = bench.cursor(4, 8)
    bench.fetch({ 4: { errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED } })
    expect([cursor.phase, bench.poll()]).toEqual(['failed', []])
    expect(bench.fetcher.effects.failures).toMatchObject([
      { error: { code: 'TOPIC_AUTHORIZATION_FAILED', message: expect.stringContaining('t-4 at offset 8') } },
    ])
  })

  test('a lost connection backs off and begins a new session', () => {
    const bench = new Bench()
    bench.cursor(0)
    bench.fetch({ 0: { records: batch(0, 1) } })
    const [call] = bench.poll()
    expect(call!.request.sessionEpoch).toBe(1)
    bench.fetcher.fetchFailed(call!, new KafkaError('CONNECTION_CLOSED', 'cut', { retriable: true }), bench.now)
    expect(bench.poll()).toEqual([])
    bench.now += 100
    expect(bench.poll()[0]!.request).toMatchObject({ sessionId: 1, sessionEpoch: 0 })
  })
})
