import type { DeliveryCallback } from './delivery.ts'
import type { RecordInput } from './record.ts'
import { isClear, wait, type SendPath } from './send-path.ts'
import { waitingPost } from './waiting-sends.ts'

/** One record without a promise. False: it waits. @throws {KafkaError} what is known at once */
export function post(path: SendPath, name: string, record: RecordInput, onDelivery: DeliveryCallback | undefined): boolean {
  path.checkOpen()
  const topic = path.backlog.topic(name)
  path.appender.check(record, name)
  const now = path.clock.now()
  if (isClear(topic)) {
    const timestamp = record.timestamp ?? now
    const batch = path.appender.append(topic.queues, record, now, timestamp)
    if (batch !== null) {
      if (onDelivery === undefined) batch.deliveries.addSpan(topic.posts, batch.recordCount - 1)
      else batch.deliveries.addCallback(batch.recordCount - 1, timestamp, onDelivery)
      if (batch.recordCount === 1) path.schedule()
      return true
    }
  }
  wait(path, waitingPost(record, now + path.maxBlockMs, topic.posts, onDelivery), name)
  return false
}
