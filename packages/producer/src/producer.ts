import type { Writable } from 'node:stream'
import type { WritableStream } from 'node:stream/web'
import { booleanOption, integerOption, nodeEnvironment, type Environment } from '@millrace/client/internal'
import { signalOf } from './abort.ts'
import type { ProducerOptions, RequiredSerializers } from './config.ts'
import type { DeliveryCallback, SendAllResult } from './delivery.ts'
import type { ProducerEvents } from './events.ts'
import { post } from './post.ts'
import { ProducerEngine } from './producer-engine.ts'
import type { ProducerMetrics } from './producer-metrics.ts'
import type { Bytes, ProducerRecord, RecordInput, RecordMetadata } from './record.ts'
import { sinkOfRecords, sinkOfTopic } from './record-sinks.ts'
import { sendAll } from './send-all.ts'
import { sendOne } from './send-one.ts'
import { nodeWritable, webWritable } from './writable.ts'

export interface SendOptions {
  /**
   * Ends the wait for metadata or for buffer memory: what still waits then fails with `ABORTED`. Records that have their place in a batch
   * go on to their outcome: nobody can call back what may be with the broker.
   */
  readonly signal?: AbortSignal | undefined
}

export interface SendAllOptions extends SendOptions {
  /**
   * Whether one record that is wrong keeps all from being sent, rather than only itself. It is about what the producer refuses: what the broker
   * refuses later, or a partitioner of your own, is not undone. Default false.
   */
  readonly allOrNothing?: boolean | undefined
}

export interface ReadyOptions {
  readonly signal?: AbortSignal | undefined
}

export interface FlushOptions {
  readonly signal?: AbortSignal | undefined
}

export interface CloseOptions {
  /** How long records that were sent may take to be stored; those that are not by then fail. Default: `deliveryTimeoutMs`. */
  readonly timeoutMs?: number
}

/**
 * Sends records to topics. Records gather in batches per partition for up to `lingerMs`; by default every record is stored
 * once and in order, whatever fails and is retried in between (acks all, idempotent). Nothing connects before the first send; from then on it keeps
 * the process running until it is closed.
 *
 * Keys and values are strings or bytes, or, with `keySerializer` and `valueSerializer`, what those take. A record and its bytes must not be
 * changed before their send has its outcome.
 */
export class Producer<Key = Bytes, Value = Bytes> implements AsyncDisposable {
  readonly #engine: ProducerEngine

  /**
   * @param environment for sibling packages: time, chance and network
   * @throws {ConfigError} naming the option, its value and what is allowed
   */
  constructor(
    options: ProducerOptions<Key, Value> & RequiredSerializers<Key, Value>,
    environment: Environment = nodeEnvironment,
  ) {
    this.#engine = new ProducerEngine(options as unknown as ProducerOptions<never, never>, environment)
  }

  /**
   * Sends one record. The promise has its place once it is stored as `acks` asks.
   * @throws {KafkaError} as a rejection: INVALID_TOPIC_EXCEPTION, INVALID_RECORD, SERIALIZATION_FAILED, RECORD_TOO_LARGE,
   * UNKNOWN_TOPIC_OR_PARTITION, PARTITIONER_FAILED, METADATA_TIMED_OUT, BUFFER_EXHAUSTED, ABORTED, DELIVERY_TIMED_OUT, PRODUCER_CLOSED, or what
   * the broker refused it with
   */
  send(record: ProducerRecord<Key, Value>, options?: SendOptions): Promise<RecordMetadata> {
    return new Promise((resolve, reject) => {
      try {
        sendOne(this.#engine, record, signalOf(options?.signal), resolve, reject)
      } catch (error) {
        reject(error)
      }
    })
  }

  /**
   * Sends many records to one topic with one promise for all. Records of one partition keep their order. A record that is wrong is refused, as by `send`,
   * and the others go on, unless `allOrNothing` says otherwise. When any failed, `SendAllError` says which were refused and what was stored
   * nevertheless, once all have their outcome.
   * @throws {KafkaError} as a rejection: SendAllError; INVALID_TOPIC_EXCEPTION, INVALID_RECORD, ABORTED or PRODUCER_CLOSED when the whole call is refused
   */
  sendAll(topic: string, records: Iterable<RecordInput<Key, Value>>, options: SendAllOptions = {}): Promise<SendAllResult> {
    return new Promise((resolve, reject) => {
      try {
        const allOrNothing = booleanOption(options, 'allOrNothing', false)
        sendAll(this.#engine, topic, records, allOrNothing, signalOf(options.signal), { resolve, reject })
      } catch (error) {
        reject(error)
      }
    })
  }

  /**
   * Sends one record without a promise: what becomes of it goes to `onDelivery`, or, if it fails and there is none, to the event
   * `deliveryFailed`. What is known at once is thrown instead. False: it waits for metadata or memory, and so would the next one;
   * `ready` tells when to go on.
   * @throws {KafkaError} INVALID_TOPIC_EXCEPTION, INVALID_RECORD, SERIALIZATION_FAILED, RECORD_TOO_LARGE, UNKNOWN_TOPIC_OR_PARTITION,
   * PARTITIONER_FAILED, PRODUCER_CLOSED, BUFFER_EXHAUSTED when a million wait already
   */
  post(record: ProducerRecord<Key, Value>, onDelivery?: DeliveryCallback): boolean {
    return post(this.#engine, null, record, onDelivery)
  }

  /**
   * A Web stream that sends what is written to it: records of one topic, or records that name theirs. A write waits for metadata and memory;
   * `close` waits until all are stored, and the first record that fails ends the stream with its error. Aborting it calls nothing back.
   * @throws {KafkaError} INVALID_TOPIC_EXCEPTION
   */
  writable(): WritableStream<ProducerRecord<Key, Value>>
  writable(topic: string): WritableStream<RecordInput<Key, Value>>
  writable(topic?: string): WritableStream<ProducerRecord<Key, Value>> | WritableStream<RecordInput<Key, Value>> {
    return topic === undefined ? webWritable(sinkOfRecords(this.#engine)) : webWritable(sinkOfTopic(this.#engine, topic))
  }

  /** As `writable`, as a Node stream in object mode: its end waits until all are stored, and a failure destroys it. */
  nodeWritable(topic?: string): Writable {
    return topic === undefined ? nodeWritable(sinkOfRecords(this.#engine)) : nodeWritable(sinkOfTopic(this.#engine, topic))
  }

  /**
   * When no send waits for metadata or memory any more: time to `post` on.
   * @throws {KafkaError} ABORTED, as a rejection: by the signal
   */
  ready(options: ReadyOptions = {}): Promise<void> {
    return this.#engine.ready(options.signal)
  }

  /** What the producer did and holds now, under Java's names. */
  metrics(): ProducerMetrics {
    return this.#engine.metrics.read(this.#engine.clock.now())
  }

  /**
   * Calls `listener` at each such event until the returned function is called.
   * @throws {ConfigError} for an event that does not exist
   */
  on<Name extends keyof ProducerEvents>(event: Name, listener: (event: ProducerEvents[Name]) => void): () => void {
    return this.#engine.events.on(event, listener)
  }

  /**
   * Sends at once what lingers, and waits until everything sent before is stored or failed. Failures are for the sends to tell.
   * @throws {KafkaError} ABORTED, as a rejection: by the signal, which ends only the wait
   */
  flush(options: FlushOptions = {}): Promise<void> {
    return this.#engine.flush(options.signal)
  }

  /**
   * Flushes, for at most `timeoutMs`, then disconnects, then closes the interceptors. What is not stored by then fails with PRODUCER_CLOSED.
   * @throws {ConfigError} as a rejection: for a time that is none; the producer is not closed then
   */
  async close(options: CloseOptions = {}): Promise<void> {
    await this.#engine.close(integerOption(options, 'timeoutMs', this.#engine.config.deliveryTimeoutMs, 0))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
