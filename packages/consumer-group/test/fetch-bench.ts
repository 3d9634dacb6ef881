import { encodeEndTransactionMarker, patchBaseOffset, RecordBatchBuilder } from '@millrace/records/internal'
import type { AbortedTransaction, FetchResponse, PartitionData } from '@millrace/protocol/apis/fetch'
import type { FetchCall } from '../src/fetch/broker-fetches.ts'
import { Fetcher, type ClusterView, type FetcherSettings } from '../src/fetch/fetcher.ts'
import { PartitionCursor } from '../src/fetch/partition-cursor.ts'
import { Loading, RecordFeed } from '../src/fetch/record-feed.ts'

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
export class FetchBench {
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
    this.fetcher = new Fetcher({ ...SETTINGS, ...settings }, view, () => 0.5, { consumed: () => {} })
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
  readonly partitionLeaderEpoch?: number
}

/** A batch of `count` records from `offset` on. */
export function batch(offset: number, count: number, options: BatchOptions = {}): Buffer {
  const builder = new RecordBatchBuilder({ batchSize: 100_000 })
  for (let index = 0; index < count; index++) builder.tryAppend(5, null, `v${offset + index}`)
  return Buffer.from(builder.seal({ baseOffset: offset, partitionLeaderEpoch: 3, producerEpoch: 0, ...options }))
}

export function marker(offset: number, producerId: number, type: 'abort' | 'commit'): Buffer {
  const bytes = encodeEndTransactionMarker({ type, producerId, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 5 })
  patchBaseOffset(bytes, 0, offset)
  return bytes
}

/** A partition's log with transactions, and what a broker says of it in a fetch. */
export class ModelLog {
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

  /** At most so many batches from the one that holds `offset` on, with the aborted transactions that overlap them (Java: TransactionIndex). */
  fetch(offset: number, batches = Infinity): Partial<PartitionData> {
    const chosen = this.#batches.filter(({ end }) => end >= offset).slice(0, batches)
    const records = Buffer.concat(chosen.map(({ bytes }) => bytes))
    const upperBound = chosen.at(-1)?.end ?? offset
    const abortedTransactions: AbortedTransaction[] = this.#aborted
      .filter(({ firstOffset, lastOffset }) => lastOffset >= offset && firstOffset <= upperBound)
      .map(({ producerId, firstOffset }) => ({ producerId: BigInt(producerId), firstOffset: BigInt(firstOffset) }))
    return { records, abortedTransactions }
  }

  #push(bytes: Buffer, count: number): void {
    this.#batches.push({ offset: this.endOffset, end: this.endOffset + count - 1, bytes })
    this.endOffset += count
  }
}
