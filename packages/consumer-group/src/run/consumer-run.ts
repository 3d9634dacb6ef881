import type { KafkaError } from '@millrace/protocol'
import { asKafkaError, isA } from '@millrace/protocol/internal'
import { AfterTurn, Alarm, type Clock, type ClusterClient, type Environment } from '@millrace/client/internal'
import type { KafkaRecord } from '@millrace/records/internal'
import type { ConsumerConfig } from '../config.ts'
import type { ConsumerCore } from '../consumer-core.ts'
import type { Loops, RunningLoop } from '../delivery/loops.ts'
import type { RecordDecoder } from '../delivery/record-decoder.ts'
import { DeserializationError, noGroup } from '../errors.ts'
import { restOf } from '../fetch/consumer-batch.ts'
import type { PartitionCursor } from '../fetch/partition-cursor.ts'
import type { Loading } from '../fetch/record-feed.ts'
import { nextTurn } from '../io/turn.ts'
import { isPromise } from '../promise-like.ts'
import {
  DELIVERY_CLOCK_EVERY,
  DELIVERY_SLICE_MS,
  POLL_CHECKS_PER_INTERVAL,
  RUN_BYTES_MAX,
  RUN_HOLD_MS,
  RUN_WINDOW_BYTES,
  RUN_WINDOW_RECORDS,
} from '../limits.ts'
import { CursorSource, isBatch } from './cursor-source.ts'
import { checkCopyTopics } from './copy-topics.ts'
import { actionFor, type FailureAction } from './failure-action.ts'
import { HandlerWatch } from './handler-watch.ts'
import type { Lane } from './lane.ts'
import { RecordCopier } from './record-copier.ts'
import { HandlerError, MissingTopicError } from './run-errors.ts'
import type { RunConfig } from './run-options.ts'
import { Scheduler, type SchedulerHost } from './scheduler.ts'
import type { Task } from './task.ts'

/** One `run`: calls handlers as the scheduler says, and does about failures what was chosen. */
export class ConsumerRun implements RunningLoop, SchedulerHost {
  readonly #config: RunConfig
  readonly #core: ConsumerCore
  readonly #loops: Loops
  readonly #clock: Clock
  readonly #random: () => number
  readonly #handler: RunConfig['handler']
  readonly #scheduler: Scheduler
  readonly #copier: RecordCopier
  readonly #cluster: ClusterClient
  readonly #watch: HandlerWatch
  readonly #afterTurn = new AfterTurn(() => this.#turn())
  /** For what the scheduler is to look at again. */
  readonly #alarm: Alarm
  /** For the end of those who do not end. */
  readonly #drainAlarm: Alarm
  /** Ends what goes on beside the handlers. */
  readonly #over = new AbortController()
  /** Null for batches, which deserialize as they are read. */
  readonly #decoder: RecordDecoder | null
  readonly #retryTopics: ReadonlySet<string>
  readonly #known = new WeakSet<PartitionCursor>()
  readonly #outcome = Promise.withResolvers<void>()
  readonly #onAbort = (): void => this.stop()
  readonly #isLate = (): boolean => --this.#untilClock <= 0 && this.#isSliceOver()
  #untilClock = DELIVERY_CLOCK_EVERY
  #sliceEnd = 0
  /** As of the last look at the clock, which is no longer ago than some records. */
  #now = 0
  #isPumping = false
  /** Whether more could begin now, but it is for others to go on first. */
  #isHeldUp = false
  #isWaiting = false
  #isEnding = false
  #isOver = false
  #error: KafkaError | null = null

  constructor(
    config: RunConfig,
    consumer: ConsumerConfig,
    core: ConsumerCore,
    loops: Loops,
    environment: Environment,
    cluster: ClusterClient,
  ) {
    this.#cluster = cluster
    this.#watch = new HandlerWatch(consumer.maxPollIntervalMs, environment.clock, core.events)
    this.#config = config
    this.#core = core
    this.#loops = loops
    this.#clock = environment.clock
    this.#alarm = new Alarm(environment.clock, () => this.#dueAgain())
    this.#drainAlarm = new Alarm(environment.clock, () => this.#abandon())
    this.#random = () => environment.random()
    this.#handler = config.handler
    this.#decoder = config.isBatched ? null : core.decoder
    this.#retryTopics = new Set(config.failures.retryTopics.map(({ topic }) => topic))
    this.#copier = new RecordCopier(config.failures, consumer.groupId, environment.clock, this.#random)
    const { concurrency, orderedBy, isBatched } = config
    const settings = {
      concurrency,
      orderedBy,
      isBatched,
      windowRecords: Math.max(RUN_WINDOW_RECORDS, 2 * concurrency),
      windowBytes: RUN_WINDOW_BYTES,
      bytesLimit: RUN_BYTES_MAX,
      // What is held is in hand, where nothing may stay for `maxPollIntervalMs`.
      holdMs: Math.min(RUN_HOLD_MS, consumer.maxPollIntervalMs / POLL_CHECKS_PER_INTERVAL),
      // The group waits for that, and puts out who takes longer than `maxPollIntervalMs`.
      finishMs: Math.min(config.drainTimeoutMs, consumer.maxPollIntervalMs / 2),
    }
    this.#scheduler = new Scheduler(settings, this)
  }

  /** Settles when the run has ended, and what was handled is committed. */
  start(): Promise<void> {
    const { signal } = this.#config
    this.#loops.add(this)
    signal?.addEventListener('abort', this.#onAbort)
    if (signal?.aborted === true) this.stop()
    else void this.#checkTopics()
    this.#watch.start()
    this.wake()
    return this.#outcome.promise
  }

  /** Settles, without a failure, when the run has ended. */
  get ended(): Promise<void> {
    return this.#outcome.promise.catch(() => {})
  }

  wake(): void {
    this.#afterTurn.schedule()
  }

  /** @param timeoutMs how long handlers may take to end, at most; default `drainTimeoutMs` */
  stop(timeoutMs: number = Infinity): void {
    this.#finish(null)
    this.#abandonAfter(timeoutMs)
  }

  // ---- what the scheduler asks for ----

  begin(task: Task): boolean {
    let result: unknown
    try {
      if (this.#decoder !== null && !task.isDecoded && !decode(task, this.#decoder)) {
        task.keepMemory()
        return true
      }
      result = this.#handler(task.item as never, task)
      if (result === undefined || !isPromise(result)) {
        if (!task.isPartial) return true
        this.#leftRest(task)
        return false
      }
      this.#await(task, result)
    } catch (error) {
      this.#failed(task, error)
    }
    return false
  }

  load(lane: Lane, loading: Loading): void {
    void loading.done.then(() => {
      this.#scheduler.wake(lane)
      this.#pump()
    })
  }

  failed(error: KafkaError): void {
    this.#finish(error)
  }

  readonly commit = async (lane: Lane): Promise<void> => {
    const { committer } = this.#core
    if (committer === null) throw noGroup('commit')
    await committer.commitHandled([(lane.source as CursorSource).cursor])
  }

  // ---- running ----

  #turn(): void {
    if (this.#isOver) return
    if (!this.#isEnding) {
      try {
        this.#core.delivery.throwFailure()
      } catch (error) {
        this.#finish(asKafkaError(error))
      }
      for (const cursor of this.#core.assignment.cursors()) if (!this.#known.has(cursor)) this.#add(cursor)
    }
    this.#now = this.#clock.now()
    this.#scheduler.refresh(this.#now)
    this.#pump()
  }

  #add(cursor: PartitionCursor): void {
    const { isBatched, disposeHandled } = this.#config
    this.#known.add(cursor)
    const items = { isBatched, isRetryTopic: this.#retryTopics.has(cursor.topic), disposes: disposeHandled }
    this.#scheduler.add(new CursorSource(cursor, this.#core.delivery, items))
  }

  #pump(): void {
    if (this.#isPumping || this.#isHeldUp || this.#isOver) return
    if (this.#isWaiting) this.#beginSlice()
    this.#isPumping = true
    if (this.#scheduler.deadline <= this.#now) this.#scheduler.tick(this.#now)
    const isLate = this.#scheduler.pump(this.#now, this.#isLate)
    this.#isPumping = false
    if (isLate) this.#pumpNextTurn()
    this.#noteWaiting()
    this.#alarm.set(this.#scheduler.deadline)
    if (this.#isEnding && this.#scheduler.isDone) void this.#end()
  }

  /** Handlers that never wait, or only for what is there, would keep heartbeats and fetches from their turn. */
  #pumpNextTurn(): void {
    this.#isHeldUp = true
    void nextTurn().then(() => {
      this.#isHeldUp = false
      this.#beginSlice()
      this.#pump()
    })
  }

  #beginSlice(): void {
    this.#now = this.#clock.now()
    this.#sliceEnd = this.#now + DELIVERY_SLICE_MS
    this.#untilClock = DELIVERY_CLOCK_EVERY
  }

  #isSliceOver(): boolean {
    this.#untilClock = DELIVERY_CLOCK_EVERY
    this.#now = this.#clock.now()
    return this.#now >= this.#sliceEnd
  }

  /** We wait for records when no handler runs; one of a partition that was lost counts, so that a member that is stuck stays away. */
  #noteWaiting(): void {
    const isWaiting = this.#scheduler.isIdle && !this.#isHeldUp && !this.#isEnding
    if (isWaiting === this.#isWaiting) return
    this.#isWaiting = isWaiting
    if (isWaiting) this.#loops.waits()
    else this.#loops.served()
  }

  #dueAgain(): void {
    this.#now = this.#clock.now()
    this.#pump()
  }

  #await(task: Task, result: unknown): void {
    const ended = Promise.resolve(result).then(
      () => {
        this.#watch.ended(task)
        if (task.isPartial) this.#leftRest(task)
        else this.#scheduler.end(task)
        this.#pump()
      },
      (error: unknown) => {
        this.#watch.ended(task)
        this.#failed(task, error)
        this.#pump()
      },
    )
    this.#watch.began(task)
    void ended
  }

  /** Of a batch: what was not handled is an item of its own now. */
  #leftRest(task: Task): void {
    const { lane } = task
    if (lane.isIgnored(task)) return this.#scheduler.drop(task)
    if (lane.isHandled(task)) return this.#scheduler.end(task)
    task.isPartial = false
    // It is no failed attempt.
    task.attemptsHere--
    this.#retry(task, 0)
  }

  /** Beside the handlers: what can be said of a topic that is not there is said at once, and not when a first record is to go there. */
  async #checkTopics(): Promise<void> {
    try {
      await checkCopyTopics(this.#config.failures, this.#cluster, this.#over.signal)
    } catch (error) {
      // Without an answer the producer will see.
      if (error instanceof MissingTopicError) this.#finish(error)
    }
  }

  // ---- failures ----

  #failed(task: Task, error: unknown): void {
    const { lane } = task
    task.keepMemory()
    if (lane.isIgnored(task)) return this.#scheduler.drop(task)
    const { topic, partition } = lane.source
    const place = { topic, partition, offset: task.offset }
    const { action, cause } = this.#actionFor(task, error)
    const target = 'target' in action ? action.target : null
    this.#core.events.emit('handlerFailed', { ...place, attempt: task.attempt, action: action.action, target, error: cause })
    switch (action.action) {
      case 'retry':
        return this.#retry(task, action.delayMs)
      case 'skip':
        return this.#scheduler.end(task)
      case 'stop':
        this.#scheduler.drop(task)
        return this.#finish(isA(cause, DeserializationError) ? cause : new HandlerError(place, task.attempt, cause))
      default:
        this.#scheduler.copy(task)
        void this.#copy(task, action.target, action.action === 'retryTopic' ? action.delayMs : null, cause)
    }
  }

  #actionFor(task: Task, error: unknown): { readonly action: FailureAction; readonly cause: unknown } {
    const { lane, attemptsHere } = task
    const failure = { topic: lane.source.topic, attemptsHere, isHandled: lane.isHandled(task), error }
    try {
      return { action: actionFor(this.#config.failures, failure, this.#random()), cause: error }
    } catch (thrown) {
      return { action: { action: 'stop' }, cause: thrown }
    }
  }

  #retry(task: Task, delayMs: number): void {
    if (isBatch(task.stored)) task.item = restOf(task.stored, task.offset)
    this.#scheduler.retry(task, this.#clock.now() + delayMs)
  }

  async #copy(task: Task, target: string, delayMs: number | null, cause: unknown): Promise<void> {
    try {
      await this.#copier.copy(task, { target, delayMs }, cause)
      this.#scheduler.end(task)
    } catch (error) {
      const isIgnored = task.lane.isIgnored(task)
      this.#scheduler.drop(task)
      if (!isIgnored) this.#finish(asKafkaError(error))
    }
    this.#pump()
  }

  // ---- the end ----

  /** Nothing begins any more; what runs may end in `drainTimeoutMs`. */
  #finish(error: KafkaError | null): void {
    this.#error ??= error
    this.#now = this.#clock.now()
    // After a failure what ran may end, and no more.
    if (error !== null) this.#scheduler.cut(this.#now)
    if (this.#isEnding) return
    this.#isEnding = true
    this.#scheduler.stop(this.#now)
    this.#abandonAfter(this.#config.drainTimeoutMs)
    this.wake()
  }

  /** Whoever says less time later gives less; nobody gives more than there is. */
  #abandonAfter(timeoutMs: number): void {
    if (!this.#isOver) this.#drainAlarm.set(this.#clock.now() + timeoutMs)
  }

  /** What still runs is told by its signal, and ignored: its record comes again. */
  #abandon(): void {
    this.#watch.abandon()
    this.#scheduler.abandon(this.#clock.now())
    void this.#end()
  }

  async #end(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    this.#drainAlarm.cancel()
    this.#alarm.cancel()
    this.#watch.stop()
    this.#over.abort()
    this.#config.signal?.removeEventListener('abort', this.#onAbort)
    await this.#core.commitAtEnd([...this.#core.assignment.cursors()])
    this.#loops.ended(this)
    if (this.#error === null) this.#outcome.resolve()
    else this.#outcome.reject(this.#error)
  }
}

/** False when the record is to be passed over. */
function decode(task: Task, decoder: RecordDecoder): boolean {
  task.item = decoder.decode(task.stored as KafkaRecord)
  task.isDecoded = true
  return task.item !== null
}
