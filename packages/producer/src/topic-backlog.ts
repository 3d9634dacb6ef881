import { KafkaError } from '@millrace/protocol'
import { aborted, type ClusterClient, type Environment } from '@millrace/client/internal'
import { CompressionRatio } from './compression-ratio.ts'
import type { ProducerConfig } from './config.ts'
import { SendTimeoutError } from './errors.ts'
import type { EventSource } from './events.ts'
import { WAITING_SENDS_MAX } from './limits.ts'
import type { NodeAvailability } from './node-availability.ts'
import { PartitionQueue, TopicQueues } from './partition-queue.ts'
import { PostDelivery } from './post-delivery.ts'
import type { MetricsRecorder } from './producer-metrics.ts'
import { checkTopicName } from './record.ts'
import { RoundRobinPartitioner, StickyPartitioner } from './sticky-partitioner.ts'
import { WaitingLine } from './waiting-line.ts'
import { failWaitingSend, stopListening, type WaitingSend } from './waiting-sends.ts'

/** A topic that was sent to, and the sends that wait for its metadata or for memory, first come first served. */
export interface ProducerTopic {
  readonly queues: TopicQueues
  readonly waiting: WaitingLine
  readonly posts: PostDelivery
  /** Whether its metadata is being awaited. */
  isAwaited: boolean
  /** When its partitions became known; Infinity before. */
  knownAt: number
  /** Why its metadata did not come at the last try. */
  lastError: KafkaError | null
}

interface BacklogOptions {
  readonly config: ProducerConfig
  readonly environment: Environment
  readonly cluster: ClusterClient
  readonly events: EventSource
  readonly availability: NodeAvailability
  readonly metrics: MetricsRecorder
  setLeader(queue: PartitionQueue, leader: number, leaderEpoch: number): void
  /** Goes on with a send; false when memory is short. */
  resume(topic: ProducerTopic, send: WaitingSend, now: number): boolean
  /** Something came that `run` should look at. */
  changed(): void
}

/** The producer's topics, their metadata, and the sends that cannot be put into a batch yet. */
export class TopicBacklog {
  readonly #options: BacklogOptions
  readonly #topics = new Map<string, ProducerTopic>()
  readonly #backlogged = new Set<ProducerTopic>()
  #count = 0
  #isShortOfMemory = false

  constructor(options: BacklogOptions) {
    this.#options = options
    options.metrics.ask({ waitingSends: () => this.#count })
  }

  get isShortOfMemory(): boolean {
    return this.#isShortOfMemory
  }

  /** How many sends wait. */
  get count(): number {
    return this.#count
  }

  /** When the first send gives up waiting. */
  get deadline(): number {
    let deadline = Infinity
    for (const topic of this.#backlogged) deadline = Math.min(deadline, topic.waiting.first!.deadline)
    return deadline
  }

  /** @throws {KafkaError} INVALID_TOPIC_EXCEPTION */
  topic(name: string): ProducerTopic {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    checkTopicName(name)
    const { config, environment, events } = this.#options
    const { batchSize, partitioner } = config
    const availability = config.partitionerAdaptivePartitioningEnable ? this.#options.availability : null
    const ratio = new CompressionRatio()
    const unkeyed =
      partitioner === 'roundRobin'
        ? new RoundRobinPartitioner()
        : new StickyPartitioner(batchSize, () => environment.random(), availability, ratio)
    const queues = new TopicQueues(name, unkeyed, ratio)
    const posts = new PostDelivery(name, events)
    const topic: ProducerTopic = {
      queues,
      waiting: new WaitingLine(),
      posts,
      isAwaited: false,
      knownAt: Infinity,
      lastError: null,
    }
    this.#topics.set(name, topic)
    return topic
  }

  /** @throws {SendTimeoutError} BUFFER_EXHAUSTED when too many wait already */
  add(name: string, send: WaitingSend): void {
    if (this.#count >= WAITING_SENDS_MAX) {
      this.#options.metrics.bufferExhausted(send.records.length - send.next, this.#options.environment.clock.now())
      throw new SendTimeoutError(
        'BUFFER_EXHAUSTED',
        name,
        this.#options.config.maxBlockMs,
        `${this.#count} sends wait already; there was no room`,
      )
    }
    const topic = this.#topics.get(name)!
    const { signal } = send
    if (signal !== null) {
      // A partitioner may abort in the middle of going on with this very send.
      send.onAbort = () => void Promise.resolve().then(() => this.#abort(topic, send, signal))
      signal.addEventListener('abort', send.onAbort)
    }
    topic.waiting.push(send)
    this.#count++
    this.#backlogged.add(topic)
  }

  *all(): Iterable<WaitingSend> {
    for (const topic of this.#backlogged) yield* topic.waiting
  }

  /** Puts what can be put into batches there, and gives up what waited too long. */
  run(now: number): void {
    this.#isShortOfMemory = false
    for (const topic of this.#backlogged) {
      this.#expire(topic, now)
      if (topic.queues.partitions.length === 0) this.#await(topic)
      else if (!this.#isShortOfMemory) this.#drain(topic, now)
      if (topic.waiting.length === 0) this.#backlogged.delete(topic)
    }
  }

  failAll(error: KafkaError): void {
    for (const topic of this.#backlogged) this.#failTopic(topic, error)
    this.#backlogged.clear()
  }

  /** Takes over what the cluster's metadata says now. */
  updateTopics(): void {
    this.#options.metrics.metadataCame(this.#options.environment.clock.now())
    for (const topic of this.#topics.values()) this.#update(topic)
  }

  #update(topic: ProducerTopic): void {
    const { cluster, environment } = this.#options
    const { queues } = topic
    const metadata = cluster.topic(queues.name)
    if (metadata === undefined) return
    if (queues.topicId !== '' && queues.topicId !== metadata.id) queues.recreated(metadata.partitions.length)
    queues.topicId = metadata.id
    for (let partition = queues.partitions.length; partition < metadata.partitions.length; partition++) {
      queues.partitions.push(new PartitionQueue(queues, partition))
    }
    if (queues.partitions.length > 0) topic.knownAt = Math.min(topic.knownAt, environment.clock.now())
    for (const known of metadata.partitions) {
      if (known === undefined) continue
      this.#options.setLeader(queues.partitions[known.partition]!, known.leader, known.leaderEpoch)
    }
  }

  #drain(topic: ProducerTopic, now: number): void {
    const { waiting } = topic
    for (let send = waiting.first; send !== undefined; send = waiting.first) {
      if (!this.#options.resume(topic, send, now)) {
        this.#isShortOfMemory = true
        return
      }
      this.#removeFirst(waiting)
      this.#countWait(topic, send, now)
    }
  }

  #expire(topic: ProducerTopic, now: number): void {
    const { waiting, queues } = topic
    for (let send = waiting.first; send !== undefined && send.deadline <= now; send = waiting.first) {
      const { maxBlockMs } = this.#options.config
      const isKnown = queues.partitions.length > 0
      const error = isKnown
        ? new SendTimeoutError('BUFFER_EXHAUSTED', queues.name, maxBlockMs, 'no buffer memory came free')
        : new SendTimeoutError('METADATA_TIMED_OUT', queues.name, maxBlockMs, 'the topic did not show up', topic.lastError)
      this.#removeFirst(waiting)
      this.#countWait(topic, send, now)
      if (isKnown) this.#options.metrics.bufferExhausted(send.records.length - send.next, now)
      this.#fail(topic, send, error)
    }
  }

  /** Until the topic was known it waited for that, then for memory. */
  #countWait(topic: ProducerTopic, send: WaitingSend, now: number): void {
    const { config, metrics } = this.#options
    const since = send.deadline - config.maxBlockMs
    const known = Math.max(since, Math.min(now, topic.knownAt))
    metrics.waited(known - since, Math.max(0, now - known))
  }

  #fail(topic: ProducerTopic, send: WaitingSend, error: KafkaError): void {
    const { environment, metrics } = this.#options
    metrics.failed(send.records.length - send.next, environment.clock.now(), topic.queues.name)
    failWaitingSend(send, error)
  }

  #removeFirst(waiting: WaitingLine): void {
    stopListening(waiting.first!)
    waiting.removeFirst()
    this.#count--
  }

  /** What still waits of the send fails; what is in a batch goes on. */
  #abort(topic: ProducerTopic, send: WaitingSend, signal: AbortSignal): void {
    if (!topic.waiting.remove(send)) return
    stopListening(send)
    this.#count--
    if (topic.waiting.length === 0) this.#backlogged.delete(topic)
    this.#fail(topic, send, aborted(signal))
    this.#options.changed()
  }

  #await(topic: ProducerTopic): void {
    if (topic.isAwaited || topic.waiting.length === 0) return
    topic.isAwaited = true
    const { cluster, config } = this.#options
    cluster.waitForTopic(topic.queues.name, { timeoutMs: Math.max(1, config.maxBlockMs) }).then(
      () => this.#arrived(topic, null),
      (error: unknown) => this.#arrived(topic, error as KafkaError),
    )
  }

  #arrived(topic: ProducerTopic, error: KafkaError | null): void {
    topic.isAwaited = false
    topic.lastError = error
    if (error === null) {
      this.#update(topic)
    } else if (!(error instanceof KafkaError) || !error.retriable || error.fatal) {
      this.#failTopic(topic, error)
      this.#backlogged.delete(topic)
    }
    this.#options.changed()
  }

  #failTopic(topic: ProducerTopic, error: KafkaError): void {
    const sends = [...topic.waiting]
    this.#count -= sends.length
    topic.waiting.clear()
    for (const send of sends) {
      stopListening(send)
      this.#fail(topic, send, error)
    }
  }
}
