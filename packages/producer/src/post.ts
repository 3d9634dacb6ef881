import { ConfigError } from '@millrace/protocol'
import type { Acknowledgement } from './acknowledgement.ts'
import type { DeliveryCallback } from './delivery.ts'
import { publishRefused } from './diagnostics.ts'
import { asRecordError, checkIsRecord, topicOf, type ProducerRecord, type RecordInput } from './record.ts'
import { isClear, wait, type SendPath } from './send-path.ts'
import type { ProducerTopic } from './topic-backlog.ts'
import { postOutcome, waitingSend } from './waiting-sends.ts'

/**
 * One record without a promise. False: it waits.
 * @param topic null: the record names it
 * @throws {KafkaError} what is known at once
 */
export function post(
  path: SendPath,
  topic: string | null,
  record: RecordInput<unknown, unknown>,
  onDelivery: DeliveryCallback | undefined,
): boolean {
  if (onDelivery !== undefined && typeof onDelivery !== 'function')
    throw new ConfigError('onDelivery', onDelivery, 'a function of error and metadata')
  checkIsRecord(record)
  const name = topic ?? topicOf(record as ProducerRecord<unknown, unknown>)
  if (path.intake !== null) return postTaken(path, name, record, onDelivery)
  try {
    return put(path, name, record as RecordInput, onDelivery, null)
  } catch (reason) {
    const error = asRecordError(reason, name)
    publishRefused(name, 1, error)
    throw error
  }
}

function postTaken(
  path: SendPath,
  name: string,
  input: RecordInput<unknown, unknown>,
  onDelivery: DeliveryCallback | undefined,
): boolean {
  const taken = path.intake!.take(input, name)
  const { topic, acknowledgement } = taken
  try {
    if (taken.error !== null) throw taken.error
    return put(path, topic, taken.record, onDelivery, acknowledgement)
  } catch (reason) {
    const error = asRecordError(reason, topic)
    acknowledgement?.failed(error)
    publishRefused(topic, 1, error)
    throw error
  }
}

function put(
  path: SendPath,
  name: string,
  record: RecordInput,
  onDelivery: DeliveryCallback | undefined,
  acknowledgement: Acknowledgement | null,
): boolean {
  path.checkOpen()
  const topic = path.backlog.topic(name)
  path.appender.check(record, name)
  const now = path.clock.now()
  if (isClear(topic)) {
    const timestamp = record.timestamp ?? now
    const batch = path.appender.append(topic.queues, record, now, timestamp)
    if (batch !== null) {
      if (acknowledgement !== null) batch.deliveries.addAcknowledgement(batch.recordCount - 1, timestamp, acknowledgement)
      if (onDelivery === undefined) batch.deliveries.addSpan(topic.posts, batch.recordCount - 1)
      else batch.deliveries.addCallback(batch.recordCount - 1, timestamp, onDelivery)
      if (batch.recordCount === 1) path.schedule()
      return true
    }
  }
  putLater(path, topic, record, now, onDelivery, acknowledgement)
  return false
}

function putLater(
  path: SendPath,
  topic: ProducerTopic,
  record: RecordInput,
  now: number,
  onDelivery: DeliveryCallback | undefined,
  acknowledgement: Acknowledgement | null,
): void {
  wait(
    path,
    waitingSend({
      topic: topic.queues.name,
      records: [record],
      deadline: now + path.maxBlockMs,
      acknowledgements: acknowledgement === null ? null : [acknowledgement],
      ...postOutcome(topic.posts, onDelivery),
    }),
  )
}
