import { AfterTurn, Alarm, ClusterClient, pickClientOptions, type Clock, type Environment } from '@millrace/client/internal'
import { endedBy } from './abort.ts'
import { Accumulator } from './accumulator.ts'
import { resolveProducerOptions, type ProducerConfig, type ProducerOptions } from './config.ts'
import { EffectRunner } from './effect-runner.ts'
import { abandonedByClose, producerClosed } from './errors.ts'
import { EventSource } from './events.ts'
import { FlushWait, waitForFlush } from './flush-wait.ts'
import { MetricsRecorder } from './producer-metrics.ts'
import { RecordAppender } from './record-appender.ts'
import { RecordIntake } from './record-intake.ts'
import { resume, type SendPath } from './send-path.ts'
import { Sender } from './sender.ts'
import { TopicBacklog } from './topic-backlog.ts'

/** The producer behind its ways to send: puts its parts together, runs them when there is something to do, and ends them. */
export class ProducerEngine implements SendPath {
  readonly config: ProducerConfig
  readonly clock: Clock
  readonly maxBlockMs: number
  readonly appender: RecordAppender
  readonly intake: RecordIntake | null
  readonly backlog: TopicBacklog
  readonly metrics: MetricsRecorder
  readonly events: EventSource = new EventSource()
  readonly #cluster: ClusterClient
  readonly #accumulator: Accumulator
  readonly #sender: Sender
  readonly #runner: EffectRunner
  readonly #afterTurn: AfterTurn
  readonly #alarm: Alarm
  #flushing = 0
  #awaitingReady: Array<() => void> = []
  #closed: Promise<void> | null = null
  #isOver = false

  /** @throws {ConfigError} naming the option, its value and what is allowed */
  constructor(options: ProducerOptions<never, never>, environment: Environment) {
    const config = resolveProducerOptions(options)
    const changed = (): void => this.#run()
    this.config = config
    this.clock = environment.clock
    this.#afterTurn = new AfterTurn(changed)
    this.#alarm = new Alarm(environment.clock, changed)
    this.maxBlockMs = config.maxBlockMs
    const cluster = new ClusterClient({ ...pickClientOptions(options), allowAutoCreateTopics: true }, environment)
    const accumulator = new Accumulator({ ...config, compress: config.compressionType !== 'none' })
    const sender = new Sender(config, accumulator, () => environment.random())
    const metrics = new MetricsRecorder(config.bufferMemory, accumulator)
    this.#cluster = cluster
    this.#accumulator = accumulator
    this.#sender = sender
    this.metrics = metrics
    this.#runner = new EffectRunner({ config, environment, cluster, accumulator, sender, metrics, changed })
    this.appender = new RecordAppender(config, accumulator, (topic) => {
      sender.effects.staleTopics.add(topic)
      this.schedule()
    })
    this.intake = RecordIntake.of(config, this.events)
    this.backlog = new TopicBacklog({
      config,
      environment,
      cluster,
      events: this.events,
      availability: sender.availability,
      metrics,
      setLeader: (queue, leader, epoch) => sender.setLeader(queue, leader, epoch),
      resume: (topic, send, now) => resume(this, topic, send, now),
      changed,
    })
    cluster.onMetadata(() => this.#metadataChanged())
  }

  checkOpen(): void {
    if (this.#closed !== null) throw producerClosed()
    if (this.#sender.fatal !== null) throw this.#sender.fatal
  }

  /** Runs once after the current turn, so that what is sent together goes out together. */
  schedule(): void {
    this.#afterTurn.schedule()
  }

  /** When no send waits for metadata or memory any more. */
  ready(signal: AbortSignal | undefined): Promise<void> {
    return endedBy(signal, (resolve) => {
      if (this.backlog.count === 0) resolve()
      else this.#awaitingReady.push(resolve)
    })
  }

  /** Sends at once what lingers, and waits until everything sent before is stored or failed. */
  flush(signal?: AbortSignal): Promise<void> {
    if (this.#isOver) return Promise.resolve()
    this.#flushing++
    const began = this.clock.now()
    return endedBy(signal, (resolve) => {
      const wait = new FlushWait(resolve)
      wait.expect(1)
      for (const batch of this.#accumulator.incomplete) waitForFlush(batch, wait)
      for (const send of this.backlog.all()) waitForFlush(send, wait)
      this.schedule()
      wait.arrived()
    }).finally(() => {
      this.#flushing--
      this.metrics.flushed(this.clock.now() - began)
    })
  }

  /** Flushes, for at most `timeoutMs`, then disconnects; what is not stored by then fails. */
  close(timeoutMs: number): Promise<void> {
    this.#closed ??= this.#close(timeoutMs)
    return this.#closed
  }

  async #close(timeoutMs: number): Promise<void> {
    const late = Promise.withResolvers<void>()
    const timer = this.clock.after(timeoutMs, late.resolve)
    await Promise.race([this.flush(), late.promise])
    timer.cancel()
    const error = abandonedByClose(timeoutMs)
    this.#sender.failAll(error)
    this.backlog.failAll(error)
    this.#runner.perform()
    this.#isOver = true
    this.#tellReady()
    this.#alarm.cancel()
    await this.#cluster.close()
    await this.intake?.close()
  }

  #run(): void {
    if (this.#isOver) return
    const now = this.clock.now()
    if (this.#flushing > 0 || this.backlog.isShortOfMemory) this.#accumulator.closeAll()
    this.#sender.poll(now)
    this.#runner.perform()
    this.backlog.run(now)
    if (this.backlog.count === 0) this.#tellReady()
    if (this.backlog.isShortOfMemory && this.#accumulator.openCount > 0) this.schedule()
    this.#alarm.set(Math.min(this.#sender.deadline, this.backlog.deadline))
  }

  #tellReady(): void {
    for (const resolve of this.#awaitingReady.splice(0)) resolve()
  }

  #metadataChanged(): void {
    this.backlog.updateTopics()
    this.#run()
  }
}
