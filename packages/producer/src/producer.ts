import { KafkaError } from '@millrace/protocol'
import {
  aborted,
  ClusterClient,
  nodeEnvironment,
  pickClientOptions,
  type Environment,
  type Timer,
} from '@millrace/client/internal'
import { initProducerIdApi } from '@millrace/protocol/apis/init-producer-id'
import { produceApi, type ProduceResponse } from '@millrace/protocol/apis/produce'
import { Accumulator } from './accumulator.ts'
import { resolveProducerOptions, type ProducerConfig, type ProducerOptions } from './config.ts'
import { SendAllDelivery, type SendAllResult } from './delivery.ts'
import { publishBatch } from './diagnostics.ts'
import { abandonedByClose, producerClosed } from './errors.ts'
import { FlushWait } from './flush-wait.ts'
import { hasTopicIds } from './produce-request.ts'
import type { ProducerBatch } from './producer-batch.ts'
import type { ProducerRecord, RecordInput, RecordMetadata } from './record.ts'
import { RecordAppender } from './record-appender.ts'
import { Sender, type ProduceCall } from './sender.ts'
import { TopicBacklog } from './topic-backlog.ts'
import { arriveAll, type WaitingSend } from './waiting-sends.ts'

const LAST_PRODUCE_VERSION_BY_NAME = 12
const NO_TRANSACTION = { transactionalId: null, transactionTimeoutMs: 0x7fffffff, enable2Pc: false, keepPreparedTxn: false }

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
  readonly #appender: RecordAppender
  readonly #backlog: TopicBacklog
  #isScheduled = false
  #flushing = 0
  #timer: Timer | null = null
  #timerAt = Infinity
  #isRefreshing = false
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
    this.#appender = new RecordAppender(config, this.#accumulator)
    this.#backlog = new TopicBacklog({
      config,
      environment,
      cluster: this.#cluster,
      setLeader: (queue, leader, epoch) => this.#sender.setLeader(queue, leader, epoch),
      resume: (topic, send, now) => this.#resume(topic, send, now),
      changed: () => this.#run(),
    })
    this.#cluster.onMetadata(() => this.#metadataChanged())
  }

  /**
   * Sends one record. The promise has its place once it is stored as `acks` asks.
   * @throws {KafkaError} as a rejection: INVALID_TOPIC_EXCEPTION, INVALID_RECORD, RECORD_TOO_LARGE, UNKNOWN_TOPIC_OR_PARTITION,
   * METADATA_TIMED_OUT, BUFFER_EXHAUSTED, DELIVERY_TIMED_OUT, PRODUCER_CLOSED, or what the broker refused it with
   */
  send(record: ProducerRecord): Promise<RecordMetadata> {
    return new Promise((resolve, reject) => {
      try {
        this.#send(record, resolve, reject)
      } catch (error) {
        reject(error)
      }
    })
  }

  /**
   * Sends many records to one topic with one promise for all. Records of one partition keep their order. Wrong input is refused before any is sent;
   * otherwise, when some fail, `SendAllError` says what was stored nevertheless.
   * @throws {KafkaError} as a rejection: as `send`, and SendAllError
   */
  sendAll(topic: string, records: Iterable<RecordInput>): Promise<SendAllResult> {
    return new Promise((resolve, reject) => {
      try {
        this.#sendAll(topic, Array.isArray(records) ? (records as RecordInput[]) : [...records], resolve, reject)
      } catch (error) {
        reject(error)
      }
    })
  }

  /**
   * Sends at once what lingers, and waits until everything sent before is stored or failed. Failures are for the sends to tell.
   * @throws {KafkaError} ABORTED, as a rejection: by the signal, which ends only the wait
   */
  flush(options: FlushOptions = {}): Promise<void> {
    const { signal } = options
    if (this.#isOver) return Promise.resolve()
    if (signal?.aborted === true) return Promise.reject(aborted(signal))
    this.#flushing++
    let onAbort: (() => void) | undefined
    return new Promise<void>((resolve, reject) => {
      if (signal !== undefined) signal.addEventListener('abort', (onAbort = () => reject(aborted(signal))))
      const wait = new FlushWait(resolve)
      wait.expect(1)
      for (const batch of this.#accumulator.incomplete) addFlush(batch, wait)
      for (const send of this.#backlog.all()) addFlush(send, wait)
      this.#schedule()
      wait.arrived()
    }).finally(() => {
      this.#flushing--
      if (onAbort !== undefined) signal!.removeEventListener('abort', onAbort)
    })
  }

  /** Flushes, for at most `timeoutMs`, then disconnects. What is not stored by then fails with PRODUCER_CLOSED. */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closed ??= this.#close(options.timeoutMs ?? this.#config.deliveryTimeoutMs)
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #send(record: ProducerRecord, resolve: (metadata: RecordMetadata) => void, reject: (error: KafkaError) => void): void {
    this.#checkOpen()
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
    this.#wait(
      { records: [record], next: 0, deadline: now + this.#config.maxBlockMs, resolve, reject, delivery: null, flushes: null },
      record.topic,
    )
  }

  #sendAll(
    name: string,
    records: readonly RecordInput[],
    resolve: (result: SendAllResult) => void,
    reject: (error: KafkaError) => void,
  ): void {
    this.#checkOpen()
    const topic = this.#backlog.topic(name)
    for (const record of records) this.#appender.check(record, name)
    if (records.length === 0) return resolve({ topic: name, recordCount: 0, ranges: [] })
    const delivery = new SendAllDelivery(name, records.length, resolve, reject)
    const now = this.#environment.clock.now()
    const deadline = now + this.#config.maxBlockMs
    const send: WaitingSend = { records, next: 0, deadline, resolve: null, reject: null, delivery, flushes: null }
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
    this.#perform()
    this.#backlog.run(now)
    if (this.#backlog.isShortOfMemory && this.#accumulator.openCount > 0) this.#schedule()
    this.#arm(now)
  }

  #perform(): void {
    const { effects } = this.#sender
    for (const { batch, outcome } of effects.settled.splice(0)) {
      batch.deliveries.settle(outcome)
      arriveAll(batch.flushes)
      publishBatch(batch, outcome)
    }
    for (const batch of this.#accumulator.toCompress.splice(0)) void this.#compress(batch)
    for (const call of effects.calls.splice(0)) this.#call(call)
    if (effects.initProducerId) {
      effects.initProducerId = false
      void this.#initProducerId()
    }
    if (effects.staleTopics.size > 0 && !this.#isRefreshing) void this.#refresh()
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

  #call(call: ProduceCall): void {
    const { acks, requestTimeoutMs } = this.#config
    const maxVersion = hasTopicIds(call.request) ? undefined : LAST_PRODUCE_VERSION_BY_NAME
    const options = { role: 'produce', timeoutMs: requestTimeoutMs, noResponse: acks === 0, maxVersion }
    this.#cluster.request(call.node, produceApi, call.request, options).then(
      (response) => {
        const answer = acks === 0 ? null : response
        this.#sender.produced(call, answer, this.#environment.clock.now())
        if (answer !== null) this.#learnLeaders(call, answer)
        this.#run()
      },
      (error: unknown) => {
        this.#sender.produceFailed(call, asKafkaError(error), this.#environment.clock.now())
        this.#run()
      },
    )
  }

  /** KIP-951: what the refusal says about leaders goes to the metadata, with their addresses. */
  #learnLeaders(call: ProduceCall, response: ProduceResponse): void {
    for (const { nodeId, host, port, rack } of response.nodeEndpoints) {
      const node = { id: nodeId, host, port, rack }
      for (const { queue } of call.batches) {
        if (queue.leader === nodeId)
          this.#cluster.applyLeaderHint(queue.topic.name, queue.partition, nodeId, queue.leaderEpoch, node)
      }
    }
  }

  async #compress(batch: ProducerBatch): Promise<void> {
    try {
      batch.compressed(await batch.builder!.sealAsync({ compression: this.#config.compressionType }))
    } catch (error) {
      this.#sender.compressionFailed(batch, asKafkaError(error))
    }
    this.#run()
  }

  async #initProducerId(): Promise<void> {
    try {
      const request = { ...NO_TRANSACTION, producerId: -1n, producerEpoch: -1 }
      const response = await this.#cluster.send(initProducerIdApi, request, 'any', { timeoutMs: this.#config.deliveryTimeoutMs })
      if (response.errorCode === 0) this.#sender.producerIdReceived(Number(response.producerId), response.producerEpoch)
      else this.#sender.producerIdRefused(response.errorCode)
    } catch (error) {
      const failure = asKafkaError(error)
      if (!failure.retriable || failure.fatal) this.#sender.failAll(failure)
      else this.#sender.producerIdFailed(failure)
    }
    if (this.#sender.identity.state === 'missing') await this.#pause()
    this.#run()
  }

  /** Asks for the metadata of topics whose leaders are wrong or unknown: at once, then not again before a backoff. */
  async #refresh(): Promise<void> {
    const { staleTopics } = this.#sender.effects
    const topics = [...staleTopics]
    staleTopics.clear()
    this.#isRefreshing = true
    try {
      await this.#cluster.refreshMetadata(topics)
    } catch {
      // Batches that wait for a leader time out with what they failed with; the next run asks again.
      for (const topic of topics) staleTopics.add(topic)
    }
    await this.#pause()
    this.#isRefreshing = false
    this.#run()
  }

  #pause(): Promise<void> {
    return this.#cluster.sleep(this.#config.retryBackoffMs).catch(() => {})
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
    this.#perform()
    this.#isOver = true
    this.#timer?.cancel()
    await this.#cluster.close()
  }
}

function addFlush(pending: { flushes: FlushWait[] | null }, wait: FlushWait): void {
  if (pending.flushes?.includes(wait)) return
  wait.expect(1)
  if (pending.flushes === null) pending.flushes = [wait]
  else pending.flushes.push(wait)
}

function asKafkaError(error: unknown): KafkaError {
  if (error instanceof KafkaError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new KafkaError('UNEXPECTED_ERROR', message, { cause: error })
}
