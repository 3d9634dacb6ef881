import type { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { ClusterClient, nodeEnvironment, pickClientOptions, type Environment } from '@millrace/client/internal'
import { resolveConsumerOptions, topicSelection, type ConsumerConfig, type ConsumerOptions } from './config.ts'
import { ConsumerCore, type ManualPartition } from './consumer-core.ts'
import type { ConsumerMetrics } from './consumer-metrics.ts'
import type { ConsumerRecord } from './consumer-record.ts'
import { closeOptions, type ConsumerCloseOptions } from './close-call.ts'
import { chosenOffsets, type CommitOptions } from './commit-calls.ts'
import type { ItemLoop, ItemSource } from './delivery/item-loop.ts'
import { AllPartitionsSource, itemsOf } from './delivery/item-sources.ts'
import { Loops } from './delivery/loops.ts'
import { PartitionsSource, type LoopOptions, type PartitionStream, type RecordLoopOptions } from './delivery/partition-stream.ts'
import { nodeReadable, webReadable } from './delivery/readable.ts'
import { consumerBusy, consumerClosed, noGroup } from './errors.ts'
import type { CommittedOffset, ConsumerEvents } from './events.ts'
import type { ConsumerBatch } from './fetch/consumer-batch.ts'
import { keepFreedMemory } from './io/freed-memory.ts'
import {
  OffsetQueries,
  type CommittedPosition,
  type OffsetAndTimestamp,
  type PartitionOffset,
  type PartitionTimestamp,
  type QueryOptions,
} from './offsets/offset-queries.ts'
import { EARLIEST, LATEST } from './offsets/reset-strategy.ts'
import { ConsumerRun } from './run/consumer-run.ts'
import { resolveRunOptions, type RunOptions } from './run/run-options.ts'
import {
  checkManualPartitions,
  checkPartition,
  checkPartitions,
  checkSeekPosition,
  checkTimestamps,
  type SeekPosition,
} from './position-calls.ts'
import type { TopicPartition } from './topic-partition.ts'

/**
 * Consumes topics as a member of a group, or partitions by hand. Iterate it for records, or `batches()` for many at a time.
 *
 * At least once: a record (or batch) counts as handled when the loop asks for the next one, and only what was handled is
 * committed: every `autoCommitIntervalMs`, before a partition is given up, and in `close`. When the loop ends by `break`,
 * `return` or an exception, what it had in hand was not handled: the next loop, or the next owner of the partition, gets
 * it again. To end a loop with its last record handled, call `stop()` and let it ask once more.
 *
 * Heartbeats do not depend on the loop. While partitions are given up in a rebalance, the record in hand may be finished first.
 */
export class Consumer<Key = Buffer | null, Value = Buffer | null>
  implements AsyncDisposable, AsyncIterable<ConsumerRecord<Key, Value>>
{
  readonly #config: ConsumerConfig
  readonly #core: ConsumerCore
  readonly #loops: Loops
  readonly #queries: OffsetQueries
  readonly #cluster: ClusterClient
  readonly #environment: Environment
  #closed: Promise<void> | null = null

  /**
   * @param environment for sibling packages: time, chance and network
   * @throws {ConfigError} naming the option, its value and what is allowed
   */
  constructor(options: ConsumerOptions<Key, Value>, environment: Environment = nodeEnvironment) {
    this.#config = resolveConsumerOptions(options as ConsumerOptions<never, never>)
    this.#environment = environment
    if (environment === nodeEnvironment) keepFreedMemory()
    const cluster = new ClusterClient(pickClientOptions(options), environment)
    this.#cluster = cluster
    this.#core = new ConsumerCore(this.#config, cluster, environment, () => this.#loops.wake())
    this.#loops = new Loops(
      environment.clock,
      this.#core.delivery.watch,
      () => this.#core.idle(),
      (isIdle) => this.#core.metrics.turned(isIdle),
    )
    this.#queries = new OffsetQueries(this.#config, cluster, this.#core.offsets)
  }

  // ---- what to consume ----

  /** The partitions that are ours now. */
  get assignment(): readonly TopicPartition[] {
    return this.#core.assignment.partitions
  }

  /** The topics that are subscribed to; those that match, so far as they are known, for a pattern. */
  get subscription(): readonly string[] {
    return this.#core.subscription
  }

  /**
   * Subscribes to these topics, or to all whose name matches the pattern, those that come later too, in place of those of before. The
   * group learns of it at once, or, before the first loop, when that begins.
   * @throws {ConfigError}, or {KafkaError} NO_GROUP, MIXED_SUBSCRIPTION after `assign`, CONSUMER_CLOSED
   */
  subscribe(topics: readonly string[] | RegExp): void {
    this.#expectOpen()
    this.#core.subscribe(topicSelection('subscribe', topics))
  }

  /**
   * Reads exactly these partitions, whatever the group does, in place of those of before; each from its `offset`, or where it stands already, or else from the
   * committed offset if there is a `groupId`, or by `autoOffsetReset`.
   * @throws {ConfigError}, or {KafkaError} INVALID_OFFSET, MIXED_SUBSCRIPTION after `subscribe`, CONSUMER_CLOSED
   */
  assign(partitions: readonly ManualPartition[]): void {
    this.#expectOpen()
    this.#core.assign(checkManualPartitions(partitions))
  }

  /** Commits what was handled, leaves the group and gives all partitions up. Afterwards `subscribe` or `assign` may follow. */
  async unsubscribe(): Promise<void> {
    this.#expectOpen()
    await this.#core.unsubscribe()
  }

  // ---- consuming ----

  /** The records, one by one. One loop at a time. It ends after `stop` or `close`, and throws what stops the consumer. */
  [Symbol.asyncIterator](): AsyncIterableIterator<ConsumerRecord<Key, Value>> {
    return this.records()
  }

  /** As iterating the consumer itself, with options. */
  records(options: RecordLoopOptions = {}): AsyncIterableIterator<ConsumerRecord<Key, Value>> {
    const source = new AllPartitionsSource(this.#core.delivery, itemsOf(options), this.#core.decoder)
    return this.#start(source as ItemSource<ConsumerRecord<Key, Value>>, options)
  }

  /** The records, many of one partition at a time: at most `maxPollRecords`. A batch counts as handled as a whole. */
  batches(options: LoopOptions = {}): AsyncIterableIterator<ConsumerBatch<Key, Value>> {
    const source = new AllPartitionsSource(this.#core.delivery, 'batches', null)
    return this.#start(source as ItemSource<ConsumerBatch<Key, Value>>, options)
  }

  /**
   * A stream for each partition that is ours, and for each that comes, to be handled side by side: at your own pace in each, in order in
   * each. A stream ends when its partition is given up; they all end when this loop does. What stops the consumer is thrown here, what stops a
   * partition only in its stream.
   */
  partitions(options: LoopOptions = {}): AsyncIterableIterator<PartitionStream<Key, Value>> {
    const { assignment, delivery, decoder } = this.#core
    const source: unknown = new PartitionsSource(assignment, delivery, decoder, this.#loops)
    return this.#start(source as ItemSource<PartitionStream<Key, Value>>, options)
  }

  /** A Web stream of the records. One was handled when the next is read, never because it was read ahead; cancelling gives back what is in hand. */
  readable(options: LoopOptions = {}): ReadableStream<ConsumerRecord<Key, Value>> {
    return webReadable(this.records({ signal: options.signal }))
  }

  /** A Node stream of the records, in object mode. One was handled when the next is read; destroying gives back what is in hand. */
  nodeReadable(options: LoopOptions = {}): Readable {
    return nodeReadable(this.records({ signal: options.signal }))
  }

  /**
   * Calls a handler with each record, or each batch, several at once, in the order that is chosen, and commits only what lies before the first record that was not
   * handled. Resolves after `stop`, `close` or the signal, when the handlers that ran have ended and what they handled is committed.
   * @throws {HandlerError} when a handler failed as often as it may; {RecordCopyError}; {MissingTopicError}; what else stops the consumer; {ConfigError}, or {KafkaError}
   * CONSUMER_BUSY, NOT_SUBSCRIBED, CONSUMER_CLOSED, as a rejection
   */
  async run(options: RunOptions<Key, Value>): Promise<void> {
    const config = resolveRunOptions(options)
    this.#expectIdle()
    this.#core.alsoSubscribe(config.failures.retryTopics.map(({ topic }) => topic))
    await new ConsumerRun(config, this.#config, this.#core, this.#loops, this.#environment, this.#cluster).start()
  }

  /**
   * Ends what is running as soon as it asks for more: what it has in hand was handled then. The consumer stays a member until
   * `close`, and another loop goes on where this one ended.
   */
  stop(): void {
    this.#loops.stop()
  }

  /** Calls `listener` at each such event until the returned function is called. */
  on<Name extends keyof ConsumerEvents>(event: Name, listener: (event: ConsumerEvents[Name]) => void): () => void {
    return this.#core.events.on(event, listener)
  }

  /** What the consumer does and did: cheap enough to be read every second. */
  metrics(): ConsumerMetrics {
    const { assignment, delivery, metrics } = this.#core
    return metrics.read(assignment.cursors(), delivery.watch.askedAt, (cursor) => this.#core.lagOf(cursor))
  }

  // ---- commits ----

  /**
   * Commits what was handled so far; or the offset after a record or a batch, handled or not; or exactly these offsets, each of the next
   * record to be handled, for partitions that are ours. Commits go out one after another, in the order of the calls, and the next one may be asked for
   * before this one's promise is settled: whoever needs not wait does not.
   * @throws {CommitError}, or {KafkaError} NOT_ASSIGNED (also when a partition is given up before the commit's turn comes), INVALID_OFFSET, NO_GROUP,
   * CONSUMER_CLOSED, as a rejection
   */
  async commit(
    what?: readonly CommittedOffset[] | ConsumerRecord<Key, Value> | ConsumerBatch<Key, Value>,
    options: CommitOptions = {},
  ): Promise<void> {
    this.#expectOpen()
    const { committer, assignment } = this.#core
    if (committer === null) throw noGroup('commit')
    if (what === undefined) return committer.commitHandled(assignment.cursors())
    return committer.commitOffsets(chosenOffsets(assignment, what as CommittedOffset[], options))
  }

  /**
   * What the group has committed for each of these partitions, ours or not.
   * @throws {KafkaError} NO_GROUP, API_TIMED_OUT, ... as a rejection
   */
  async committed(partitions: readonly TopicPartition[], options: QueryOptions = {}): Promise<CommittedPosition[]> {
    this.#expectOpen()
    const { groupId } = this.#config
    if (groupId === null) throw noGroup('committed')
    return this.#queries.committed(groupId, checkPartitions('committed', partitions), options)
  }

  // ---- positions ----

  /**
   * Goes on from this offset in one of our partitions: what was fetched of it is thrown away, and what is in hand of it needs no coming back from. The next
   * automatic commit may go back to it.
   * @throws {ConfigError}, or {KafkaError} NOT_ASSIGNED, INVALID_OFFSET, CONSUMER_CLOSED
   */
  seek(partition: TopicPartition, position: number | SeekPosition): void {
    this.#expectOpen()
    const { topic, partition: number } = checkPartition('seek', partition)
    const { offset, leaderEpoch } = checkSeekPosition(partition, position)
    this.#core.seek(this.#core.assignment.expect('seek', topic, number), offset, leaderEpoch)
  }

  /** Goes on from the first offset of each; of all our partitions when none are named. Throws as `seek`. */
  seekToBeginning(partitions?: readonly TopicPartition[]): void {
    for (const cursor of this.#ours('seekToBeginning', partitions)) this.#core.seekBy(cursor, EARLIEST)
  }

  /** Goes on from the end of each (with `read_committed`, the last stable offset); of all our partitions when none are named. Throws as `seek`. */
  seekToEnd(partitions?: readonly TopicPartition[]): void {
    for (const cursor of this.#ours('seekToEnd', partitions)) this.#core.seekBy(cursor, LATEST)
  }

  /**
   * Offset of the next record that a loop gets of one of our partitions. Waits until that is known.
   * @throws {KafkaError} NOT_ASSIGNED, also when the partition is given up meanwhile; NO_OFFSET_FOR_PARTITION, API_TIMED_OUT, ... as a rejection
   */
  async position(partition: TopicPartition, options: QueryOptions = {}): Promise<number> {
    this.#expectOpen()
    const { topic, partition: number } = checkPartition('position', partition)
    return this.#core.position(this.#core.assignment.expect('position', topic, number), options)
  }

  /** How many offsets lie between our position and the end of the partition as of the last fetch; null while that is not known. Throws NOT_ASSIGNED. */
  currentLag(partition: TopicPartition): number | null {
    const { topic, partition: number } = checkPartition('currentLag', partition)
    return this.#core.lagOf(this.#core.assignment.expect('currentLag', topic, number))
  }

  /** The first offset of each partition, ours or not. */
  async beginningOffsets(partitions: readonly TopicPartition[], options: QueryOptions = {}): Promise<PartitionOffset[]> {
    this.#expectOpen()
    return this.#queries.beginningOffsets(checkPartitions('beginningOffsets', partitions), options)
  }

  /** The offset after the last record of each partition, ours or not; with `read_committed`, the last stable offset. */
  async endOffsets(partitions: readonly TopicPartition[], options: QueryOptions = {}): Promise<PartitionOffset[]> {
    this.#expectOpen()
    return this.#queries.endOffsets(checkPartitions('endOffsets', partitions), options)
  }

  /** For each partition, ours or not, the first record that is not older than `timestamp`. */
  async offsetsForTimes(questions: readonly PartitionTimestamp[], options: QueryOptions = {}): Promise<OffsetAndTimestamp[]> {
    this.#expectOpen()
    checkTimestamps(questions)
    return this.#queries.offsetsForTimes(questions, options)
  }

  /**
   * Nothing more of these partitions of ours is fetched or handed out until `resume`; what was fetched is kept. Heartbeats and other partitions go on.
   * A partition that is given up and comes back is not paused. Throws as `seek`.
   */
  pause(partitions: readonly TopicPartition[]): void {
    for (const cursor of this.#ours('pause', partitions)) this.#core.pause(cursor, true)
  }

  /** Goes on with these partitions of ours. Throws as `seek`. */
  resume(partitions: readonly TopicPartition[]): void {
    for (const cursor of this.#ours('resume', partitions)) this.#core.pause(cursor, false)
  }

  /** Those of our partitions that are paused. */
  get paused(): readonly TopicPartition[] {
    const paused = [...this.#core.assignment.cursors()].filter(({ isPaused }) => isPaused)
    return paused.map(({ topic, partition }) => ({ topic, partition }))
  }

  /**
   * Commits what was handled, leaves the group and disconnects. It does not wait for the loop: what that has in hand is not
   * committed; but for `run`, whose handlers may end first, within its `drainTimeoutMs` or `timeoutMs` if that is shorter. Failures are not thrown: see the event
   * `commitFailed`. Of two calls, the first decides about the membership.
   * @throws {ConfigError} as a rejection; nothing is closed then
   */
  async close(options: ConsumerCloseOptions = {}): Promise<void> {
    const { timeoutMs, groupMembershipOperation } = closeOptions(options)
    this.#loops.stop(timeoutMs)
    const { draining } = this.#loops
    this.#closed ??=
      draining === null
        ? this.#core.close(groupMembershipOperation)
        : draining.then(() => this.#core.close(groupMembershipOperation))
    await this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #ours(call: string, partitions: readonly TopicPartition[] | undefined): ReturnType<ConsumerCore['assignment']['find']> {
    this.#expectOpen()
    const { assignment } = this.#core
    if (partitions === undefined) return [...assignment.cursors()]
    return checkPartitions(call, partitions).map(({ topic, partition }) => assignment.expect(call, topic, partition))
  }

  #start<Item>(source: ItemSource<Item>, options: LoopOptions): ItemLoop<Item> {
    this.#expectIdle()
    return this.#loops.start(source, options.signal)
  }

  /** @throws {KafkaError} CONSUMER_BUSY, CONSUMER_CLOSED, NOT_SUBSCRIBED */
  #expectIdle(): void {
    if (this.#loops.isRunning) throw consumerBusy()
    this.#expectOpen()
    this.#core.expectSubscription()
    this.#loops.begin()
  }

  /** @throws {KafkaError} CONSUMER_CLOSED */
  #expectOpen(): void {
    if (this.#closed !== null) throw consumerClosed()
  }
}
