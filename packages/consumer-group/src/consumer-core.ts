import { KafkaError } from '@millrace/protocol'
import type { ClusterClient, Environment, Timer } from '@millrace/client/internal'
import type { ConsumerConfig } from './config.ts'
import type { ConsumerRecord } from './consumer-record.ts'
import { EventSource, type CommittedOffset } from './events.ts'
import type { ConsumerBatch } from './fetch/consumer-batch.ts'
import { FetchLoop, type FetchListener } from './fetch/fetch-loop.ts'
import type { Fetcher } from './fetch/fetcher.ts'
import { PartitionCursor } from './fetch/partition-cursor.ts'
import { Loading, RecordFeed } from './fetch/record-feed.ts'
import { InHand } from './in-hand.ts'
import { CLOSE_COMMIT_TIMEOUT_MS, POLL_CHECKS_PER_INTERVAL } from './limits.ts'
import { createMembership } from './membership/create-membership.ts'
import type { Membership, PartitionOwner } from './membership/membership.ts'
import { Committer } from './offsets/committer.ts'
import { GroupOffsets } from './offsets/group-offsets.ts'
import { PositionResolver } from './offsets/position-resolver.ts'
import type { TopicPartition } from './topic-partition.ts'

/** Joins membership, fetching, positions and commits; `Consumer` puts the loop's face on it. */
export class ConsumerCore implements PartitionOwner, FetchListener {
  readonly events: EventSource
  readonly #config: ConsumerConfig
  readonly #cluster: ClusterClient
  readonly #environment: Environment
  readonly #wake: () => void
  readonly #member: Membership
  readonly #fetches: FetchLoop
  readonly #fetcher: Fetcher
  readonly #feed: RecordFeed
  readonly #inHand = new InHand()
  readonly #committer: Committer
  readonly #positions: PositionResolver
  #cursors = new Map<string, PartitionCursor>()
  #isScheduled = false
  #isOver = false
  /** Partitions whose position is to be looked for when the application asks for records again. */
  #unlocated: PartitionCursor[] = []
  #failure: KafkaError | null = null
  #timer: Timer | null = null
  #timerAt = Infinity
  #nextCommitAt = Infinity
  /** When the application is looked at next: whether it asked for anything since. `Infinity` while it waits for us. */
  #nextPollCheck = Infinity
  #asked = 0
  #askedBefore = 0

  /** @param wake called when there may be something to hand out, or a failure */
  constructor(config: ConsumerConfig, cluster: ClusterClient, environment: Environment, wake: () => void) {
    this.#config = config
    this.#cluster = cluster
    this.#environment = environment
    this.#wake = wake
    this.events = new EventSource(config.groupId)
    const selection = { topics: config.topics }
    this.#member = createMembership({ config, selection, cluster, environment, events: this.events, owner: this })
    this.#fetches = new FetchLoop(config, cluster, this)
    this.#fetcher = this.#fetches.fetcher
    this.#feed = new RecordFeed(this.#fetcher, config.maxPollRecords)
    const offsets = new GroupOffsets(cluster)
    const now = (): number => environment.clock.now()
    this.#committer = new Committer(config, offsets, this.#member, this.#inHand, this.events, now)
    this.#positions = new PositionResolver(config, cluster, offsets)
  }

  get assignment(): readonly TopicPartition[] {
    return [...this.#cursors.values()].map(({ topic, partition }) => ({ topic, partition }))
  }

  // ---- the loop's side ----

  /** What was handed out last was handled. */
  handled(): void {
    this.#asked++
    this.#inHand.release()
  }

  /** What was handed out last was not handled: it will be handed out again. */
  putBack(): void {
    const { cursor, offset } = this.#inHand
    if (cursor !== null && cursor.isActive) {
      this.#feed.forget(cursor)
      this.#fetcher.discard(cursor)
      cursor.seek(offset, -1)
    }
    this.#inHand.release()
    this.#schedule()
  }

  /** @throws {KafkaError} that stops the consumer, or {UnreadableRecordError} */
  pullRecord(): ConsumerRecord | Loading | null {
    this.#check()
    const record = this.#feed.nextRecord()
    if (this.#fetcher.hasRoom) this.#schedule()
    if (record === null || record instanceof Loading) return record
    this.#inHand.take(this.#feed.cursor, record.offset)
    if (this.#nextPollCheck === Infinity) this.#watchApplication()
    return record
  }

  /** @throws {KafkaError} that stops the consumer, or {UnreadableRecordError} */
  pullBatch(): ConsumerBatch | Loading | null {
    this.#check()
    const batch = this.#feed.nextBatch()
    if (this.#fetcher.hasRoom) this.#schedule()
    if (batch === null || batch instanceof Loading) return batch
    this.#inHand.take(this.#feed.cursor, batch.firstOffset)
    if (this.#nextPollCheck === Infinity) this.#watchApplication()
    return batch
  }

  /** The application waits for us, for as long as it takes. */
  idle(): void {
    const now = this.#environment.clock.now()
    this.#nextPollCheck = Infinity
    if (this.#unlocated.length > 0) this.#settle(this.#locate(this.#unlocated.splice(0)))
    this.#member.setPollDeadline(Infinity, now)
    this.#member.start(now)
    if (this.#nextCommitAt === Infinity && this.#config.enableAutoCommit)
      this.#nextCommitAt = now + this.#config.autoCommitIntervalMs
    this.#schedule()
  }

  commit(offsets: readonly CommittedOffset[] | undefined): Promise<void> {
    if (offsets === undefined) return this.#committer.commitHandled(this.#cursors.values())
    const chosen: Array<{ cursor: PartitionCursor; offset: number }> = []
    for (const { topic, partition, offset } of offsets) {
      const cursor = this.#cursors.get(keyOf(topic, partition))
      if (cursor === undefined) return Promise.reject(notAssigned(topic, partition))
      if (!Number.isSafeInteger(offset) || offset < 0) return Promise.reject(invalidOffset(topic, partition, offset))
      chosen.push({ cursor, offset })
    }
    return this.#committer.commitOffsets(chosen)
  }

  async close(): Promise<void> {
    const cursors = [...this.#cursors.values()]
    for (const cursor of cursors) this.#drop(cursor)
    if (this.#config.enableAutoCommit && this.#member.status !== 'failed') {
      const late = Promise.withResolvers<void>()
      const timer = this.#environment.clock.after(CLOSE_COMMIT_TIMEOUT_MS, late.resolve)
      await Promise.race([this.#commitQuietly(cursors), late.promise])
      timer.cancel()
    }
    await this.#member.leave('the consumer is closed')
    this.#isOver = true
    this.#fetches.close()
    this.#timer?.cancel()
    await this.#cluster.close()
  }

  // ---- the group's side ----

  async revoking(partitions: readonly TopicPartition[]): Promise<void> {
    const cursors = new Set<PartitionCursor>()
    for (const { topic, partition } of partitions) {
      const cursor = this.#cursors.get(keyOf(topic, partition))
      if (cursor === undefined) continue
      cursors.add(cursor)
      this.#feed.forget(cursor)
      this.#fetcher.remove(cursor)
    }
    await this.#inHand.freeOf(cursors)
    if (this.#config.enableAutoCommit) await this.#commitQuietly(cursors)
  }

  revoked(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) this.#cursors.delete(keyOf(topic, partition))
    this.events.emit('revoked', { partitions })
  }

  lost(partitions: readonly TopicPartition[], reason: string): void {
    for (const { topic, partition } of partitions) {
      const cursor = this.#cursors.get(keyOf(topic, partition))
      if (cursor !== undefined) this.#drop(cursor)
    }
    this.events.emit('lost', { partitions, reason })
  }

  assigning(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) {
      this.#cursors.set(keyOf(topic, partition), new PartitionCursor(topic, partition))
    }
  }

  assigned(partitions: readonly TopicPartition[], generationId: number): void {
    const cursors: PartitionCursor[] = []
    for (const { topic, partition } of partitions) {
      const cursor = this.#cursors.get(keyOf(topic, partition))!
      cursors.push(cursor)
      this.#fetcher.add(cursor)
    }
    this.events.emit('assigned', { partitions, generationId })
    if (cursors.length > 0) this.#settle(this.#locate(cursors))
  }

  failed(error: KafkaError): void {
    this.#failure ??= error
    this.#wake()
  }

  changed(): void {
    this.#run()
  }

  outOfRange(cursors: readonly PartitionCursor[]): void {
    this.#settle(this.#resetPositions(cursors))
  }

  // ---- running ----

  #check(): void {
    if (this.#failure === null) return
    const failure = this.#failure
    // What ended the membership is final. Anything else may be gone when the application tries again.
    if (this.#member.status !== 'failed') {
      this.#failure = null
      this.#tryPositionsAgain()
    }
    throw failure
  }

  /** Partitions whose position could not be found: the application knows by now, and may ask again. */
  #tryPositionsAgain(): void {
    const unknown = [...this.#cursors.values()].filter((cursor) => cursor.fetchOffset < 0)
    for (const cursor of unknown) cursor.fetchOffset = cursor.position
    this.#unlocated = unknown.filter((cursor) => cursor.position < 0)
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isOver) return
    this.#isScheduled = true
    void Promise.resolve().then(() => {
      this.#isScheduled = false
      this.#run()
    })
  }

  #run(): void {
    if (this.#isOver) return
    const now = this.#environment.clock.now()
    if (now >= this.#nextPollCheck) this.#watchApplication()
    this.#member.run(now)
    this.#fetches.run(now)
    if (now >= this.#nextCommitAt) {
      this.#nextCommitAt = now + this.#config.autoCommitIntervalMs
      if (this.#member.status === 'stable') void this.#commitQuietly(this.#cursors.values())
    }
    this.#wake()
    this.#arm(now)
  }

  #arm(now: number): void {
    const deadline = Math.min(this.#member.deadline, this.#fetcher.deadline, this.#nextCommitAt, this.#nextPollCheck)
    if (deadline >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = deadline
    this.#timer = this.#environment.clock.after(Math.max(0, deadline - now), () => {
      this.#timerAt = Infinity
      this.#run()
    })
  }

  /** The application has until the next look but `POLL_CHECKS_PER_INTERVAL` to ask for something. */
  #watchApplication(): void {
    const now = this.#environment.clock.now()
    const { maxPollIntervalMs } = this.#config
    if (this.#asked !== this.#askedBefore || this.#nextPollCheck === Infinity)
      this.#member.setPollDeadline(now + maxPollIntervalMs, now)
    this.#askedBefore = this.#asked
    this.#nextPollCheck = now + Math.max(1, maxPollIntervalMs / POLL_CHECKS_PER_INTERVAL)
    this.#schedule()
  }

  async #locate(cursors: readonly PartitionCursor[]): Promise<void> {
    const unknown = new Set(cursors.map(({ topic }) => topic).filter((topic) => this.#cluster.topicId(topic) === undefined))
    if (unknown.size > 0) await this.#cluster.refreshMetadata([...unknown])
    await this.#positions.begin(cursors)
  }

  async #resetPositions(cursors: readonly PartitionCursor[]): Promise<void> {
    // Not fetched until there is a new one.
    const offsets = cursors.map((cursor) => cursor.fetchOffset)
    for (const cursor of cursors) cursor.fetchOffset = -1
    await this.#positions.reset(cursors, offsets)
  }

  #settle(work: Promise<void>): void {
    work.then(
      () => this.#run(),
      (error: unknown) => {
        if (!this.#isOver) this.failed(asKafkaError(error))
      },
    )
  }

  async #commitQuietly(cursors: Iterable<PartitionCursor>): Promise<void> {
    try {
      await this.#committer.commitHandled(cursors)
    } catch (error) {
      this.events.emit('commitFailed', { error: asKafkaError(error) })
    }
  }

  /** Nothing of it is handed out from now on. */
  #drop(cursor: PartitionCursor): void {
    this.#feed.forget(cursor)
    this.#fetcher.remove(cursor)
    this.#cursors.delete(keyOf(cursor.topic, cursor.partition))
  }
}

function keyOf(topic: string, partition: number): string {
  return `${topic} ${partition}`
}

function notAssigned(topic: string, partition: number): KafkaError {
  return new KafkaError('NOT_ASSIGNED', `commit for ${topic}-${partition}: the partition is not assigned to this consumer`)
}

function invalidOffset(topic: string, partition: number, offset: unknown): KafkaError {
  return new KafkaError(
    'INVALID_OFFSET',
    `commit for ${topic}-${partition}: ${String(offset)} is no offset; expected a whole number of at least 0`,
  )
}

function asKafkaError(error: unknown): KafkaError {
  if (error instanceof KafkaError) return error
  return new KafkaError('UNEXPECTED_ERROR', error instanceof Error ? error.message : String(error), { cause: error })
}

function noop(): void {}
