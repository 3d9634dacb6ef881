import type { Clock } from '@millrace/client/internal'
import type { RefusedRecord } from './delivery.ts'
import { waitForFlush } from './flush-wait.ts'
import type { MetricsRecorder } from './producer-metrics.ts'
import type { ProducerBatch } from './producer-batch.ts'
import type { RecordAppender } from './record-appender.ts'
import { asRecordError } from './record.ts'
import type { RecordIntake } from './record-intake.ts'
import type { ProducerTopic, TopicBacklog } from './topic-backlog.ts'
import { arriveAll, refuseNext, refuseWhole, type WaitingSend } from './waiting-sends.ts'

/** What every way to send works with. */
export interface SendPath {
  readonly appender: RecordAppender
  /** Null when records are sent as they come. */
  readonly intake: RecordIntake | null
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
export function wait(path: SendPath, send: WaitingSend): void {
  path.backlog.add(send.topic, send)
  path.schedule()
}

/** Goes on with a send where it stopped; true when no record of it is left. */
export function resume(path: SendPath, topic: ProducerTopic, send: WaitingSend, now: number): boolean {
  const { records, delivery, acknowledgements } = send
  const first = send.next
  if (first === 0 && send.isAllOrNothing && refuseWrongPartitions(path, topic, send, now)) return true
  while (send.next < records.length) {
    const record = records[send.next]!
    let timestamp: number
    let batch: ProducerBatch | null
    try {
      timestamp = record.timestamp ?? now
      batch = path.appender.append(topic.queues, record, now, timestamp)
    } catch (error) {
      path.metrics.failed(1, now, send.topic)
      refuseNext(send, asRecordError(error, send.topic))
      continue
    }
    if (batch === null) {
      if (send.next > first) path.schedule()
      return false
    }
    if (acknowledgements !== null)
      batch.deliveries.addAcknowledgement(batch.recordCount - 1, timestamp, acknowledgements[send.next]!)
    if (delivery === null) batch.deliveries.addOne(batch.recordCount - 1, timestamp, send.resolve!, send.reject!)
    else batch.deliveries.addSpan(delivery, batch.recordCount - 1)
    if (send.flushes !== null) for (const flush of send.flushes) waitForFlush(batch, flush)
    send.next++
  }
  arriveAll(send.flushes)
  path.schedule()
  return true
}

/** The partitions of a topic are known only when its metadata is. */
function refuseWrongPartitions(path: SendPath, topic: ProducerTopic, send: WaitingSend, now: number): boolean {
  const refused: RefusedRecord[] = []
  for (let index = 0; index < send.records.length; index++) {
    const error = path.appender.wrongPartition(topic.queues, send.records[index]!)
    if (error !== null) refused.push({ index, error })
  }
  if (refused.length === 0) return false
  path.metrics.failed(send.records.length, now, send.topic)
  refuseWhole(send, refused)
  return true
}
