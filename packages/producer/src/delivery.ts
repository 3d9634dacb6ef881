import { KafkaError } from '@millrace/protocol'
import type { Acknowledgement } from './acknowledgement.ts'
import { reportFault } from './events.ts'
import type { RecordMetadata } from './record.ts'

/** Records of one `sendAll` that were stored one after another in one partition. */
export interface DeliveredRange {
  readonly partition: number
  /** Offset of the first of them; -1 where the broker gives none (see `RecordMetadata`). */
  readonly firstOffset: number
  readonly lastOffset: number
  readonly recordCount: number
  /** When the broker stored them, where the topic says LogAppendTime; else -1 and each record keeps its own. */
  readonly logAppendTime: number
}

export interface SendAllResult {
  readonly topic: string
  readonly recordCount: number
  /** In no particular order. */
  readonly ranges: readonly DeliveredRange[]
}

/** A record of a `sendAll` that was wrong and not sent. */
export interface RefusedRecord {
  /** Its place in the call, from 0. */
  readonly index: number
  readonly error: KafkaError
}

/** Some or all records of a `sendAll` were not stored. `code`, `retriable` and `cause` are the first failure's. */
export class SendAllError extends KafkaError {
  override readonly name: string = 'SendAllError'
  readonly topic: string
  /** What was stored nevertheless. */
  readonly delivered: readonly DeliveredRange[]
  /** All that were not stored, refused or not. */
  readonly failedCount: number
  /** Those that were wrong: too large, not to be serialized, for a partition that does not exist, … */
  readonly refused: readonly RefusedRecord[]

  constructor(
    topic: string,
    delivered: readonly DeliveredRange[],
    failedCount: number,
    refused: readonly RefusedRecord[],
    recordCount: number,
    first: KafkaError,
  ) {
    super(first.code, `${failedCount} of ${recordCount} records for ${topic} failed; the first: ${first.message}`, {
      retriable: first.retriable,
      cause: first,
    })
    this.topic = topic
    this.delivered = delivered
    this.failedCount = failedCount
    this.refused = refused
  }
}

/** What is known once a batch is done. */
export interface BatchOutcome {
  readonly topic: string
  readonly partition: number
  readonly baseOffset: number
  /** -1 unless the topic says LogAppendTime. */
  readonly logAppendTime: number
  readonly error: KafkaError | null
}

/** Told of records next to each other in a batch, or of some that were never put into one. */
export interface RangeDelivery {
  deliver(outcome: BatchOutcome, firstDelta: number, count: number): void
  fail(error: KafkaError, count: number): void
  /** The record at `index` of its call was wrong. */
  refuse(error: KafkaError, index: number): void
}

/** Called once, when the record is stored (`error` is null) or failed (`metadata` is null). */
export type DeliveryCallback = (error: KafkaError | null, metadata: RecordMetadata | null) => void

type Mutable<Type> = { -readonly [Name in keyof Type]: Type[Name] }

/** The one promise of a `sendAll`: counts its records down as their batches finish. */
export class SendAllDelivery implements RangeDelivery {
  readonly topic: string
  readonly recordCount: number
  readonly #resolve: (result: SendAllResult) => void
  readonly #reject: (error: KafkaError) => void
  readonly #delivered: Array<Mutable<DeliveredRange>> = []
  readonly #lastByPartition = new Map<number, Mutable<DeliveredRange>>()
  readonly #refused: RefusedRecord[] = []
  #left: number
  #failed = 0
  #firstError: KafkaError | null = null

  constructor(topic: string, recordCount: number, resolve: (result: SendAllResult) => void, reject: (error: KafkaError) => void) {
    this.topic = topic
    this.recordCount = recordCount
    this.#left = recordCount
    this.#resolve = resolve
    this.#reject = reject
  }

  deliver(outcome: BatchOutcome, firstDelta: number, count: number): void {
    const { baseOffset, partition, logAppendTime, error } = outcome
    if (error !== null) return this.fail(error, count)
    const firstOffset = baseOffset < 0 ? -1 : baseOffset + firstDelta
    const lastOffset = baseOffset < 0 ? -1 : firstOffset + count - 1
    const last = this.#lastByPartition.get(partition)
    if (last !== undefined && firstOffset >= 0 && last.lastOffset + 1 === firstOffset && last.logAppendTime === logAppendTime) {
      last.lastOffset = lastOffset
      last.recordCount += count
    } else {
      const range = { partition, firstOffset, lastOffset, recordCount: count, logAppendTime }
      this.#delivered.push(range)
      this.#lastByPartition.set(partition, range)
    }
    this.#countDown(count)
  }

  fail(error: KafkaError, count: number): void {
    this.#firstError ??= error
    this.#failed += count
    this.#countDown(count)
  }

  refuse(error: KafkaError, index: number): void {
    this.#refused.push({ index, error })
    this.fail(error, 1)
  }

  #countDown(count: number): void {
    this.#left -= count
    if (this.#left > 0) return
    const { topic, recordCount } = this
    const first = this.#firstError
    if (first === null) this.#resolve({ topic, recordCount, ranges: this.#delivered })
    else this.#reject(new SendAllError(topic, this.#delivered, this.#failed, this.#refused, recordCount, first))
  }
}

/**
 * Whose records a batch holds. Each kind of them has a list of its own, made when the first comes: most batches have one kind, and a small batch should
 * not cost more than its records. A span of a `sendAll` is one object, a record sent alone four slots, one with a callback three. `delta` is a
 * record's place in the batch.
 */
export class BatchDeliveries {
  #firstSpan: Span | null = null
  #lastSpan: Span | null = null
  #promised: Promised | null = null
  #called: Called | null = null
  #acknowledged: Acknowledged[] | null = null

  addOne(
    delta: number,
    timestamp: number,
    resolve: (metadata: RecordMetadata) => void,
    reject: (error: KafkaError) => void,
  ): void {
    const promised = (this.#promised ??= { deltas: [], timestamps: [], resolves: [], rejects: [] })
    promised.deltas.push(delta)
    promised.timestamps.push(timestamp)
    promised.resolves.push(resolve)
    promised.rejects.push(reject)
  }

  addCallback(delta: number, timestamp: number, callback: DeliveryCallback): void {
    const called = (this.#called ??= { deltas: [], timestamps: [], callbacks: [] })
    called.deltas.push(delta)
    called.timestamps.push(timestamp)
    called.callbacks.push(callback)
  }

  addSpan(delivery: RangeDelivery, delta: number): void {
    const last = this.#lastSpan
    if (last !== null && last.delivery === delivery && last.delta + last.count === delta) last.count++
    else this.#appendSpan({ delivery, delta, count: 1, next: null })
  }

  /** Has interceptors told of a record, before whoever sent it. */
  addAcknowledgement(delta: number, timestamp: number, acknowledgement: Acknowledgement): void {
    this.#acknowledged ??= []
    this.#acknowledged.push({ delta, timestamp, acknowledgement })
  }

  settle(outcome: BatchOutcome): void {
    if (this.#acknowledged !== null) tellInterceptors(this.#acknowledged, outcome)
    if (this.#promised !== null) settlePromises(this.#promised, outcome)
    if (this.#called !== null) callBack(this.#called, outcome)
    for (let span = this.#firstSpan; span !== null; span = span.next) span.delivery.deliver(outcome, span.delta, span.count)
  }

  /** The deliveries of the records from `from` up to `to`, renumbered from zero, for a batch that was split. */
  slice(from: number, to: number): BatchDeliveries {
    const part = new BatchDeliveries()
    const isWithin = (delta: number): boolean => delta >= from && delta < to
    this.#promised?.deltas.forEach((delta, index) => {
      const { timestamps, resolves, rejects } = this.#promised!
      if (isWithin(delta)) part.addOne(delta - from, timestamps[index]!, resolves[index]!, rejects[index]!)
    })
    this.#called?.deltas.forEach((delta, index) => {
      const { timestamps, callbacks } = this.#called!
      if (isWithin(delta)) part.addCallback(delta - from, timestamps[index]!, callbacks[index]!)
    })
    for (const { delta, timestamp, acknowledgement } of this.#acknowledged ?? []) {
      if (isWithin(delta)) part.addAcknowledgement(delta - from, timestamp, acknowledgement)
    }
    for (let span = this.#firstSpan; span !== null; span = span.next) {
      const start = Math.max(span.delta, from)
      const end = Math.min(span.delta + span.count, to)
      if (start < end) part.#appendSpan({ delivery: span.delivery, delta: start - from, count: end - start, next: null })
    }
    return part
  }

  #appendSpan(span: Span): void {
    if (this.#lastSpan === null) this.#firstSpan = span
    else this.#lastSpan.next = span
    this.#lastSpan = span
  }
}

function tellInterceptors(acknowledged: readonly Acknowledged[], outcome: BatchOutcome): void {
  const { error, partition } = outcome
  for (const { delta, timestamp, acknowledgement } of acknowledged) {
    if (error === null) acknowledgement.stored(metadataOf(outcome, delta, timestamp))
    else acknowledgement.failed(error, partition)
  }
}

function settlePromises({ deltas, timestamps, resolves, rejects }: Promised, outcome: BatchOutcome): void {
  const { error } = outcome
  for (let index = 0; index < deltas.length; index++) {
    if (error === null) resolves[index]!(metadataOf(outcome, deltas[index]!, timestamps[index]!))
    else rejects[index]!(error)
  }
}

function callBack({ deltas, timestamps, callbacks }: Called, outcome: BatchOutcome): void {
  const { error } = outcome
  for (let index = 0; index < deltas.length; index++) {
    const metadata = error === null ? metadataOf(outcome, deltas[index]!, timestamps[index]!) : null
    try {
      callbacks[index]!(error, metadata)
    } catch (fault) {
      reportFault(fault)
    }
  }
}

function metadataOf(outcome: BatchOutcome, delta: number, ownTimestamp: number): RecordMetadata {
  const { topic, partition, baseOffset, logAppendTime } = outcome
  const offset = baseOffset < 0 ? -1 : baseOffset + delta
  return { topic, partition, offset, timestamp: logAppendTime < 0 ? ownTimestamp : logAppendTime }
}

interface Span {
  readonly delivery: RangeDelivery
  readonly delta: number
  count: number
  next: Span | null
}

/** Records with a promise each, in parallel lists. */
interface Promised {
  readonly deltas: number[]
  readonly timestamps: number[]
  readonly resolves: Array<(metadata: RecordMetadata) => void>
  readonly rejects: Array<(error: KafkaError) => void>
}

/** Records with a callback each, in parallel lists. */
interface Called {
  readonly deltas: number[]
  readonly timestamps: number[]
  readonly callbacks: DeliveryCallback[]
}

interface Acknowledged {
  readonly delta: number
  readonly timestamp: number
  readonly acknowledgement: Acknowledgement
}
