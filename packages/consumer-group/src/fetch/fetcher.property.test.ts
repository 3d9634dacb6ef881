import { KafkaError } from '@millrace/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { batch, FetchBench } from '../../test/fetch-bench.ts'
import type { FetchCall } from './broker-fetches.ts'
import type { PartitionCursor } from './partition-cursor.ts'
import { Loading } from './record-feed.ts'

const PARTITIONS = 4
const BATCH = 3
const END = 60

type Action =
  | { readonly kind: 'seek'; readonly partition: number; readonly offset: number }
  | { readonly kind: 'pause'; readonly partition: number }
  | { readonly kind: 'resume'; readonly partition: number }
  | { readonly kind: 'answer'; readonly which: number; readonly partitions: number; readonly batches: number }
  | { readonly kind: 'cut'; readonly which: number }
  | { readonly kind: 'read'; readonly count: number }
  | { readonly kind: 'wait'; readonly ms: number }

const partition = fc.nat(PARTITIONS - 1)
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constant('seek' as const), partition, offset: fc.nat(END / BATCH).map((index) => index * BATCH) }),
  fc.record({ kind: fc.constant('pause' as const), partition }),
  fc.record({ kind: fc.constant('resume' as const), partition }),
  {
    arbitrary: fc.record({ kind: fc.constant('answer' as const), which: fc.nat(), partitions: fc.nat(15), batches: fc.nat(3) }),
    weight: 4,
  },
  fc.record({ kind: fc.constant('cut' as const), which: fc.nat() }),
  { arbitrary: fc.record({ kind: fc.constant('read' as const), count: fc.nat(20) }), weight: 2 },
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(600) }),
)

/** A consumer of a broker that answers what was asked, late, in any order between its two connections, and keeps the session as Kafka does. */
class Model {
  readonly bench = new FetchBench({ maxPartitionFetchBytes: 400 })
  readonly cursors: PartitionCursor[] = []
  readonly calls: FetchCall[] = []
  /** The broker's session: what it believes is asked of it; null for none. */
  #session: { epoch: number; readonly asked: Map<number, bigint> } | null = null
  /** The next offset that the application must get. */
  readonly #next = Array.from({ length: PARTITIONS }, () => 0)

  constructor() {
    for (let index = 0; index < PARTITIONS; index++) this.cursors.push(this.bench.cursor(index))
  }

  do(step: Action): void {
    switch (step.kind) {
      case 'seek':
        this.#seek(this.cursors[step.partition]!, step.offset)
        break
      case 'pause':
        this.bench.feed.leave(this.cursors[step.partition]!)
        this.cursors[step.partition]!.isPaused = true
        break
      case 'resume':
        this.cursors[step.partition]!.resume()
        break
      case 'answer':
        this.#answer(step.which, step.partitions, step.batches)
        break
      case 'cut':
        this.#cut(step.which)
        break
      case 'read':
        this.#readUpTo(step.count)
        break
      case 'wait':
        this.bench.now += step.ms
    }
    this.#send()
  }

  /** Everything to its end, in which nothing is left behind. */
  finish(): readonly number[] {
    for (const cursor of this.cursors) cursor.resume()
    for (let round = 0; this.#next.some((next) => next < END); round++) {
      must(round < 1_000, 'nothing more comes')
      this.#send()
      this.#answer(round, 15, 2)
      this.#readUpTo(Infinity)
      this.bench.now += 100
    }
    return this.#next
  }

  #seek(cursor: PartitionCursor, offset: number): void {
    this.bench.feed.leave(cursor)
    this.bench.fetcher.discard(cursor)
    cursor.seek(offset, -1)
    this.#next[cursor.partition] = offset
  }

  #cut(which: number): void {
    const [call] = this.calls.splice(which % (this.calls.length || 1), 1)
    const error = new KafkaError('CONNECTION_CLOSED', 'cut', { retriable: true })
    if (call !== undefined) this.bench.fetcher.fetchFailed(call, error, this.bench.now)
  }

  #send(): void {
    for (const call of this.bench.poll()) {
      this.calls.push(call)
      const { sessionId, sessionEpoch, maxWaitMs } = call.request
      if (!call.isAside) this.#learn(call)
      else must(sessionId === 0 && sessionEpoch === -1 && maxWaitMs === 0, 'a fetch beside the session touches it, or waits')
    }
    const beside = this.calls.filter(({ isAside }) => isAside).length
    must(beside <= 1 && this.calls.length - beside <= 1, 'two fetches at once on a connection')
  }

  /** KIP-227: what the broker remembers, and what this request changes of it, must be what the fetcher wants. */
  #learn({ request, wanted }: FetchCall): void {
    if (request.sessionEpoch === 0) this.#session = { epoch: 0, asked: new Map() }
    const session = this.#session!
    must(request.sessionEpoch === session.epoch++, 'the epoch is wrong')
    for (const { partitions } of request.forgottenTopicsData) for (const gone of partitions) session.asked.delete(gone)
    for (const { partitions } of request.topics)
      for (const { partition: number, fetchOffset } of partitions) session.asked.set(number, fetchOffset)
    for (const target of wanted.values())
      must(
        session.asked.get(target.partition) === BigInt(target.fetchOffset),
        `the session has partition ${target.partition} wrong`,
      )
    must(session.asked.size === wanted.size, 'the session has more than is wanted')
  }

  #answer(which: number, partitions: number, batches: number): void {
    const [call] = this.calls.splice(which % (this.calls.length || 1), 1)
    if (call === undefined) return
    const answer: Parameters<FetchBench['answer']>[1] = {}
    for (const { partition: number, fetchOffset } of call.wanted.values()) {
      const count = Math.min(batches, (END - fetchOffset) / BATCH)
      if ((partitions & (1 << number)) === 0 || count <= 0) continue
      const records = Array.from({ length: count }, (_, index) => batch(fetchOffset + index * BATCH, BATCH))
      answer[number] = { records: Buffer.concat(records) }
    }
    this.bench.answer(call, answer)
  }

  #readUpTo(count: number): void {
    for (let read = 0; read < count; read++) {
      const record = this.bench.feed.nextRecord()
      if (record === null) return
      if (record instanceof Loading) throw new Error('not expected to load')
      const { partition, isPaused } = this.bench.feed.cursor
      must(!isPaused, `partition ${partition} is paused`)
      const expected = this.#next[partition]!++
      must(record.offset === expected, `partition ${partition}: offset ${record.offset} for ${expected}`)
    }
  }
}

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise)
}

test('every record is handed out once and in order from the last seek on, and the session is what the broker believes it to be', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
      const model = new Model()
      for (const step of actions) model.do(step)
      expect(model.finish()).toEqual([END, END, END, END])
    }),
    { numRuns: 500 },
  )
})
