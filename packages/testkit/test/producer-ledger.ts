import type { Acks, DeliveredRange, SendAllResult } from '@millrace/producer'

/** How a record was handed to the producer. `silent`: posted without a callback. */
export type Way = 'send' | 'sendAll' | 'post' | 'silent' | 'stream'

export type Outcome =
  /** `ranges` is null where the way of sending does not tell places. */
  | { readonly kind: 'stored'; readonly at: number; readonly ranges: readonly DeliveredRange[] | null }
  | { readonly kind: 'failed'; readonly at: number; readonly error: unknown }

/** One call, with every outcome that came of it: there should be one. */
export interface Call {
  readonly producer: string
  readonly topic: string
  readonly way: Way
  /** Each is unique and ends in a number; those of one `laneOf` were handed over in the order of these numbers. */
  readonly values: readonly string[]
  readonly sentAt: number
  readonly outcomes: Outcome[]
}

/** What its options have a producer promise. */
export interface Promised {
  readonly name: string
  readonly acks: Acks
  readonly idempotent: boolean
  readonly inFlight: number
  /** No call takes longer. */
  readonly withinMs: number
}

/** A failure that was told as an event, for want of a callback. */
export interface SilentFailure {
  readonly producer: string
  readonly topic: string
  readonly recordCount: number
  readonly error: unknown
}

/** All that was asked of some producers, and all that they said. */
export class Ledger {
  readonly producers = new Map<string, Promised>()
  readonly calls: Call[] = []
  readonly silentFailures: SilentFailure[] = []
  /** What was found wrong on the way. */
  readonly complaints: string[] = []
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  call(producer: string, topic: string, way: Way, values: readonly string[]): Call {
    const call: Call = { producer, topic, way, values, sentAt: this.#now(), outcomes: [] }
    this.calls.push(call)
    return call
  }

  storedAt(call: Call, { partition, offset }: { partition: number; offset: number }): void {
    this.stored(call, [{ partition, firstOffset: offset, lastOffset: offset, recordCount: 1, logAppendTime: -1 }])
  }

  storedAll(call: Call, result: SendAllResult): void {
    if (result.recordCount !== call.values.length)
      this.complaints.push(`${call.values[0]}: ${result.recordCount} records were told of`)
    this.stored(call, result.ranges)
  }

  stored(call: Call, ranges: readonly DeliveredRange[] | null): void {
    call.outcomes.push({ kind: 'stored', at: this.#now(), ranges })
  }

  failed(call: Call, error: unknown): void {
    call.outcomes.push({ kind: 'failed', at: this.#now(), error })
  }
}

/** Within a lane the order of values is that of their numbers. */
export function laneOf(value: string): string {
  return value.slice(0, value.lastIndexOf('.'))
}

export function numberOf(value: string): number {
  return Number(value.slice(value.lastIndexOf('.') + 1))
}
