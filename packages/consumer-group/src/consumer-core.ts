import { ZERO_UUID, type KafkaError } from '@millrace/protocol'
import { AfterTurn, Alarm, timeoutOption, type ClusterClient, type Environment } from '@millrace/client/internal'
import { Assignment } from './assignment.ts'
import type { ConsumerConfig } from './config.ts'
import { MetricsRecorder } from './consumer-metrics.ts'
import { Delivery } from './delivery/delivery.ts'
import { RecordDecoder } from './delivery/record-decoder.ts'
import { mixedSubscription, noGroup, notAssigned, notSubscribed, unknownPosition } from './errors.ts'
import { EventSource } from './events.ts'
import { FetchLoop, type FetchListener } from './fetch/fetch-loop.ts'
import type { PartitionCursor } from './fetch/partition-cursor.ts'
import { CLOSE_COMMIT_TIMEOUT_MS } from './limits.ts'
import { createMembership } from './membership/create-membership.ts'
import type { LeaveOperation, Membership, MemberIdentity, PartitionOwner, TopicSelection } from './membership/membership.ts'
import { Committer } from './offsets/committer.ts'
import { GroupOffsets } from './offsets/group-offsets.ts'
import type { QueryOptions } from './offsets/offset-queries.ts'
import { PositionWaits } from './offsets/position-waits.ts'
import { Positions, type PositionsListener } from './offsets/positions.ts'
import type { TopicPartition } from './topic-partition.ts'

/** A partition to read without a group's doing, and where to begin: else at the committed offset, or by `autoOffsetReset`. */
export interface ManualPartition extends TopicPartition {
  readonly offset?: number
}

/** Joins membership, fetching, positions, delivery and commits; `Consumer` is the face of it. */
export class ConsumerCore implements PartitionOwner, FetchListener, PositionsListener {
  readonly events: EventSource
  readonly assignment: Assignment = new Assignment()
  readonly delivery: Delivery
  readonly decoder: RecordDecoder | null
  readonly positions: Positions
  readonly offsets: GroupOffsets
  readonly metrics: MetricsRecorder
  /** Null without a group. */
  readonly committer: Committer | null
  readonly #config: ConsumerConfig
  readonly #cluster: ClusterClient
  readonly #environment: Environment
  readonly #wake: () => void
  readonly #fetches: FetchLoop
  readonly #positionWaits: PositionWaits
  readonly #afterTurn = new AfterTurn(() => this.#run())
  readonly #alarm: Alarm
  #membership: Membership | null = null
  #selection: TopicSelection | null = null
  #isManual = false
  #isLeaving = false
  #isOver = false
  #nextCommitAt = Infinity

  /** @param wake called when there may be something to hand out, or a failure */
  constructor(config: ConsumerConfig, cluster: ClusterClient, environment: Environment, wake: () => void) {
    this.#config = config
    this.#cluster = cluster
    this.#environment = environment
    this.#wake = wake
    this.#alarm = new Alarm(environment.clock, () => this.#run())
    const { groupId } = config
    this.events = new EventSource(groupId)
    this.decoder =
      config.decoder === null
        ? null
        : new RecordDecoder(config.decoder, (error) => this.events.emit('deserializationFailed', { error }))
    this.metrics = new MetricsRecorder(() => this.#now())
    this.#fetches = new FetchLoop(config, cluster, this.metrics, this)
    this.delivery = new Delivery(this.#fetches.fetcher, config.maxPollRecords, config.maxPollIntervalMs, this.decoder, {
      clock: environment.clock,
      schedule: () => this.schedule(),
      tryAgain: (cursor) => this.positions.tryAgain(cursor),
      setPollDeadline: (deadline, now) => this.#membership?.setPollDeadline(deadline, now),
    })
    this.offsets = new GroupOffsets(cluster)
    this.#positionWaits = new PositionWaits(environment.clock)
    this.committer = groupId === null ? null : this.#newCommitter(groupId)
    this.positions = new Positions(config, cluster, this.offsets, this)
    cluster.onMetadata(() => this.#run())
    if (config.selection !== null) this.subscribe(config.selection)
  }

  // ---- what to consume ----

  /** @throws {KafkaError} NO_GROUP, MIXED_SUBSCRIPTION */
  subscribe(selection: TopicSelection): void {
    const { groupId } = this.#config
    if (groupId === null) throw noGroup('subscribe')
    if (this.#isLeaving) throw mixedSubscription('subscribe', 'is leaving its group')
    if (this.#isManual) throw mixedSubscription('subscribe', 'has partitions by assign')
    this.#selection = selection
    if (this.#membership !== null) return this.#membership.subscribe(selection, this.#now())
    this.#membership = createMembership({
      config: { ...this.#config, groupId },
      selection,
      cluster: this.#cluster,
      environment: this.#environment,
      events: this.events,
      owner: this,
      observer: this.metrics,
    })
  }

  /** These too, where topics are subscribed to by name: a pattern, or whoever assigns, says by itself what is wanted. */
  alsoSubscribe(topics: readonly string[]): void {
    if (this.#membership === null || this.#selection === null || 'pattern' in this.#selection) return
    const names = new Set([...this.#selection.topics, ...topics])
    if (names.size > this.#selection.topics.length) this.subscribe({ topics: [...names] })
  }

  /** @throws {KafkaError} MIXED_SUBSCRIPTION */
  assign(partitions: readonly ManualPartition[]): void {
    if (this.#membership !== null) throw mixedSubscription('assign', 'is subscribed to topics, or has not left them')
    this.#isManual = true
    const wanted = new Map(partitions.map((one) => [`${one.topic} ${one.partition}`, one]))
    const leaving = [...this.assignment.cursors()].filter(({ topic, partition }) => !wanted.has(`${topic} ${partition}`))
    this.#giveUp(leaving)
    for (const { topic, partition, offset } of wanted.values()) {
      const known = this.assignment.get(topic, partition)
      const cursor = known ?? this.assignment.add(topic, partition)
      if (offset !== undefined) this.seek(cursor, offset, -1)
      if (known === undefined) this.#begin(cursor)
    }
    this.schedule()
  }

  /** Resolves when the group knows, if there is one. */
  async unsubscribe(): Promise<void> {
    const membership = this.#membership
    const cursors = [...this.assignment.cursors()]
    this.#isManual = false
    if (membership === null) return this.#giveUp(cursors)
    for (const cursor of cursors) this.#drop(cursor)
    await this.commitAtEnd(cursors)
    this.#isLeaving = true
    await membership.leave('the consumer unsubscribed')
    this.#isLeaving = false
    // Of two calls at once, the first to end may have been followed by `subscribe`.
    if (this.#membership === membership) this.#membership = null
    this.delivery.forgetFailure()
    for (const cursor of cursors) this.#gone(cursor)
  }

  /** @throws {KafkaError} NOT_SUBSCRIBED when nothing can ever come */
  expectSubscription(): void {
    if ((this.#membership === null || this.#isLeaving) && !this.#isManual) throw notSubscribed()
  }

  get subscription(): readonly string[] {
    return this.#membership?.topics ?? []
  }

  // ---- positions ----

  seek(cursor: PartitionCursor, offset: number, epoch: number): void {
    this.#move(cursor, () => cursor.seek(offset, epoch))
    if (epoch >= 0) this.positions.validate(cursor)
  }

  /** The position is known after an answer. */
  seekBy(cursor: PartitionCursor, reset: NonNullable<PartitionCursor['reset']>): void {
    this.#move(cursor, () => cursor.resetBy(reset))
    this.positions.pursue(cursor)
  }

  pause(cursor: PartitionCursor, isPaused: boolean): void {
    if (isPaused) this.delivery.leave(cursor)
    if (isPaused) cursor.isPaused = true
    else cursor.resume()
    this.schedule()
  }

  /** As of the last fetch; null while the position or the end is not known. */
  lagOf({ position, highWatermark, lastStableOffset }: PartitionCursor): number | null {
    const end = this.#config.isolationLevel === 'read_committed' ? lastStableOffset : highWatermark
    return position < 0 || end < 0 ? null : Math.max(0, end - position)
  }

  /** Waits until it is known. */
  async position(cursor: PartitionCursor, { timeoutMs, signal }: QueryOptions): Promise<number> {
    const limitMs = timeoutOption(timeoutMs, this.#config.defaultApiTimeoutMs)
    const deadline = this.#now() + limitMs
    for (;;) {
      if (!cursor.isActive) throw notAssigned('position', cursor.topic, cursor.partition)
      if (cursor.phase === 'fetching') return cursor.position
      if (cursor.phase === 'failed') throw this.delivery.failureOf(cursor) ?? unknownPosition(cursor, limitMs)
      if (this.#now() >= deadline) throw unknownPosition(cursor, limitMs)
      await this.#positionWaits.next(deadline - this.#now(), signal)
    }
  }

  #move(cursor: PartitionCursor, move: () => void): void {
    this.delivery.discard(cursor)
    move()
    cursor.committed.forget()
    this.delivery.moved(cursor)
    this.schedule()
  }

  // ---- the application's side ----

  /** The application waits for us, for as long as it takes. */
  idle(): void {
    const now = this.#now()
    this.#membership?.start(now)
    if (this.#nextCommitAt === Infinity && this.#config.enableAutoCommit)
      this.#nextCommitAt = now + this.#config.autoCommitIntervalMs
    this.schedule()
  }

  async close(operation: LeaveOperation): Promise<void> {
    this.#isLeaving = true
    const cursors = [...this.assignment.cursors()]
    for (const cursor of cursors) this.#drop(cursor)
    await this.commitAtEnd(cursors)
    await this.#membership?.leave('the consumer is closed', operation)
    this.#isOver = true
    this.#fetches.close()
    this.#alarm.cancel()
    await this.#cluster.close()
  }

  // ---- the group's side ----

  assigning(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) this.assignment.add(topic, partition)
  }

  assigned(partitions: readonly TopicPartition[], generationId: number): void {
    this.metrics.rebalanced()
    this.events.emit('assigned', { partitions, generationId })
    for (const { topic, partition } of partitions) {
      const cursor = this.assignment.get(topic, partition)
      if (cursor !== undefined) this.#begin(cursor)
    }
    this.schedule()
  }

  async revoking(partitions: readonly TopicPartition[]): Promise<void> {
    const cursors = new Set(this.assignment.find(partitions))
    for (const cursor of cursors) {
      cursor.isAwaited = !this.#isLeaving
      this.#drop(cursor)
    }
    this.#wake()
    // Whoever closes or unsubscribes need not come back from what is in hand: it may be the one that does.
    if (!this.#isLeaving) await this.delivery.inHand.freeOf(cursors)
    if (this.#config.enableAutoCommit) await this.committer!.commitQuietly(cursors)
  }

  revoked(partitions: readonly TopicPartition[]): void {
    for (const cursor of this.assignment.find(partitions)) this.#gone(cursor)
    this.events.emit('revoked', { partitions })
  }

  lost(partitions: readonly TopicPartition[], reason: string): void {
    for (const cursor of this.assignment.find(partitions)) {
      this.#drop(cursor)
      this.#gone(cursor)
    }
    this.events.emit('lost', { partitions, reason })
    this.schedule()
  }

  /** What ended the membership is final; of anything else the application is told once, and may go on. */
  failed(error: KafkaError): void {
    if (this.#isOver) return
    this.delivery.fail(error, this.#membership?.status === 'failed')
    this.#wake()
  }

  changed(): void {
    this.#run()
  }

  // ---- the log's side ----

  outOfRange(cursors: readonly PartitionCursor[]): void {
    for (const cursor of cursors) {
      cursor.resetBy(null)
      this.positions.pursue(cursor)
    }
  }

  newLeaders(cursors: readonly PartitionCursor[]): void {
    for (const cursor of cursors) {
      this.delivery.leave(cursor)
      this.positions.validate(cursor)
    }
  }

  mayRead({ partition }: PartitionCursor, topicId: string): boolean {
    return topicId === ZERO_UUID || (this.#membership?.mayRead(topicId, partition) ?? true)
  }

  newTopic(cursor: PartitionCursor, topicId: string): void {
    // Under KIP-848 it may be another member's until the coordinator says that it is ours.
    if (!this.mayRead(cursor, topicId)) return
    this.#move(cursor, () => cursor.beginAnew(topicId))
    this.positions.pursue(cursor)
  }

  settled(): void {
    this.#positionWaits.wake()
    this.#run()
  }

  positionFailed(cursor: PartitionCursor, error: KafkaError): void {
    if (this.#isOver || !cursor.isActive) return
    this.delivery.failPartition(cursor, error)
    this.#positionWaits.wake()
    this.#wake()
  }

  truncated({ topic, partition }: PartitionCursor, offset: number, divergentOffset: number | null): void {
    this.events.emit('truncated', { topic, partition, offset, divergentOffset })
  }

  discard(cursor: PartitionCursor): void {
    this.delivery.discard(cursor)
  }

  // ---- running ----

  schedule(): void {
    this.#afterTurn.schedule()
  }

  #run(): void {
    if (this.#isOver) return
    const now = this.#now()
    this.delivery.watch.check(now, this.assignment.cursors())
    this.#membership?.run(now)
    this.#fetches.run(now)
    if (now >= this.#nextCommitAt) {
      this.#nextCommitAt = now + this.#config.autoCommitIntervalMs
      if (this.#membership === null || this.#membership.status === 'stable')
        void this.committer?.commitQuietly(this.assignment.cursors())
    }
    this.#wake()
    this.#alarm.set(this.#deadline())
  }

  #deadline(): number {
    const membershipDeadline = this.#membership?.deadline ?? Infinity
    const { nextCheck } = this.delivery.watch
    return Math.min(membershipDeadline, this.#fetches.fetcher.deadline, this.#nextCommitAt, nextCheck)
  }

  /** From now on it is fetched, once its position is known. */
  #begin(cursor: PartitionCursor): void {
    this.#fetches.fetcher.add(cursor)
    this.positions.pursue(cursor)
  }

  /** Nothing of it is handed out from now on; what was handled may still be committed. */
  #drop(cursor: PartitionCursor): void {
    this.delivery.remove(cursor)
    this.assignment.leave(cursor)
    this.#positionWaits.wake()
  }

  #gone(cursor: PartitionCursor): void {
    cursor.isGone = true
    this.assignment.remove(cursor)
  }

  /** Partitions by hand are nobody else's: what was handled is committed meanwhile. */
  #giveUp(cursors: readonly PartitionCursor[]): void {
    for (const cursor of cursors) this.#drop(cursor)
    const { enableAutoCommit } = this.#config
    const committed = this.committer === null || !enableAutoCommit ? Promise.resolve() : this.committer.commitQuietly(cursors)
    void committed.then(() => cursors.forEach((cursor) => this.#gone(cursor)))
    this.#wake()
  }

  /** What was handled of these, if commits are automatic; for a while, and failures are told as an event. */
  async commitAtEnd(cursors: readonly PartitionCursor[]): Promise<void> {
    if (!this.#config.enableAutoCommit || this.committer === null || this.#membership?.status === 'failed') return
    const late = Promise.withResolvers<void>()
    const timer = this.#environment.clock.after(CLOSE_COMMIT_TIMEOUT_MS, late.resolve)
    await Promise.race([this.committer.commitQuietly(cursors), late.promise])
    timer.cancel()
  }

  #newCommitter(groupId: string): Committer {
    const identity = (): MemberIdentity | null => this.#membership?.identity ?? null
    const membership = {
      get identity() {
        return identity()
      },
      refused: (code: number, used: MemberIdentity): 'retry' | 'final' =>
        this.#membership?.refused(code, used, this.#now()) ?? 'final',
    }
    return new Committer(groupId, this.#config, this.#cluster, this.offsets, membership, this.events, this.metrics)
  }

  #now(): number {
    return this.#environment.clock.now()
  }
}
