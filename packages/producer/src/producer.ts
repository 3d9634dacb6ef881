import type { Writable } from 'node:stream'
import type { WritableStream } from 'node:stream/web'
import { ConfigError, type KafkaError } from '@millrace/protocol'
import { ClusterClient, nodeEnvironment, pickClientOptions, type Environment, type Timer } from '@millrace/client/internal'
import { endedBy, signalOf } from './abort.ts'
import { Accumulator } from './accumulator.ts'
import { resolveProducerOptions, type ProducerConfig, type ProducerOptions } from './config.ts'
import { SendAllDelivery, type DeliveryCallback, type SendAllResult } from './delivery.ts'
import { EffectRunner } from './effect-runner.ts'
import { abandonedByClose, producerClosed } from './errors.ts'
import { EventSource, type ProducerEvents } from './events.ts'
import { FlushWait } from './flush-wait.ts'
import type { ProducerBatch } from './producer-batch.ts'
import { MetricsRecorder, type ProducerMetrics } from './producer-metrics.ts'
import { checkIsRecord, type ProducerRecord, type RecordInput, type RecordMetadata } from './record.ts'
import { RecordAppender } from './record-appender.ts'
import { Sender } from './sender.ts'
import { TopicBacklog } from './topic-backlog.ts'
import { arriveAll, waitingPost, waitingSend, type WaitingSend } from './waiting-sends.ts'
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
  readonly #config: ProducerConfig
  readonly #environment: Environment
  readonly #cluster: ClusterClient
  readonly #accumulator: Accumulator
  readonly #sender: Sender
  readonly #runner: EffectRunner
  readonly #appender: RecordAppender
  readonly #backlog: TopicBacklog
  readonly #metrics: MetricsRecorder
  readonly #events: EventSource = new EventSource()
  #isScheduled = false
  #flushing = 0
  #awaitingReady: Array<() => void> = []
  #timer: Timer | null = null
  #timerAt = Infinity
  #closed: Promise<void> | null = null
  #isOver = false

  /**
   * @param environment for sibling packages: time, chance and network
   * @throws {ConfigError} naming the option, its value and what is allowed
   */
  constructor(options: ProducerOptions, environment: Environment = nodeEnvironment) {
    const config = resolveProducerOptions(options)
    this.#config = config
    this.#environment = environment
    this.#cluster = new ClusterClient({ ...pickClientOptions(options), allowAutoCreateTopics: true }, environment)
    this.#accumulator = new Accumulator({ ...config, compress: config.compressionType !== 'none' })
    this.#sender = new Sender(config, this.#accumulator, () => environment.random())
    this.#metrics = new MetricsRecorder(config.bufferMemory, this.#accumulator)
    this.#runner = new EffectRunner({
      config,
      environment,
      cluster: this.#cluster,
      accumulator: this.#accumulator,
      sender: this.#sender,
      metrics: this.#metrics,
      changed: () => this.#run(),
    })
    this.#appender = new RecordAppender(config, this.#accumulator)
    this.#backlog = new TopicBacklog({
      config,
      environment,
      cluster: this.#cluster,
      events: this.#events,
      availability: this.#sender.availability,
      metrics: this.#metrics,
      setLeader: (queue, leader, epoch) => this.#sender.setLeader(queue, leader, epoch),
      resume: (topic, send, now) => this.#resume(topic, send, now),
      changed: () => this.#run(),
    })
    this.#cluster.onMetadata(() => this.#metadataChanged())
  }

  /**
   * Sends one record. The promise has its place once it is stored as `acks` asks.
   * @throws {KafkaError} as a rejection: INVALID_TOPIC_EXCEPTION, INVALID_RECORD, RECORD_TOO_LARGE, UNKNOWN_TOPIC_OR_PARTITION,
   * METADATA_TIMED_OUT, BUFFER_EXHAUSTED, ABORTED, DELIVERY_TIMED_OUT, PRODUCER_CLOSED, or what the broker refused it with
   */
  send(record: ProducerRecord, options?: SendOptions): Promise<RecordMetadata> {
    return new Promise((resolve, reject) => {
      try {
        this.#send(record, signalOf(options?.signal), resolve, reject)
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
        this.#sendAll(topic, list, signalOf(options?.signal), resolve, reject)
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
    return this.#post(record.topic, record, onDelivery)
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
    this.#backlog.topic(topic)
    return { ...this.#sink(), post: (record, onDelivery) => this.#post(topic, record, onDelivery) }
  }

  #post(name: string, record: RecordInput, onDelivery: DeliveryCallback | undefined): boolean {
    this.#checkOpen()
    const topic = this.#backlog.topic(name)
    this.#appender.check(record, name)
    const now = this.#environment.clock.now()
    let batch: ProducerBatch | null = null
    if (topic.waiting.length === 0 && topic.queues.partitions.length > 0) {
      const timestamp = record.timestamp ?? now
      batch = this.#appender.append(topic.queues, record, now, timestamp)
      if (batch !== null) {
        if (onDelivery === undefined) batch.deliveries.addSpan(topic.posts, batch.recordCount - 1)
        else batch.deliveries.addCallback(batch.recordCount - 1, timestamp, onDelivery)
        if (batch.recordCount === 1) this.#schedule()
        return true
      }
    }
    this.#wait(waitingPost(record, now + this.#config.maxBlockMs, topic.posts, onDelivery), name)
    return false
  }

  /**
   * When no send waits for metadata or memory any more: time to `post` on.
   * @throws {KafkaError} ABORTED, as a rejection: by the signal
   */
  ready(options: ReadyOptions = {}): Promise<void> {
    return endedBy(options.signal, (resolve) => {
      if (this.#backlog.count === 0) resolve()
      else this.#awaitingReady.push(resolve)
    })
  }

  /** What the producer did and holds now, under Java's names. */
  metrics(): ProducerMetrics {
    return this.#metrics.read(this.#environment.clock.now())
  }

  /** Calls `listener` at each such event until the returned function is called. */
  on<Name extends keyof ProducerEvents>(event: Name, listener: (event: ProducerEvents[Name]) => void): () => void {
    return this.#events.on(event, listener)
  }

  /**
   * Sends at once what lingers, and waits until everything sent before is stored or failed. Failures are for the sends to tell.
   * @throws {KafkaError} ABORTED, as a rejection: by the signal, which ends only the wait
   */
  flush(options: FlushOptions = {}): Promise<void> {
    if (this.#isOver) return Promise.resolve()
    this.#flushing++
    return endedBy(options.signal, (resolve) => {
      const wait = new FlushWait(resolve)
      wait.expect(1)
      for (const batch of this.#accumulator.incomplete) addFlush(batch, wait)
      for (const send of this.#backlog.all()) addFlush(send, wait)
      this.#schedule()
      wait.arrived()
    }).finally(() => this.#flushing--)
  }

  /** Flushes, for at most `timeoutMs`, then disconnects. What is not stored by then fails with PRODUCER_CLOSED. */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closed ??= this.#close(options.timeoutMs ?? this.#config.deliveryTimeoutMs)
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #send(
    record: ProducerRecord,
    signal: AbortSignal | null,
    resolve: (metadata: RecordMetadata) => void,
    reject: (error: KafkaError) => void,
  ): void {
    this.#checkOpen()
    checkIsRecord(record)
    const topic = this.#backlog.topic(record.topic)
    this.#appender.check(record, record.topic)
    const now = this.#environment.clock.now()
    if (topic.waiting.length === 0 && topic.queues.partitions.length > 0) {
      const timestamp = record.timestamp ?? now
      const batch = this.#appender.append(topic.queues, record, now, timestamp)
      if (batch !== null) {
        batch.deliveries.addOne(batch.recordCount - 1, timestamp, resolve, reject)
        if (batch.recordCount === 1) this.#schedule()
        return
      }
    }
    this.#wait(waitingSend([record], now + this.#config.maxBlockMs, resolve, reject, null, signal), record.topic)
  }

  #sendAll(
    name: string,
    records: readonly RecordInput[],
    signal: AbortSignal | null,
    resolve: (result: SendAllResult) => void,
    reject: (error: KafkaError) => void,
  ): void {
    this.#checkOpen()
    const topic = this.#backlog.topic(name)
    for (const record of records) this.#appender.check(record, name)
    if (records.length === 0) return resolve({ topic: name, recordCount: 0, ranges: [] })
    const delivery = new SendAllDelivery(name, records.length, resolve, reject)
    const now = this.#environment.clock.now()
    const send = waitingSend(records, now + this.#config.maxBlockMs, null, null, delivery, signal)
    if (topic.waiting.length === 0 && topic.queues.partitions.length > 0 && this.#resume(topic, send, now)) return
    this.#wait(send, name)
  }

  /** Goes on with a send where it stopped; true when no record of it is left. */
  #resume(topic: { readonly queues: Parameters<RecordAppender['append']>[0] }, send: WaitingSend, now: number): boolean {
    const { records, delivery } = send
    const first = send.next
    while (send.next < records.length) {
      const record = records[send.next]!
      const timestamp = record.timestamp ?? now
      let batch: ProducerBatch | null
      try {
        batch = this.#appender.append(topic.queues, record, now, timestamp)
      } catch (error) {
        send.next++
        this.#metrics.failed(1, now)
        if (delivery === null) send.reject!(error as KafkaError)
        else delivery.fail(error as KafkaError, 1)
        continue
      }
      if (batch === null) {
        if (send.next > first) this.#schedule()
        return false
      }
      if (delivery === null) batch.deliveries.addOne(batch.recordCount - 1, timestamp, send.resolve!, send.reject!)
      else batch.deliveries.addSpan(delivery, batch.recordCount - 1)
      if (send.flushes !== null) for (const flush of send.flushes) addFlush(batch, flush)
      send.next++
    }
    arriveAll(send.flushes)
    this.#schedule()
    return true
  }

  #wait(send: WaitingSend, topic: string): void {
    this.#backlog.add(topic, send)
    this.#schedule()
  }

  #checkOpen(): void {
    if (this.#closed !== null) throw producerClosed()
    if (this.#sender.fatal !== null) throw this.#sender.fatal
  }

  /** Runs once after the current turn, so that what is sent together goes out together. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    void Promise.resolve().then(() => {
      this.#isScheduled = false
      this.#run()
    })
  }

  #run(): void {
    if (this.#isOver) return
    const now = this.#environment.clock.now()
    if (this.#flushing > 0 || this.#backlog.isShortOfMemory) this.#accumulator.closeAll()
    this.#sender.poll(now)
    this.#runner.perform()
    this.#backlog.run(now)
    if (this.#backlog.count === 0) this.#tellReady()
    if (this.#backlog.isShortOfMemory && this.#accumulator.openCount > 0) this.#schedule()
    this.#arm(now)
  }

  #tellReady(): void {
    for (const resolve of this.#awaitingReady.splice(0)) resolve()
  }

  #arm(now: number): void {
    const deadline = Math.min(this.#sender.deadline, this.#backlog.deadline)
    if (deadline >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timer = null
    this.#timerAt = Infinity
    if (deadline === Infinity) return
    this.#timerAt = deadline
    this.#timer = this.#environment.clock.after(Math.max(0, deadline - now), () => {
      this.#timerAt = Infinity
      this.#timer = null
      this.#run()
    })
  }

  #metadataChanged(): void {
    this.#backlog.updateTopics()
    this.#run()
  }

  async #close(timeoutMs: number): Promise<void> {
    const late = Promise.withResolvers<void>()
    const timer = this.#environment.clock.after(timeoutMs, late.resolve)
    await Promise.race([this.flush(), late.promise])
    timer.cancel()
    const error = abandonedByClose(timeoutMs)
    this.#sender.failAll(error)
    this.#backlog.failAll(error)
    this.#runner.perform()
    this.#isOver = true
    this.#tellReady()
    this.#timer?.cancel()
    await this.#cluster.close()
  }
}

function checkCallback(onDelivery: unknown): void {
  if (onDelivery !== undefined && typeof onDelivery !== 'function')
    throw new ConfigError('onDelivery', onDelivery, 'a function of error and metadata')
}

function addFlush(pending: { flushes: FlushWait[] | null }, wait: FlushWait): void {
  if (pending.flushes?.includes(wait)) return
  wait.expect(1)
  if (pending.flushes === null) pending.flushes = [wait]
  else pending.flushes.push(wait)
}
