import type { KafkaError } from '@millrace/protocol'
import { messageOf } from '@millrace/protocol/internal'
import { Acknowledgement } from './acknowledgement.ts'
import type { ProducerConfig } from './config.ts'
import { SerializationError } from './errors.ts'
import type { EventSource } from './events.ts'
import { Interceptors } from './interceptor.ts'
import {
  asRecordError,
  checkIsRecord,
  checkTopicName,
  headerPairs,
  type Bytes,
  type ProducerRecord,
  type RecordInput,
} from './record.ts'
import { kindOf, type MutableHeaders, type Serializer } from './serializer.ts'
import { addTraceContext, type TraceContextInjector } from './trace-context.ts'

const NOTHING: RecordInput = { value: null }

/** A record that interceptors and serializers are done with. */
export interface TakenRecord {
  readonly topic: string
  /** With a key and a value that are bytes; useless if there is an error. */
  readonly record: RecordInput
  /** Why it cannot be sent. */
  readonly error: KafkaError | null
  /** Null without interceptors. */
  readonly acknowledgement: Acknowledgement | null
}

/** What a record passes on its way in: interceptors, then the trace context, then the serializers; so a partitioner sees bytes. */
export class RecordIntake {
  readonly #interceptors: Interceptors | null
  readonly #inject: TraceContextInjector | null
  readonly #keySerializer: Serializer<unknown> | null
  readonly #valueSerializer: Serializer<unknown> | null
  readonly #events: EventSource
  #lastTopic = ''

  private constructor(config: ProducerConfig, events: EventSource) {
    const { interceptors, injectTraceContext, keySerializer, valueSerializer } = config
    this.#interceptors = interceptors.length === 0 ? null : new Interceptors(interceptors, events)
    this.#inject = injectTraceContext
    this.#keySerializer = keySerializer
    this.#valueSerializer = valueSerializer
    this.#events = events
  }

  /** Null when records are sent as they come, which then costs nothing. */
  static of(config: ProducerConfig, events: EventSource): RecordIntake | null {
    const { interceptors, injectTraceContext, keySerializer, valueSerializer } = config
    const hooks = [keySerializer, valueSerializer, injectTraceContext]
    return interceptors.length === 0 && hooks.every((hook) => hook === null) ? null : new RecordIntake(config, events)
  }

  get hasInterceptors(): boolean {
    return this.#interceptors !== null
  }

  /** Never throws: what is wrong is in the result. */
  take(input: RecordInput<unknown, unknown>, topic: string): TakenRecord {
    let given: ProducerRecord<unknown, unknown>
    try {
      checkIsRecord(input)
      given = withTopic(input, topic)
    } catch (error) {
      return { topic, record: NOTHING, error: asRecordError(error, topic), acknowledgement: null }
    }
    const record = this.#interceptors === null ? given : this.#interceptors.onSend(given)
    const headers: MutableHeaders = []
    let bytes = NOTHING
    let error: KafkaError | null = null
    try {
      bytes = this.#toBytes(record, headers)
    } catch (reason) {
      error = asRecordError(reason, record.topic)
    }
    const acknowledgement = this.#interceptors === null ? null : new Acknowledgement(this.#interceptors, record, headers)
    return { topic: record.topic, record: bytes, error, acknowledgement }
  }

  close(): Promise<void> {
    return this.#interceptors === null ? Promise.resolve() : this.#interceptors.close()
  }

  #toBytes(record: ProducerRecord<unknown, unknown>, headers: MutableHeaders): RecordInput {
    const { topic, timestamp, partition } = record
    if (record.headers !== undefined) for (const header of headerPairs(record.headers, topic)) headers.push(header)
    this.#checkTopic(topic)
    if (this.#inject !== null) this.#addTraceContext(headers, this.#inject, record)
    const key = serialized(this.#keySerializer, 'key', record.key, topic, headers)
    const value = serialized(this.#valueSerializer, 'value', record.value, topic, headers)
    return { key, value: value as Bytes, headers: headers.length === 0 ? undefined : headers, timestamp, partition }
  }

  /** Serializers are called with a good topic only. */
  #checkTopic(topic: string): void {
    if (topic === this.#lastTopic) return
    checkTopicName(topic)
    this.#lastTopic = topic
  }

  #addTraceContext(headers: MutableHeaders, inject: TraceContextInjector, record: ProducerRecord<unknown, unknown>): void {
    try {
      addTraceContext(headers, inject, record)
    } catch (error) {
      this.#events.hookFailed({ hook: 'injectTraceContext', interceptor: null, error })
    }
  }
}

function withTopic(record: RecordInput<unknown, unknown>, topic: string): ProducerRecord<unknown, unknown> {
  if ((record as Partial<ProducerRecord>).topic === topic) return record as ProducerRecord<unknown, unknown>
  const { key, value, headers, timestamp, partition } = record
  return { topic, key, value, headers, timestamp, partition }
}

function serialized(
  serializer: Serializer<unknown> | null,
  field: 'key' | 'value',
  data: unknown,
  topic: string,
  headers: MutableHeaders,
): Bytes | undefined {
  // What is no bytes without a serializer is refused when the record is checked.
  if (serializer === null || data === null || data === undefined) return data as Bytes | undefined
  let bytes: unknown
  try {
    bytes = serializer(data, topic, headers)
  } catch (cause) {
    throw new SerializationError(topic, field, messageOf(cause), cause)
  }
  if (typeof bytes === 'string' || bytes === null || bytes instanceof Uint8Array) return bytes
  throw new SerializationError(topic, field, `the serializer gave back ${kindOf(bytes)}, not a Uint8Array, a string or null`)
}
