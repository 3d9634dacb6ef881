import type { KafkaError } from '@millrace/protocol'
import type { Acknowledgement } from './acknowledgement.ts'
import { publishRefused } from './diagnostics.ts'
import { asRecordError, topicOf, type ProducerRecord, type RecordInput, type RecordMetadata } from './record.ts'
import { isClear, wait, type SendPath } from './send-path.ts'
import { waitingSend } from './waiting-sends.ts'

type Resolve = (metadata: RecordMetadata) => void
type Reject = (error: KafkaError) => void

/** One record with a promise of its own. @throws {KafkaError} INVALID_RECORD for what is no record at all */
export function sendOne(
  path: SendPath,
  input: ProducerRecord<unknown, unknown>,
  signal: AbortSignal | null,
  resolve: Resolve,
  reject: Reject,
): void {
  const named = topicOf(input)
  const taken = path.intake === null ? null : path.intake.take(input, named)
  const topic = taken === null ? named : taken.topic
  const acknowledgement = taken === null ? null : taken.acknowledgement
  try {
    if (taken !== null && taken.error !== null) throw taken.error
    put(path, topic, taken === null ? (input as ProducerRecord) : taken.record, acknowledgement, signal, resolve, reject)
  } catch (reason) {
    const error = asRecordError(reason, topic)
    acknowledgement?.failed(error)
    publishRefused(topic, 1, error)
    reject(error)
  }
}

function put(
  path: SendPath,
  name: string,
  record: RecordInput,
  acknowledgement: Acknowledgement | null,
  signal: AbortSignal | null,
  resolve: Resolve,
  reject: Reject,
): void {
  path.checkOpen()
  const topic = path.backlog.topic(name)
  path.appender.check(record, name)
  const now = path.clock.now()
  if (isClear(topic)) {
    const timestamp = record.timestamp ?? now
    const batch = path.appender.append(topic.queues, record, now, timestamp)
    if (batch !== null) {
      if (acknowledgement !== null) batch.deliveries.addAcknowledgement(batch.recordCount - 1, timestamp, acknowledgement)
      batch.deliveries.addOne(batch.recordCount - 1, timestamp, resolve, reject)
      if (batch.recordCount === 1) path.schedule()
      return
    }
  }
  const acknowledgements = acknowledgement === null ? null : [acknowledgement]
  const deadline = now + path.maxBlockMs
  wait(path, waitingSend({ topic: name, records: [record], deadline, resolve, reject, signal, acknowledgements }))
}
