import type { KafkaError } from '@millrace/protocol'
import { checkIsRecord, type ProducerRecord, type RecordMetadata } from './record.ts'
import { isClear, wait, type SendPath } from './send-path.ts'
import { waitingSend } from './waiting-sends.ts'

/** One record with a promise of its own. @throws {KafkaError} what is known at once */
export function sendOne(
  path: SendPath,
  record: ProducerRecord,
  signal: AbortSignal | null,
  resolve: (metadata: RecordMetadata) => void,
  reject: (error: KafkaError) => void,
): void {
  path.checkOpen()
  checkIsRecord(record)
  const topic = path.backlog.topic(record.topic)
  path.appender.check(record, record.topic)
  const now = path.clock.now()
  if (isClear(topic)) {
    const timestamp = record.timestamp ?? now
    const batch = path.appender.append(topic.queues, record, now, timestamp)
    if (batch !== null) {
      batch.deliveries.addOne(batch.recordCount - 1, timestamp, resolve, reject)
      if (batch.recordCount === 1) path.schedule()
      return
    }
  }
  wait(path, waitingSend([record], now + path.maxBlockMs, resolve, reject, null, signal), record.topic)
}
