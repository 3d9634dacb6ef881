import { ErrorCode, errorFor, KafkaError, ZERO_UUID } from '@millrace/protocol'
import { metadataApi, type MetadataRequest, type MetadataResponse } from '@millrace/protocol/apis/metadata'
import type { ConnectionPool } from './connection-pool.ts'
import { MetadataCache } from './core/metadata-cache.ts'
import { RetryPolicy } from './core/retry-policy.ts'
import type { Environment, Timer } from './environment.ts'
import { addressOf, BootstrapError, ConnectionError, TimeoutError, type BootstrapAttempt } from './errors.ts'
import { MAX_TIMER_MS } from './limits.ts'
import type { ClientConfig } from './options.ts'
import type { Waits } from './waits.ts'

export interface MetadataManagerOptions {
  readonly config: ClientConfig
  readonly environment: Environment
  readonly pool: ConnectionPool
  readonly waits: Waits
}

interface Refresh {
  readonly topics: Set<string>
  readonly promise: Promise<void>
}

/**
 * Keeps the metadata cache fresh: one request at a time, however many ask; again after `metadataMaxAgeMs`; from any broker that
 * answers, and from the bootstrap servers when no known one does.
 */
export class MetadataManager {
  readonly cache: MetadataCache = new MetadataCache()
  readonly #options: MetadataManagerOptions
  readonly #retry: RetryPolicy
  /** Topics somebody uses, and whether they were used since the last periodic refresh. */
  readonly #tracked = new Map<string, { isUsed: boolean }>()
  readonly #listeners = new Set<() => void>()
  readonly #attempts = new Map<string, KafkaError>()
  #running: Refresh | null = null
  #next: Refresh | null = null
  #timer: Timer | null = null
  #failingSince = Infinity
  #isClosed = false

  constructor(options: MetadataManagerOptions) {
    this.#options = options
    this.#retry = new RetryPolicy(options.config.retryBackoffMs, options.config.retryBackoffMaxMs)
    options.config.bootstrapServers.forEach((endpoint, index) => options.pool.setEndpoint(-1 - index, endpoint))
  }

  get isKnown(): boolean {
    return this.cache.nodes.size > 0
  }

  /** What went wrong at each address since metadata was last received. */
  failure(): BootstrapError {
    return new BootstrapError(this.#attemptList(), true)
  }

  /** Calls `listener` after each change of the metadata until the returned function is called. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Keeps the topic in the periodic refresh. */
  touch(topic: string): void {
    const tracked = this.#tracked.get(topic)
    if (tracked === undefined) this.#tracked.set(topic, { isUsed: true })
    else tracked.isUsed = true
  }

  /** Fetches the metadata of these topics, with every broker's. Joins a fetch that is under way if that has them all. */
  refresh(topics: readonly string[]): Promise<void> {
    for (const topic of topics) this.touch(topic)
    if (this.#running === null) return this.#start(new Set(topics)).promise
    if (topics.every((topic) => this.#running!.topics.has(topic))) return this.#running.promise
    if (this.#next === null) {
      const wanted = new Set<string>()
      const promise = this.#running.promise.then(noop, noop).then(() => {
        this.#next = null
        return this.#start(wanted).promise
      })
      this.#next = { topics: wanted, promise }
    }
    for (const topic of topics) this.#next.topics.add(topic)
    return this.#next.promise
  }

  /** Nodes in the order in which a request that any broker can answer should try them. */
  leastLoaded(): number[] {
    const { pool, environment } = this.#options
    const ranked = [...this.cache.nodes.keys()].map((id) => ({
      id,
      rank: (pool.isAvailable(id) ? 0 : 1e9) + pool.pendingCount(id) + environment.random(),
    }))
    return ranked.sort((a, b) => a.rank - b.rank).map(({ id }) => id)
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#timer = null
    this.#listeners.clear()
  }

  #start(topics: Set<string>): Refresh {
    const promise = this.#fetch(topics).then(
      () => this.#finished(this.#options.config.metadataMaxAgeMs),
      (error: unknown) => {
        this.#finished(this.#options.config.retryBackoffMaxMs)
        throw error
      },
    )
    // Those who asked get the error; the periodic refresh asks for nobody.
    promise.catch(noop)
    this.#running = { topics, promise }
    return this.#running
  }

  #finished(nextInMs: number): void {
    this.#running = null
    if (this.#isClosed || !this.isKnown) return
    this.#timer?.cancel()
    this.#timer = this.#options.environment.clock.after(Math.min(nextInMs, MAX_TIMER_MS), () => this.#refreshPeriodically())
  }

  #refreshPeriodically(): void {
    for (const [topic, tracked] of this.#tracked) {
      if (tracked.isUsed) {
        tracked.isUsed = false
      } else {
        this.#tracked.delete(topic)
        this.cache.forgetTopic(topic)
      }
    }
    if (this.#running === null) this.#start(new Set(this.#tracked.keys()))
  }

  /** @throws BootstrapError when the API timeout is over, or at once when no address can ever answer */
  async #fetch(topics: ReadonlySet<string>): Promise<void> {
    const { config, environment, waits } = this.#options
    // A refresh that waited for the one before it begins after `close` has ended that one.
    waits.check(undefined)
    const deadline = environment.clock.now() + config.defaultApiTimeoutMs
    this.#attempts.clear()
    for (let round = 0; ; round++) {
      const nodes = this.isKnown ? this.leastLoaded() : this.#bootstrapNodes()
      if (await this.#askInTurn(nodes, topics, deadline)) return
      const leftMs = deadline - environment.clock.now()
      const wasBootstrap = nodes.every((id) => id < 0)
      const attempts = this.#attemptList()
      if (wasBootstrap && attempts.every(({ error }) => isHopeless(error))) throw new BootstrapError(attempts, false)
      if (leftMs <= 0) throw new BootstrapError(attempts, true)
      if (!wasBootstrap && config.metadataRecoveryStrategy === 'rebootstrap') this.cache.forgetNodes()
      else await waits.sleep(Math.min(leftMs, this.#retry.delayMs(round, environment.random())), undefined)
    }
  }

  async #askInTurn(nodes: readonly number[], topics: ReadonlySet<string>, deadline: number): Promise<boolean> {
    const { config, environment, waits } = this.#options
    for (const id of nodes) {
      const now = environment.clock.now()
      if (now >= deadline) return false
      if (now - this.#failingSince >= config.metadataRecoveryRebootstrapTriggerMs && this.#rebootstrap(nodes)) return false
      this.#noteAttempt(id)
      try {
        const request = metadataRequest(topics, config.allowAutoCreateTopics)
        this.#apply(await this.#options.pool.request(id, metadataApi, request, {}), topics)
        return true
      } catch (error) {
        if (waits.closedWith !== null) throw waits.closedWith
        if (!(error instanceof KafkaError)) throw error
        this.#failingSince = Math.min(this.#failingSince, now)
        this.#attempts.set(this.#addressOf(id), error)
        if (error.code === 'REBOOTSTRAP_REQUIRED' && this.#rebootstrap(nodes)) return false
      }
    }
    return false
  }

  /** @returns whether the known nodes were given up for the bootstrap servers */
  #rebootstrap(nodes: readonly number[]): boolean {
    this.#failingSince = Infinity
    if (this.#options.config.metadataRecoveryStrategy !== 'rebootstrap' || nodes.every((id) => id < 0)) return false
    this.cache.forgetNodes()
    return true
  }

  #apply(response: MetadataResponse, topics: ReadonlySet<string>): void {
    if (response.errorCode !== ErrorCode.NONE) throw errorFor(response.errorCode)
    const { pool } = this.#options
    const answered = new Set(response.topics.map((topic) => topic.name))
    if (!this.cache.update(response)) {
      throw new KafkaError('BROKER_NOT_AVAILABLE', 'the broker knows of no broker yet, not even itself', { retriable: true })
    }
    for (const topic of topics) if (!answered.has(topic)) this.cache.forgetTopic(topic)
    this.#attempts.clear()
    this.#failingSince = Infinity
    for (const node of this.cache.nodes.values()) pool.setEndpoint(node.id, node)
    pool.retain((id) => id < 0 || this.cache.nodes.has(id))
    this.#options.config.bootstrapServers.forEach((_, index) => pool.closeUnused(-1 - index))
    for (const listener of this.#listeners) listener()
  }

  /** The bootstrap servers in random order, so that many clients do not all meet at the first. */
  #bootstrapNodes(): number[] {
    const { config, environment, pool } = this.#options
    config.bootstrapServers.forEach((endpoint, index) => pool.setEndpoint(-1 - index, endpoint))
    const ranked = config.bootstrapServers.map((_, index) => ({ id: -1 - index, rank: environment.random() }))
    return ranked.sort((a, b) => a.rank - b.rank).map(({ id }) => id)
  }

  /** Until it ends, so that whoever runs out of patience before can still say what was waited for. */
  #noteAttempt(id: number): void {
    const address = this.#addressOf(id)
    if (this.#attempts.has(address)) return
    const { requestTimeoutMs } = this.#options.config
    this.#attempts.set(
      address,
      new TimeoutError('REQUEST_TIMED_OUT_LOCALLY', requestTimeoutMs, `${address} has not answered yet`),
    )
  }

  #addressOf(id: number): string {
    const endpoint = id < 0 ? this.#options.config.bootstrapServers[-1 - id] : this.cache.nodes.get(id)
    return endpoint === undefined ? `node ${id}` : addressOf(endpoint)
  }

  #attemptList(): BootstrapAttempt[] {
    return [...this.#attempts].map(([address, error]) => ({ address, error }))
  }
}

function metadataRequest(topics: ReadonlySet<string>, allowAutoTopicCreation: boolean): MetadataRequest {
  return {
    topics: [...topics].map((name) => ({ topicId: ZERO_UUID, name })),
    allowAutoTopicCreation,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  }
}

/** Whether trying the same address again within seconds makes no sense: the name does not exist, or the answer was not Kafka's. */
function isHopeless(error: KafkaError): boolean {
  const isUnknownHost = error instanceof ConnectionError && (error.cause as { code?: unknown } | undefined)?.code === 'ENOTFOUND'
  return isUnknownHost || !error.retriable
}

function noop(): void {}
