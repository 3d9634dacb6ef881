import type { KafkaError } from '@millrace/protocol'
import type { DeliveryCallback, RangeDelivery } from './delivery.ts'
import { reportFault } from './events.ts'
import type { FlushWait } from './flush-wait.ts'
import type { RecordInput, RecordMetadata } from './record.ts'

/** A `send` or `sendAll` of which some records could not be put into a batch yet. */
export interface WaitingSend {
  readonly records: readonly RecordInput[]
  /** The first record that still waits. */
  next: number
  /** Epoch milliseconds. */
  readonly deadline: number
  readonly resolve: ((metadata: RecordMetadata) => void) | null
  readonly reject: ((error: KafkaError) => void) | null
  /** Instead of `resolve` and `reject` for a `sendAll`, and for a `post` without a callback. */
  readonly delivery: RangeDelivery | null
  flushes: FlushWait[] | null
  /** Ends the wait; null without one. */
  readonly signal: AbortSignal | null
  onAbort: (() => void) | null
  /** Whether it was taken out of its line. */
  isOver: boolean
}

export function waitingSend(
  records: readonly RecordInput[],
  deadline: number,
  resolve: WaitingSend['resolve'],
  reject: WaitingSend['reject'],
  delivery: RangeDelivery | null,
  signal: AbortSignal | null,
): WaitingSend {
  return { records, next: 0, deadline, resolve, reject, delivery, flushes: null, signal, onAbort: null, isOver: false }
}

/** A `post` that waits. */
export function waitingPost(
  record: RecordInput,
  deadline: number,
  posts: RangeDelivery,
  onDelivery: DeliveryCallback | undefined,
): WaitingSend {
  if (onDelivery === undefined) return waitingSend([record], deadline, null, null, posts, null)
  const tell: DeliveryCallback = (error, metadata) => {
    try {
      onDelivery(error, metadata)
    } catch (fault) {
      reportFault(fault)
    }
  }
  const resolve = (metadata: RecordMetadata): void => tell(null, metadata)
  const reject = (error: KafkaError): void => tell(error, null)
  return waitingSend([record], deadline, resolve, reject, null, null)
}

/** Ends a send whose remaining records cannot be sent. */
export function failWaitingSend(send: WaitingSend, error: KafkaError): void {
  if (send.delivery === null) send.reject!(error)
  else send.delivery.fail(error, send.records.length - send.next)
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
