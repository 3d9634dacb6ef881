import type { KafkaError } from '@millrace/protocol'
import type { Acknowledgement } from './acknowledgement.ts'
import { SendAllDelivery, type RefusedRecord, type SendAllResult } from './delivery.ts'
import { publishRefused } from './diagnostics.ts'
import { asRecordError, invalidRecord, type RecordInput } from './record.ts'
import type { TakenRecord } from './record-intake.ts'
import { isClear, resume, wait, type SendPath } from './send-path.ts'
import { failWaitingSend, refuseWhole, waitingSend, type WaitingSend } from './waiting-sends.ts'

/** The end of the call. */
interface Outcome {
  readonly resolve: (result: SendAllResult) => void
  readonly reject: (error: KafkaError) => void
}

/** Records of one call and what is known of each, in parallel lists. */
interface Given {
  readonly records: readonly RecordInput[]
  /** Null without interceptors and serializers. */
  readonly taken: readonly TakenRecord[] | null
  /** Null without interceptors. */
  readonly acknowledgements: ReadonlyArray<Acknowledgement | null> | null
}

/** Many records of one topic with one promise. @throws {KafkaError} what concerns the call as a whole */
export function sendAll(
  path: SendPath,
  name: string,
  inputs: Iterable<RecordInput<unknown, unknown>>,
  isAllOrNothing: boolean,
  signal: AbortSignal | null,
  outcome: Outcome,
): void {
  const given = take(path, name, listOf(inputs, name))
  try {
    put(path, name, given, isAllOrNothing, signal, outcome)
  } catch (error) {
    for (const acknowledgement of given.acknowledgements ?? []) acknowledgement?.failed(error as KafkaError)
    publishRefused(name, given.records.length, error as KafkaError)
    throw error
  }
}

function put(
  path: SendPath,
  name: string,
  given: Given,
  isAllOrNothing: boolean,
  signal: AbortSignal | null,
  { resolve, reject }: Outcome,
): void {
  path.checkOpen()
  const topic = path.backlog.topic(name)
  const { records, acknowledgements } = given
  if (records.length === 0) return resolve({ topic: name, recordCount: 0, ranges: [] })
  const refused = refusedOf(path, name, given)
  const delivery = new SendAllDelivery(name, records.length, resolve, reject)
  const now = path.clock.now()
  const deadline = now + path.maxBlockMs
  const whole = waitingSend({ topic: name, records, deadline, delivery, signal, acknowledgements, isAllOrNothing })
  if (refused.length > 0 && (isAllOrNothing || refused.length === records.length)) return refuseWhole(whole, refused)
  const send = refused.length === 0 ? whole : without(whole, refused)
  if (isClear(topic) && resume(path, topic, send, now)) return
  // The caller may use its array again while what is in it waits.
  const waiting = send.records === records ? { ...send, records: [...records] } : send
  try {
    wait(path, waiting)
  } catch (error) {
    failWaitingSend(waiting, error as KafkaError)
  }
}

function listOf(inputs: Iterable<RecordInput<unknown, unknown>>, topic: string): ReadonlyArray<RecordInput<unknown, unknown>> {
  if (typeof inputs !== 'object' || inputs === null || typeof inputs[Symbol.iterator] !== 'function')
    throw invalidRecord(topic, 'records', inputs, 'an iterable of records')
  try {
    return Array.isArray(inputs) ? inputs : [...inputs]
  } catch (error) {
    throw asRecordError(error, topic)
  }
}

function take(path: SendPath, topic: string, inputs: ReadonlyArray<RecordInput<unknown, unknown>>): Given {
  const { intake } = path
  if (intake === null) return { records: inputs as readonly RecordInput[], taken: null, acknowledgements: null }
  const taken = inputs.map((input) => intake.take(input, topic))
  const acknowledgements = intake.hasInterceptors ? taken.map(({ acknowledgement }) => acknowledgement) : null
  return { records: taken.map(({ record }) => record), taken, acknowledgements }
}

/** Which records are wrong, and why. */
function refusedOf(path: SendPath, topic: string, { records, taken }: Given): RefusedRecord[] {
  const refused: RefusedRecord[] = []
  for (let index = 0; index < records.length; index++) {
    try {
      if (taken !== null) checkTaken(taken[index]!, topic)
      path.appender.check(records[index]!, topic)
    } catch (error) {
      refused.push({ index, error: asRecordError(error, topic) })
    }
  }
  return refused
}

function checkTaken(taken: TakenRecord, topic: string): void {
  if (taken.error !== null) throw taken.error
  if (taken.topic !== topic) throw invalidRecord(topic, 'topic', taken.topic, 'the one topic of the call')
}

/** Refuses what is wrong, and leaves the others. */
function without(whole: WaitingSend, refused: readonly RefusedRecord[]): WaitingSend {
  const { records, acknowledgements } = whole
  const isRefused = new Set(refused.map(({ index }) => index))
  const indexes = [...records.keys()].filter((index) => !isRefused.has(index))
  for (const { index, error } of refused) {
    publishRefused(whole.topic, 1, error)
    acknowledgements?.[index]?.failed(error)
    whole.delivery!.refuse(error, index)
  }
  return {
    ...whole,
    records: indexes.map((index) => records[index]!),
    acknowledgements: acknowledgements === null ? null : indexes.map((index) => acknowledgements[index] ?? null),
    indexes,
  }
}
