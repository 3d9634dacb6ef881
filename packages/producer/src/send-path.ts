import type { Clock } from '@millrace/client/internal'
import { waitForFlush } from './flush-wait.ts'
import type { KafkaError } from '@millrace/protocol'
import type { MetricsRecorder } from './producer-metrics.ts'
import type { ProducerBatch } from './producer-batch.ts'
import type { RecordAppender } from './record-appender.ts'
import type { ProducerTopic, TopicBacklog } from './topic-backlog.ts'
import { arriveAll, type WaitingSend } from './waiting-sends.ts'

/** What every way to send works with. */
export interface SendPath {
  readonly appender: RecordAppender
  readonly backlog: TopicBacklog
  readonly clock: Clock
  readonly maxBlockMs: number
  readonly metrics: MetricsRecorder
  /** @throws {KafkaError} when nothing can be sent any more */
  checkOpen(): void
  /** There is something new that the sender should look at, soon. */
  schedule(): void
}

/** Whether records for the topic can go into batches now, none before them waiting. */
export function isClear(topic: ProducerTopic): boolean {
  return topic.waiting.length === 0 && topic.queues.partitions.length > 0
}

/** Has a send wait for metadata or memory. */
export function wait(path: SendPath, send: WaitingSend, topic: string): void {
  path.backlog.add(topic, send)
  path.schedule()
}

/** Goes on with a send where it stopped; true when no record of it is left. */
export function resume(path: SendPath, topic: ProducerTopic, send: WaitingSend, now: number): boolean {
  const { records, delivery } = send
  const first = send.next
  while (send.next < records.length) {
    const record = records[send.next]!
    const timestamp = record.timestamp ?? now
    let batch: ProducerBatch | null
    try {
      batch = path.appender.append(topic.queues, record, now, timestamp)
    } catch (error) {
      send.next++
      path.metrics.failed(1, now)
      if (delivery === null) send.reject!(error as KafkaError)
      else delivery.fail(error as KafkaError, 1)
      continue
    }
    if (batch === null) {
      if (send.next > first) path.schedule()
      return false
    }
    if (delivery === null) batch.deliveries.addOne(batch.recordCount - 1, timestamp, send.resolve!, send.reject!)
    else batch.deliveries.addSpan(delivery, batch.recordCount - 1)
    if (send.flushes !== null) for (const flush of send.flushes) waitForFlush(batch, flush)
    send.next++
  }
  arriveAll(send.flushes)
  path.schedule()
  return true
}
