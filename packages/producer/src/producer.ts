import type { Writable } from 'node:stream'
import type { WritableStream } from 'node:stream/web'
import { nodeEnvironment, type Environment } from '@millrace/client/internal'
import { ConfigError } from '@millrace/protocol'
import { signalOf } from './abort.ts'
import type { ProducerOptions } from './config.ts'
import type { DeliveryCallback, SendAllResult } from './delivery.ts'
import type { ProducerEvents } from './events.ts'
import { post } from './post.ts'
import { ProducerEngine } from './producer-engine.ts'
import type { ProducerMetrics } from './producer-metrics.ts'
import { checkIsRecord, type ProducerRecord, type RecordInput, type RecordMetadata } from './record.ts'
import { sendAll } from './send-all.ts'
import { sendOne } from './send-one.ts'
import { nodeWritable, webWritable, type RecordSink } from './writable.ts'

export interface SendOptions {
  /**
   * Ends the wait for metadata or for buffer memory: what still waits then fails with `ABORTED`. Records that have their place in a batch
   * go on to their outcome: nobody can call back what may be with the broker.
   */
  readonly signal?: AbortSignal | undefined
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
 * once and in order, whatever fails and is retried in between (acks all, idempotent). Nothing connects before the first send.
 */
export class Producer implements AsyncDisposable {
  readonly #engine: ProducerEngine

  /**
   * @param environment for sibling packages: time, chance and network
   * @throws {ConfigError} naming the option, its value and what is allowed
   */
  constructor(options: ProducerOptions, environment: Environment = nodeEnvironment) {
    this.#engine = new ProducerEngine(options, environment)
  }

  /**
   * Sends one record. The promise has its place once it is stored as `acks` asks.
   * @throws {KafkaError} as a rejection: INVALID_TOPIC_EXCEPTION, INVALID_RECORD, RECORD_TOO_LARGE, UNKNOWN_TOPIC_OR_PARTITION,
   * METADATA_TIMED_OUT, BUFFER_EXHAUSTED, ABORTED, DELIVERY_TIMED_OUT, PRODUCER_CLOSED, or what the broker refused it with
   */
  send(record: ProducerRecord, options?: SendOptions): Promise<RecordMetadata> {
    return new Promise((resolve, reject) => {
      try {
        sendOne(this.#engine, record, signalOf(options?.signal), resolve, reject)
      } catch (error) {
        reject(error)
      }
    })
  }

  /**
   * Sends many records to one topic with one promise for all. Records of one partition keep their order. Wrong input is refused before any is sent;
   * otherwise, when some fail, `SendAllError` says what was stored nevertheless. After an abort it comes once the records that were in batches
   * have their outcome.
   * @throws {KafkaError} as a rejection: as `send`, and SendAllError
   */
  sendAll(topic: string, records: Iterable<RecordInput>, options?: SendOptions): Promise<SendAllResult> {
    return new Promise((resolve, reject) => {
      try {
        const list = Array.isArray(records) ? (records as RecordInput[]) : [...records]
        sendAll(this.#engine, topic, list, signalOf(options?.signal), resolve, reject)
      } catch (error) {
        reject(error)
      }
    })
  }

  /**
   * Sends one record without a promise: what becomes of it goes to `onDelivery`, or, if it fails and there is none, to the event
   * `deliveryFailed`. What is known at once is thrown instead. False: it waits for metadata or memory, and so would the next one;
   * `ready` tells when to go on.
   * @throws {KafkaError} INVALID_TOPIC_EXCEPTION, INVALID_RECORD, RECORD_TOO_LARGE, UNKNOWN_TOPIC_OR_PARTITION, PRODUCER_CLOSED,
   * BUFFER_EXHAUSTED when a million wait already
   */
  post(record: ProducerRecord, onDelivery?: DeliveryCallback): boolean {
    checkCallback(onDelivery)
    checkIsRecord(record)
    return post(this.#engine, record.topic, record, onDelivery)
  }

  /**
   * A Web stream that sends what is written to it: records of one topic, or records that name theirs. A write waits for metadata and memory;
   * `close` waits until all are stored, and the first record that fails ends the stream with its error. Aborting it calls nothing back.
   * @throws {KafkaError} INVALID_TOPIC_EXCEPTION
   */
  writable(): WritableStream<ProducerRecord>
  writable(topic: string): WritableStream<RecordInput>
  writable(topic?: string): WritableStream<ProducerRecord> | WritableStream<RecordInput> {
    return topic === undefined ? webWritable(this.#sink()) : webWritable(this.#sinkFor(topic))
  }

  /** As `writable`, as a Node stream in object mode: its end waits until all are stored, and a failure destroys it. */
  nodeWritable(topic?: string): Writable {
    return topic === undefined ? nodeWritable(this.#sink()) : nodeWritable(this.#sinkFor(topic))
  }

  #sink(): RecordSink<ProducerRecord> {
    return {
      post: (record, onDelivery) => this.post(record, onDelivery),
      ready: () => this.ready(),
      flush: () => this.flush(),
    }
  }

  #sinkFor(topic: string): RecordSink<RecordInput> {
    this.#engine.backlog.topic(topic)
    return { ...this.#sink(), post: (record, onDelivery) => post(this.#engine, topic, record, onDelivery) }
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

  /** Calls `listener` at each such event until the returned function is called. */
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

  /** Flushes, for at most `timeoutMs`, then disconnects. What is not stored by then fails with PRODUCER_CLOSED. */
  close(options: CloseOptions = {}): Promise<void> {
    return this.#engine.close(options.timeoutMs ?? this.#engine.config.deliveryTimeoutMs)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function checkCallback(onDelivery: unknown): void {
  if (onDelivery !== undefined && typeof onDelivery !== 'function')
    throw new ConfigError('onDelivery', onDelivery, 'a function of error and metadata')
}
