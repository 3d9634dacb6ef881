import type { KafkaError } from '@millrace/protocol'
import { SendAllDelivery, type SendAllResult } from './delivery.ts'
import type { RecordInput } from './record.ts'
import { isClear, resume, wait, type SendPath } from './send-path.ts'
import { waitingSend } from './waiting-sends.ts'

/** Many records of one topic with one promise. @throws {KafkaError} what is known at once */
export function sendAll(
  path: SendPath,
  name: string,
  records: readonly RecordInput[],
  signal: AbortSignal | null,
  resolve: (result: SendAllResult) => void,
  reject: (error: KafkaError) => void,
): void {
  path.checkOpen()
  const topic = path.backlog.topic(name)
  for (const record of records) path.appender.check(record, name)
  if (records.length === 0) return resolve({ topic: name, recordCount: 0, ranges: [] })
  const delivery = new SendAllDelivery(name, records.length, resolve, reject)
  const now = path.clock.now()
  const send = waitingSend(records, now + path.maxBlockMs, null, null, delivery, signal)
  if (isClear(topic) && resume(path, topic, send, now)) return
  wait(path, send, name)
}
