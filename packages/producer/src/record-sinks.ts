import type { ProducerRecord, RecordInput } from './record.ts'
import { post } from './post.ts'
import type { SendPath } from './send-path.ts'
import type { RecordSink } from './writable.ts'

interface Waits {
  ready(signal: AbortSignal | undefined): Promise<void>
  flush(): Promise<void>
}

/** Takes records that name their topic. */
export function sinkOfRecords(engine: SendPath & Waits): RecordSink<ProducerRecord<unknown, unknown>> {
  return {
    post: (record, onDelivery) => post(engine, null, record, onDelivery),
    ready: () => engine.ready(undefined),
    flush: () => engine.flush(),
  }
}

/** Takes records for one topic. @throws {KafkaError} INVALID_TOPIC_EXCEPTION */
export function sinkOfTopic(engine: SendPath & Waits, topic: string): RecordSink<RecordInput<unknown, unknown>> {
  engine.backlog.topic(topic)
  return { ...sinkOfRecords(engine), post: (record, onDelivery) => post(engine, topic, record, onDelivery) }
}
