import assert from 'node:assert/strict'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FaultyStorage, Killed, type Fault } from '../../test/faulty-storage.ts'
import { appendTo, batchOf, openLog, readAll } from '../../test/log-fixtures.ts'
import { PRODUCER_BATCHES_RETAINED } from '../limits.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'
import type { LogConfig } from './log-config.ts'
import type { PartitionLog } from './partition-log.ts'

const CONFIG: Partial<LogConfig> = { segmentBytes: 400, indexIntervalBytes: 100, retentionMs: -1 }
const SEQUENCES = 2 ** 31

interface SentBatch {
  readonly id: number
  readonly epoch: number
  readonly first: number
  readonly count: number
  /** Where it is in the log. */
  readonly offset: number
}

/** One idempotent producer, as it should be known. */
interface ModelProducer {
  epoch: number
  next: number
  /** The oldest first, all of this epoch. */
  batches: SentBatch[]
}

const producer = fc.nat({ max: 2 })
const count = fc.integer({ min: 1, max: 4 })
const command = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('send' as const), producer, count }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('repeat' as const), producer, back: fc.nat({ max: 7 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('gap' as const), producer, by: fc.integer({ min: 1, max: SEQUENCES - 1 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('bump' as const), producer, first: fc.constantFrom(0, 0, 1, 9), by: count }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('zombie' as const), producer, count }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart' as const), clean: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), at: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('kill' as const),
      producer,
      count,
      afterChanges: fc.nat({ max: 9 }),
      killAfterBytes: fc.nat({ max: 150 }),
      closing: fc.boolean(),
    }),
  },
)
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never

/** A log, the producers that write to it, and what must be known of them. */
class World {
  readonly #disk = new MemoryStorage()
  #storage = new FaultyStorage(this.#disk)
  #log: PartitionLog = openLog(this.#storage, { config: CONFIG })
  readonly #producers: ModelProducer[]
  #start = 0
  #end = 0

  constructor(firstSequences: readonly number[]) {
    this.#producers = firstSequences.map((next) => ({ epoch: 0, next, batches: [] }))
  }

  run(step: Command): void {
    if (step.kind === 'send') this.#send(step.producer, step.count)
    else if (step.kind === 'repeat') this.#repeat(step.producer, step.back)
    else if (step.kind === 'gap') this.#gap(step.producer, step.by)
    else if (step.kind === 'bump') this.#bump(step.producer, step.first, step.by)
    else if (step.kind === 'zombie') this.#zombie(step.producer, step.count)
    else if (step.kind === 'restart') this.#restart(step.clean)
    else if (step.kind === 'delete') this.#delete(step.at)
    else this.#kill(step)
  }

  /** Sends again all that must be recognised; returns the offsets of the log, and those that it must have. */
  finish(): { found: number[]; expected: number[] } {
    for (const [id] of this.#producers.entries())
      for (let back = 0; back < PRODUCER_BATCHES_RETAINED; back++) this.#repeat(id, back)
    const expected = Array.from({ length: this.#end - this.#start }, (_, i) => this.#start + i)
    return { found: readAll(this.#log).map(({ offset }) => offset), expected }
  }

  #append(id: number, epoch: number, first: number, records: number): ReturnType<PartitionLog['append']> {
    const values = Array.from({ length: records }, (_, i) => `${id} ${epoch} ${(first + i) % SEQUENCES}`)
    return appendTo(this.#log, batchOf(values, { producerId: id, producerEpoch: epoch, baseSequence: first }))
  }

  #send(id: number, records: number): void {
    const { epoch, next } = this.#producers[id]!
    const { baseOffset, lastOffset, duplicate } = this.#append(id, epoch, next, records)
    assert.deepEqual([baseOffset, lastOffset, duplicate], [this.#end, this.#end + records - 1, false])
    this.#note(id, records)
  }

  #note(id: number, records: number): void {
    const known = this.#producers[id]!
    known.batches.push({ id, epoch: known.epoch, first: known.next, count: records, offset: this.#end })
    known.next = (known.next + records) % SEQUENCES
    this.#end += records
  }

  #repeat(id: number, back: number): void {
    const { batches } = this.#producers[id]!
    const batch = batches.at(-1 - back)
    if (batch === undefined) return
    const repeat = (): ReturnType<PartitionLog['append']> => this.#append(id, batch.epoch, batch.first, batch.count)
    if (back >= PRODUCER_BATCHES_RETAINED) {
      this.#refused('OUT_OF_ORDER_SEQUENCE_NUMBER', repeat)
      return
    }
    const { baseOffset, lastOffset, duplicate } = repeat()
    assert.deepEqual([baseOffset, lastOffset, duplicate], [batch.offset, batch.offset + batch.count - 1, true])
  }

  #gap(id: number, by: number): void {
    const { epoch, next, batches } = this.#producers[id]!
    if (batches.length === 0) return
    const first = (next + by) % SEQUENCES
    // By chance it may be a batch that was sent.
    if (batches.some((batch) => batch.first === first)) return
    this.#refused('OUT_OF_ORDER_SEQUENCE_NUMBER', () => this.#append(id, epoch, first, 1))
  }

  #bump(id: number, first: number, records: number): void {
    const known = this.#producers[id]!
    if (known.batches.length === 0) return
    if (first !== 0) {
      this.#refused('OUT_OF_ORDER_SEQUENCE_NUMBER', () => this.#append(id, known.epoch + 1, first, records))
      return
    }
    known.epoch++
    known.next = 0
    known.batches = []
    this.#send(id, records)
  }

  #zombie(id: number, records: number): void {
    const { epoch, next, batches } = this.#producers[id]!
    if (epoch > 0 && batches.length > 0) this.#refused('INVALID_PRODUCER_EPOCH', () => this.#append(id, epoch - 1, next, records))
  }

  #refused(code: string, attempt: () => unknown): void {
    assert.throws(attempt, { name: 'LogError', code })
    assert.equal(this.#log.logEndOffset, this.#end)
  }

  #restart(clean: boolean): void {
    if (clean) this.#log.close()
    else this.#log.abandon()
    this.#reopen(clean)
  }

  #reopen(clean: boolean): void {
    this.#storage = new FaultyStorage(this.#disk)
    this.#log = openLog(this.#storage, { config: CONFIG, clean, logStartOffset: this.#start })
    // What lies before the log's start need not be remembered, so neither is it asked for: such a producer goes on where it was or begins anew.
    for (const known of this.#producers) known.batches = known.batches.filter(({ offset }) => offset >= this.#start)
  }

  #delete(at: number): void {
    this.#start = Math.min(this.#end, this.#start + Math.floor(at * (this.#end - this.#start + 1)))
    this.#log.deleteRecordsBefore(this.#start)
  }

  /** The process dies at some change of the disk: in an append, when a segment is rolled, in a snapshot, or while it closes. */
  #kill(step: Extract<Command, { kind: 'kill' }>): void {
    this.#log.abandon()
    this.#storage = new FaultyStorage(this.#disk, (change): Fault => {
      return change === step.afterChanges ? { killAfterBytes: step.killAfterBytes } : 'none'
    })
    const { epoch, next } = this.#producers[step.producer]!
    let pending: number | null = null
    try {
      this.#log = openLog(this.#storage, { config: CONFIG, clean: false, logStartOffset: this.#start })
      pending = step.count
      this.#append(step.producer, epoch, next, step.count)
      this.#note(step.producer, step.count)
      pending = null
      if (step.closing) this.#log.close()
      else this.#log.abandon()
    } catch (error) {
      if (!(error instanceof Killed)) throw error
    }
    this.#reopen(false)
    if (pending === null) return
    // The producer has no answer: it repeats the batch, which is there or is not.
    const wasWritten = this.#log.logEndOffset > this.#end
    assert.equal(this.#log.logEndOffset, wasWritten ? this.#end + pending : this.#end)
    const { baseOffset, duplicate } = this.#append(step.producer, epoch, next, pending)
    assert.deepEqual([baseOffset, duplicate], [this.#end, wasWritten])
    this.#note(step.producer, pending)
  }
}

test('a batch is in the log once however often it is sent, whatever befalls the broker in between', () => {
  const firstSequences = fc.array(fc.constantFrom(0, 5, SEQUENCES - 1, SEQUENCES - 6), { minLength: 3, maxLength: 3 })
  fc.assert(
    fc.property(firstSequences, fc.array(command, { minLength: 10, maxLength: 60 }), (first, commands) => {
      const world = new World(first)
      for (const step of commands) world.run(step)
      const { found, expected } = world.finish()
      expect(found).toEqual(expected)
    }),
    { numRuns: 300 },
  )
})
