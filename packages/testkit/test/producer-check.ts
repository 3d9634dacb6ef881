import { SendAllError, type DeliveredRange } from '@millrace/producer'
import { KafkaError } from '@millrace/protocol'
import { laneOf, numberOf, type Call, type Ledger, type Outcome, type Promised, type Way } from './producer-ledger.ts'

export type FindingKind =
  | 'no outcome'
  | 'two outcomes'
  | 'untyped error'
  | 'undocumented error'
  | 'late'
  | 'lost'
  | 'misplaced'
  | 'miscounted'
  | 'duplicate'
  | 'stored though refused'
  | 'never sent'
  | 'out of order'

export interface Finding {
  readonly kind: FindingKind
  readonly message: string
}

/** What the brokers' logs hold in the end: the values of each partition (`topic-0`), at the index of their offset. */
export type StoredValues = ReadonlyMap<string, readonly string[]>

/** What happened to the brokers, as far as it changes what may be expected. */
export interface World {
  /** What was not synced is gone: acks 1 promises nothing then. */
  readonly lostPower: boolean
  /** Errors of the broker's that end a send. */
  readonly refusals: ReadonlySet<string>
  /** No answer was lost or late, so that a refusal is the only thing that happened to a batch. */
  readonly refusalsAreCertain: boolean
}

/** The docstring of `Producer.send`, but for what brokers refuse. */
const SEND_CODES = [
  'INVALID_RECORD',
  'RECORD_TOO_LARGE',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'METADATA_TIMED_OUT',
  'BUFFER_EXHAUSTED',
  'ABORTED',
  'DELIVERY_TIMED_OUT',
  'PRODUCER_CLOSED',
]
const POST_CODES = SEND_CODES.filter((code) => code !== 'ABORTED')
const CODES: Readonly<Record<Way, readonly string[]>> = {
  send: SEND_CODES,
  sendAll: SEND_CODES,
  post: POST_CODES,
  silent: POST_CODES,
  stream: POST_CODES,
}

/** The record never got into a batch. */
const NEVER_IN_A_BATCH = new Set([
  'RECORD_TOO_LARGE',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'METADATA_TIMED_OUT',
  'BUFFER_EXHAUSTED',
  'ABORTED',
])

/** Compares what producers said to what the logs hold. */
export function checkLedger(ledger: Ledger, log: StoredValues, world: World): Finding[] {
  return new Check(ledger, log, world).run()
}

class Check {
  readonly #ledger: Ledger
  readonly #log: StoredValues
  readonly #world: World
  readonly #places = new Map<string, string[]>()
  readonly #findings: Finding[] = []

  constructor(ledger: Ledger, log: StoredValues, world: World) {
    this.#ledger = ledger
    this.#log = log
    this.#world = world
    for (const [partition, values] of log) {
      for (const [offset, value] of values.entries()) {
        const places = this.#places.get(value)
        if (places === undefined) this.#places.set(value, [`${partition}@${offset}`])
        else places.push(`${partition}@${offset}`)
      }
    }
  }

  run(): Finding[] {
    for (const call of this.#ledger.calls) this.#checkCall(call)
    this.#checkStrangers()
    this.#checkSilent()
    for (const producer of this.#ledger.producers.values()) {
      if (producer.idempotent) this.#checkOnce(producer)
      else if (producer.inFlight === 1 && this.#vouches(producer)) this.#checkFirstPlaces(producer)
    }
    return this.#findings
  }

  #found(kind: FindingKind, message: string): void {
    this.#findings.push({ kind, message })
  }

  #checkCall(call: Call): void {
    const about = `${call.way} of ${call.values.join(' ')}`
    const [outcome, second] = call.outcomes
    if (second !== undefined) this.#found('two outcomes', `${about}: ${call.outcomes.map(describe).join(', then ')}`)
    if (outcome === undefined) {
      if (call.way !== 'silent') this.#found('no outcome', about)
      return
    }
    const producer = this.#ledger.producers.get(call.producer)!
    const tookMs = outcome.at - call.sentAt
    // A stream takes its records one after another.
    if (call.way !== 'stream' && tookMs > producer.withinMs)
      this.#found('late', `${about}: ${describe(outcome)} after ${tookMs} ms`)
    if (outcome.kind === 'failed') return this.#checkFailure(call, outcome.error, about)
    if (outcome.ranges === null) this.#checkAllStored(call, producer, about)
    else this.#checkRanges(call, producer, outcome.ranges, call.values.length, about)
  }

  #checkFailure(call: Call, error: unknown, about: string): void {
    if (!this.#checkError(call.way, error, about)) return
    if (error instanceof SendAllError) {
      const { delivered, failedCount, refused } = error
      for (const { index, error: reason } of refused) {
        this.#checkError(call.way, reason, `record ${index} of ${about}`)
        const value = call.values[index]!
        if (this.#places.has(value))
          this.#found('stored though refused', `${about}: ${reason.code}, but ${this.#whereabouts([value])}`)
      }
      return this.#checkRanges(
        call,
        this.#ledger.producers.get(call.producer)!,
        delivered,
        call.values.length - failedCount,
        about,
      )
    }
    // A stream's failure is of one of its records. A sendAll that failed otherwise than by its records was refused whole.
    if (call.way === 'stream') return
    if (call.way !== 'sendAll' && !this.#meansNotStored(error.code)) return
    const stored = call.values.filter((value) => this.#places.has(value))
    if (stored.length > 0) this.#found('stored though refused', `${about}: ${error.code}, but ${this.#whereabouts(stored)}`)
  }

  #checkError(way: Way, error: unknown, about: string): error is KafkaError {
    if (!(error instanceof KafkaError)) {
      this.#found('untyped error', `${about}: ${String(error)}`)
      return false
    }
    if (!CODES[way].includes(error.code) && !this.#world.refusals.has(error.code))
      this.#found('undocumented error', `${about}: ${error.code}: ${error.message}`)
    return true
  }

  #meansNotStored(code: string): boolean {
    return NEVER_IN_A_BATCH.has(code) || (this.#world.refusalsAreCertain && this.#world.refusals.has(code))
  }

  #checkAllStored(call: Call, producer: Promised, about: string): void {
    if (!this.#vouches(producer)) return
    const lost = call.values.filter((value) => !this.#places.has(value))
    if (lost.length > 0) this.#found('lost', `${about}: ${lost.join(' ')}`)
  }

  /** The ranges hold `count` of the call's records, each once. */
  #checkRanges(call: Call, producer: Promised, ranges: readonly DeliveredRange[], count: number, about: string): void {
    const told = ranges.reduce((sum, { recordCount }) => sum + recordCount, 0)
    if (told !== count) this.#found('miscounted', `${about}: ${told} of ${count} records have a place`)
    if (!this.#vouches(producer)) return
    const own = new Set(call.values)
    for (const { partition, firstOffset, recordCount } of ranges) {
      const name = `${call.topic}-${partition}`
      for (let offset = firstOffset; offset < firstOffset + recordCount; offset++) {
        const value = this.#log.get(name)?.[offset]
        if (value !== undefined && own.delete(value)) continue
        const kind = call.values.some((one) => !this.#places.has(one)) ? 'lost' : 'misplaced'
        this.#found(kind, `${about}: acknowledged at ${name}@${offset}, where there is ${value ?? 'nothing'}`)
      }
    }
  }

  #checkStrangers(): void {
    const sent = new Set(this.#ledger.calls.flatMap(({ values }) => values))
    const strangers = [...this.#places.keys()].filter((value) => !sent.has(value))
    for (const value of strangers) this.#found('never sent', this.#whereabouts([value]))
  }

  /** Of records without a callback it is known how many failed. */
  #checkSilent(): void {
    for (const { producer, topic, error } of this.#ledger.silentFailures)
      this.#checkError('silent', error, `records of ${producer} for ${topic}`)
    const groups = new Map<string, { posted: string[]; failed: number; producer: Promised }>()
    const groupOf = (name: string, topic: string) => {
      const key = `${name} for ${topic}`
      const group = groups.get(key) ?? { posted: [], failed: 0, producer: this.#ledger.producers.get(name)! }
      groups.set(key, group)
      return group
    }
    for (const { way, producer, topic, values, outcomes } of this.#ledger.calls)
      if (way === 'silent' && outcomes.length === 0) groupOf(producer, topic).posted.push(...values)
    for (const { producer, topic, recordCount } of this.#ledger.silentFailures) groupOf(producer, topic).failed += recordCount
    for (const [about, { posted, failed, producer }] of groups) {
      const stored = posted.filter((value) => this.#places.has(value)).length
      if (failed > posted.length) this.#found('two outcomes', `${about}: ${failed} of ${posted.length} posted records failed`)
      if (stored + failed < posted.length && this.#vouches(producer))
        this.#found('lost', `${about}: of ${posted.length} posted records ${stored} are stored and ${failed} failed`)
    }
  }

  /** With idempotence no record is there twice, and what is there is in order, acknowledged or not. */
  #checkOnce({ name }: Promised): void {
    for (const [partition, values] of this.#log) {
      const last = new Map<string, string>()
      const seen = new Set<string>()
      for (const value of values) {
        if (!value.startsWith(`${name}.`)) continue
        const lane = laneOf(value)
        const before = last.get(lane)
        if (before !== undefined && numberOf(before) > numberOf(value) && !seen.has(value))
          this.#found('out of order', `${partition} has ${value} after ${before}`)
        last.set(lane, value)
        seen.add(value)
      }
    }
    for (const [value, places] of this.#places)
      if (places.length > 1 && value.startsWith(`${name}.`)) this.#found('duplicate', this.#whereabouts([value]))
  }

  /** With one request in flight, acknowledged records are first stored in the order in which they were sent. */
  #checkFirstPlaces({ name }: Promised): void {
    const acknowledged = new Set<string>()
    for (const { producer, values, outcomes } of this.#ledger.calls)
      if (producer === name && outcomes[0]?.kind === 'stored') for (const value of values) acknowledged.add(value)
    for (const [partition, values] of this.#log) {
      const last = new Map<string, string>()
      for (const value of new Set(values)) {
        if (!acknowledged.has(value)) continue
        const before = last.get(laneOf(value))
        if (before !== undefined && numberOf(before) > numberOf(value))
          this.#found('out of order', `${partition} has ${value} after ${before}`)
        last.set(laneOf(value), value)
      }
    }
  }

  /** Whether its acknowledgements mean that records stay. */
  #vouches({ acks }: Promised): boolean {
    return acks === 'all' || (acks === 1 && !this.#world.lostPower)
  }

  #whereabouts(values: readonly string[]): string {
    return values.map((value) => `${value} is at ${this.#places.get(value)!.join(' and ')}`).join('; ')
  }
}

function describe(outcome: Outcome): string {
  return outcome.kind === 'stored' ? 'stored' : `failed (${String(outcome.error)})`
}
