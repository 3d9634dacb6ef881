import type { KafkaError } from '@millrace/protocol'
import type { Acknowledgement } from './acknowledgement.ts'
import type { DeliveryCallback, RangeDelivery, RefusedRecord } from './delivery.ts'
import { publishRefused } from './diagnostics.ts'
import { reportFault } from './events.ts'
import type { FlushWait } from './flush-wait.ts'
import type { RecordInput, RecordMetadata } from './record.ts'

/** What a send is when it begins to wait; what is left out is null or false. */
interface WaitingSendOptions {
  readonly topic: string
  readonly records: readonly RecordInput[]
  /** Epoch milliseconds. */
  readonly deadline: number
  readonly resolve?: ((metadata: RecordMetadata) => void) | null
  readonly reject?: ((error: KafkaError) => void) | null
  /** Instead of `resolve` and `reject` for a `sendAll`, and for a `post` without a callback. */
  readonly delivery?: RangeDelivery | null
  /** Ends the wait. */
  readonly signal?: AbortSignal | null
  /** Of each record in `records`, null for what is none; null without interceptors. */
  readonly acknowledgements?: ReadonlyArray<Acknowledgement | null> | null
  /** The place of each record in its call; null where it is that in `records`. */
  readonly indexes?: readonly number[] | null
  /** Whether a record that is wrong keeps the others from being sent. */
  readonly isAllOrNothing?: boolean
}

/** A `send`, `sendAll` or `post` of which some records could not be put into a batch yet. */
export interface WaitingSend extends Required<WaitingSendOptions> {
  /** The first record that still waits. */
  next: number
  flushes: FlushWait[] | null
  onAbort: (() => void) | null
  /** Whether it was taken out of its line. */
  isOver: boolean
}

export function waitingSend(options: WaitingSendOptions): WaitingSend {
  return {
    topic: options.topic,
    records: options.records,
    deadline: options.deadline,
    resolve: options.resolve ?? null,
    reject: options.reject ?? null,
    delivery: options.delivery ?? null,
    signal: options.signal ?? null,
    acknowledgements: options.acknowledgements ?? null,
    indexes: options.indexes ?? null,
    isAllOrNothing: options.isAllOrNothing ?? false,
    next: 0,
    flushes: null,
    onAbort: null,
    isOver: false,
  }
}

/** How a `post` that waits is told: as if it had been in a batch, or at once. */
export function postOutcome(
  posts: RangeDelivery,
  onDelivery: DeliveryCallback | undefined,
): Pick<WaitingSendOptions, 'resolve' | 'reject' | 'delivery'> {
  if (onDelivery === undefined) return { delivery: posts }
  const tell: DeliveryCallback = (error, metadata) => {
    try {
      onDelivery(error, metadata)
    } catch (fault) {
      reportFault(fault)
    }
  }
  return { resolve: (metadata) => tell(null, metadata), reject: (error) => tell(error, null) }
}

/** Ends a send whose remaining records cannot be sent. */
export function failWaitingSend(send: WaitingSend, error: KafkaError): void {
  const { acknowledgements, delivery, next, records, topic } = send
  const left = records.length - next
  publishRefused(topic, left, error)
  if (acknowledgements !== null) for (let index = next; index < records.length; index++) acknowledgements[index]?.failed(error)
  if (delivery === null) send.reject!(error)
  else delivery.fail(error, left)
  arriveAll(send.flushes)
}

/** The next record is wrong; the send goes on behind it. */
export function refuseNext(send: WaitingSend, error: KafkaError): void {
  const { acknowledgements, delivery, indexes, topic } = send
  const at = send.next++
  publishRefused(topic, 1, error)
  acknowledgements?.[at]?.failed(error)
  if (delivery === null) send.reject!(error)
  else delivery.refuse(error, indexes?.[at] ?? at)
}

/** Ends a `sendAll` that is all or nothing because of records that are wrong. Nothing of it was sent. */
export function refuseWhole(send: WaitingSend, refused: readonly RefusedRecord[]): void {
  const [first] = refused
  for (const { index, error } of refused) {
    send.acknowledgements?.[index]?.failed(error)
    send.delivery!.refuse(error, index)
  }
  const isRefused = new Set(refused.map(({ index }) => index))
  send.acknowledgements?.forEach((acknowledgement, index) => {
    if (!isRefused.has(index)) acknowledgement?.failed(first!.error)
  })
  publishRefused(send.topic, send.records.length, first!.error)
  const others = send.records.length - refused.length
  if (others > 0) send.delivery!.fail(first!.error, others)
  arriveAll(send.flushes)
}

/** The send waits no more: its signal must not hold it. */
export function stopListening(send: WaitingSend): void {
  if (send.onAbort !== null) send.signal!.removeEventListener('abort', send.onAbort)
  send.onAbort = null
}

export function arriveAll(flushes: readonly FlushWait[] | null): void {
  if (flushes !== null) for (const flush of flushes) flush.arrived()
}
