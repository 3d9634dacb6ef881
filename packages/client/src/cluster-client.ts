import { ErrorCode, errorFor, KafkaError, type Api } from '@millrace/protocol'
import type { RequestOptions } from './connection.ts'
import { ConnectionPool } from './connection-pool.ts'
import { CoordinatorLookup } from './coordinator-lookup.ts'
import type { Authenticator } from './core/authenticator.ts'
import type { BrokerVersions } from './core/broker-versions.ts'
import type { CoordinatorType } from './core/coordinator-cache.ts'
import type { Node, PartitionMetadata, TopicMetadata } from './core/metadata-cache.ts'
import { isRoutingError } from './core/routing-errors.ts'
import { RetryPolicy } from './core/retry-policy.ts'
import type { RequestBody } from './core/session-request.ts'
import type { Environment } from './environment.ts'
import { aborted, BootstrapError, clientClosed, errorAbout, isRetriable, TimeoutError } from './errors.ts'
import { nodeEnvironment } from './io/node-environment.ts'
import { MetadataManager } from './metadata-manager.ts'
import { topErrorCode, type SendOptions, type Target, type WaitOptions } from './send-options.ts'
import { timeoutOption } from './option-checks.ts'
import { resolveClientOptions, type ClientConfig, type ClusterClientOptions } from './options.ts'
import { Waits } from './waits.ts'

/** Sent in ApiVersions, for the broker's metrics by client software. */
const SOFTWARE_VERSION = '0.1.0'

/**
 * The connection to a cluster that producers, consumers and admin share the code of: bootstrap, metadata, routing, retries.
 * Nothing is connected before the first call. Every call ends: with its result, at its timeout, by its signal or by `close`.
 */
export class ClusterClient implements AsyncDisposable {
  readonly config: ClientConfig
  readonly environment: Environment
  readonly #waits: Waits
  readonly #pool: ConnectionPool
  readonly #metadata: MetadataManager
  readonly #coordinators: CoordinatorLookup
  readonly #retry: RetryPolicy
  #features: BrokerVersions | null = null

  /**
   * @param authenticator makes the step between version negotiation and use, for each connection; none by default
   * @throws ConfigError
   */
  constructor(
    options: ClusterClientOptions,
    environment: Environment = nodeEnvironment,
    authenticator: () => Authenticator | null = () => null,
  ) {
    const config = resolveClientOptions(options)
    this.config = config
    this.environment = environment
    this.#waits = new Waits(environment.clock)
    this.#retry = new RetryPolicy(config.retryBackoffMs, config.retryBackoffMaxMs)
    const onVersions = (versions: BrokerVersions): void => this.#learnVersions(versions)
    this.#pool = new ConnectionPool({ config, environment, softwareVersion: SOFTWARE_VERSION, authenticator, onVersions })
    this.#metadata = new MetadataManager({ config, environment, pool: this.#pool, waits: this.#waits })
    this.#coordinators = new CoordinatorLookup(this, this.#metadata.cache, this.#pool)
  }

  // ---- requests ----

  /**
   * Sends a request to its target and retries with backoff what may be retried: lost connections, timeouts, a coordinator,
   * controller or leader that moved. Errors inside the response are the caller's, except those that say so (`errorOf`).
   * @throws KafkaError: API_TIMED_OUT, BOOTSTRAP_FAILED, UNSUPPORTED_VERSION, ABORTED, CLIENT_CLOSED
   */
  async send<Request, Response>(
    api: Api<Request, Response>,
    body: RequestBody<Request>,
    target: Target,
    options: SendOptions<Response> = {},
  ): Promise<Response> {
    const timeoutMs = timeoutOption(options.timeoutMs, this.config.defaultApiTimeoutMs)
    const deadline = this.environment.clock.now() + timeoutMs
    for (let attempt = 0; ; attempt++) {
      let failure: KafkaError
      let node: number | null = null
      try {
        node = await this.#route(target, deadline, options.signal)
        const response = await this.#attempt(node, api, body, target, deadline, options)
        const code = (options.errorOf ?? topErrorCode)(response)
        if (code === ErrorCode.NONE || options.retry === false || !isRoutingError(target, code)) return response
        failure = errorFor(code)
      } catch (error) {
        if (options.retry === false || !isRetriable(error)) throw error
        failure = error as KafkaError
      }
      this.#unroute(target, node)
      await this.#backOff(api.name, attempt, deadline, timeoutMs, failure, options.signal)
    }
  }

  /**
   * One request to one node, once: for senders and fetchers that decide themselves what to do about a failure.
   * `timeoutMs` is for this attempt. With `noResponse` it resolves to undefined when written.
   */
  request<Request, Response>(
    nodeId: number,
    api: Api<Request, Response>,
    body: RequestBody<Request>,
    options: RequestOptions = {},
  ): Promise<Response> {
    if (this.#waits.closedWith !== null) return Promise.reject(this.#waits.closedWith)
    if (!this.#pool.has(nodeId)) return Promise.reject(unknownNode(nodeId))
    return this.#pool.request(nodeId, api, body, options)
  }

  /** Whether a request to the node would go out at once: connected, negotiated and not waiting for a backoff. */
  isReady(nodeId: number, role = 'main'): boolean {
    return this.#pool.isReady(nodeId, role)
  }

  /** False while a failed connection to the node is not tried again yet. */
  isAvailable(nodeId: number): boolean {
    return this.#pool.isAvailable(nodeId)
  }

  // ---- metadata ----

  /** Makes sure that the cluster's brokers are known. Every other call does this by itself. */
  async connect(options: WaitOptions = {}): Promise<void> {
    if (!this.#metadata.isKnown) await this.refreshMetadata([], options)
  }

  /**
   * Fetches the metadata of these topics anew (none: of the brokers only) and keeps refreshing it while they are used.
   * A topic that does not exist is no error here: see `topicError`.
   * @throws BootstrapError, ABORTED, CLIENT_CLOSED
   */
  async refreshMetadata(topics: readonly string[] = [], options: WaitOptions = {}): Promise<void> {
    const deadline = this.environment.clock.now() + timeoutOption(options.timeoutMs, this.config.defaultApiTimeoutMs)
    await this.#refresh(topics, deadline, options.signal)
  }

  /** The topic with its partitions, fetched if it is not known, and awaited if it does not exist yet. */
  async waitForTopic(name: string, options: WaitOptions = {}): Promise<TopicMetadata> {
    const timeoutMs = timeoutOption(options.timeoutMs, this.config.defaultApiTimeoutMs)
    const deadline = this.environment.clock.now() + timeoutMs
    for (let attempt = 0; ; attempt++) {
      this.#waits.check(options.signal)
      const topic = this.topic(name)
      if (topic !== undefined && topic.partitions.length > 0) return topic
      if (attempt > 0) {
        const code = this.topicError(name) || ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        const failure = errorAbout(code, `topic ${name}`)
        if (!failure.retriable) throw failure
        const delayMs = this.#retry.delayMs(attempt - 1, this.environment.random())
        if (this.environment.clock.now() + delayMs >= deadline) {
          throw errorAbout(code, `topic ${name} was not there within ${timeoutMs} ms`)
        }
        await this.#waits.sleep(delayMs, options.signal)
      }
      await this.#refresh([name], deadline, options.signal)
    }
  }

  /** What is known of the topic; undefined if nothing is. */
  topic(name: string): TopicMetadata | undefined {
    this.#metadata.touch(name)
    return this.#metadata.cache.topic(name)
  }

  /** The error code of the topic when it was last asked for; 0 if it was there. */
  topicError(name: string): number {
    return this.#metadata.cache.errorOf(name)
  }

  /** The id of the topic; undefined if the topic is not known. ZERO_UUID if the broker is older than topic ids. */
  topicId(name: string): string | undefined {
    return this.#metadata.cache.topic(name)?.id
  }

  topicName(id: string): string | undefined {
    return this.#metadata.cache.topicNameOf(id)
  }

  /** By partition number; empty if the topic is not known. */
  partitionsFor(topic: string): readonly PartitionMetadata[] {
    this.#metadata.touch(topic)
    return this.#metadata.cache.partitionsOf(topic)
  }

  /** The partition with its `leader` and `leaderEpoch`; undefined if it is not known or its leader is not. */
  leaderFor(topic: string, partition: number): PartitionMetadata | undefined {
    this.#metadata.touch(topic)
    const known = this.#metadata.cache.partition(topic, partition)
    return known !== undefined && this.#metadata.cache.nodes.has(known.leader) ? known : undefined
  }

  /** KIP-951: a broker named the new leader in its refusal. True if that was news, and no refresh is needed. */
  applyLeaderHint(topic: string, partition: number, leader: number, leaderEpoch: number, node?: Node): boolean {
    if (node !== undefined) this.#learnNode(node)
    return this.#metadata.cache.applyLeaderHint(topic, partition, leader, leaderEpoch)
  }

  get nodes(): ReadonlyMap<number, Node> {
    return this.#metadata.cache.nodes
  }

  get clusterId(): string | null {
    return this.#metadata.cache.clusterId
  }

  /** -1 if unknown. */
  get controllerId(): number {
    return this.#metadata.cache.controllerId
  }

  /** Calls `listener` after each metadata answer, until the returned function is called or the client closes. */
  onMetadata(listener: () => void): () => void {
    return this.#metadata.listen(listener)
  }

  /** The cluster's finalized level of a feature (`transaction.version`); 0 if it has none or no broker was asked yet. */
  finalizedFeature(name: string): number {
    return this.#features?.finalizedFeatures.get(name) ?? 0
  }

  // ---- coordinators ----

  /** The coordinator's node, looked up if it is not known. */
  async coordinatorFor(type: CoordinatorType, key: string, options: WaitOptions = {}): Promise<number> {
    const deadline = this.environment.clock.now() + timeoutOption(options.timeoutMs, this.config.defaultApiTimeoutMs)
    return this.#coordinator(type, key, deadline, options.signal)
  }

  /** The coordinator that `coordinatorFor` gave is none any more, or cannot be reached. */
  invalidateCoordinator(type: CoordinatorType, key: string, nodeId: number): void {
    this.#coordinators.invalidate(type, key, nodeId)
  }

  // ---- waiting ----

  /** Waits, unless the signal fires or the client closes. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return this.#waits.sleep(delayMs, signal)
  }

  /** Closes every connection and rejects everything pending with CLIENT_CLOSED. May be called again. */
  close(): Promise<void> {
    if (this.#waits.closedWith === null) {
      const error = clientClosed()
      this.#waits.close(error)
      this.#metadata.close()
      this.#pool.close(error)
    }
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // ---- routing ----

  async #route(target: Target, deadline: number, signal: AbortSignal | undefined): Promise<number> {
    this.#waits.check(signal)
    if (!this.#metadata.isKnown) await this.#refresh([], deadline, signal)
    if (target === 'any') return this.#metadata.leastLoaded()[0]!
    if (target === 'controller') return this.nodes.has(this.controllerId) ? this.controllerId : this.#metadata.leastLoaded()[0]!
    if ('node' in target) return this.#knownNode(target.node, deadline, signal)
    if ('group' in target) return this.#coordinator('group', target.group, deadline, signal)
    if ('transactionalId' in target) return this.#coordinator('transaction', target.transactionalId, deadline, signal)
    return this.#leader(target.topic, target.partition, deadline, signal)
  }

  async #knownNode(node: number, deadline: number, signal: AbortSignal | undefined): Promise<number> {
    if (!this.nodes.has(node)) await this.#refresh([], deadline, signal)
    if (!this.nodes.has(node)) throw unknownNode(node)
    return node
  }

  async #leader(topic: string, partition: number, deadline: number, signal: AbortSignal | undefined): Promise<number> {
    let known = this.leaderFor(topic, partition)
    if (known === undefined) {
      await this.waitForTopic(topic, { timeoutMs: Math.max(1, deadline - this.environment.clock.now()), signal })
      known = this.leaderFor(topic, partition)
    }
    if (known !== undefined) return known.leader
    if (this.partitionsFor(topic)[partition] === undefined) {
      throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `topic ${topic} has no partition ${partition}`)
    }
    await this.#refresh([topic], deadline, signal)
    throw errorAbout(ErrorCode.LEADER_NOT_AVAILABLE, `${topic}-${partition}`)
  }

  async #coordinator(type: CoordinatorType, key: string, deadline: number, signal: AbortSignal | undefined): Promise<number> {
    this.#waits.check(signal)
    const known = this.#coordinators.get(type, key)
    if (known !== undefined) return known
    const leftMs = Math.max(0, deadline - this.environment.clock.now())
    const onTimeout = (): KafkaError =>
      timedOut(`the search for the coordinator of ${type} ${key}`, leftMs, this.#coordinators.failure(type, key))
    return this.#waits.bound(this.#coordinators.find(type, key), deadline, signal, onTimeout)
  }

  /** After a failure: what led to this node is not trusted any more. */
  #unroute(target: Target, node: number | null): void {
    if (node === null) return
    if (typeof target === 'object' && 'group' in target) return this.#coordinators.invalidate('group', target.group, node)
    if (typeof target === 'object' && 'transactionalId' in target) {
      return this.#coordinators.invalidate('transaction', target.transactionalId, node)
    }
    const topics = typeof target === 'object' && 'topic' in target ? [target.topic] : []
    this.#metadata.refresh(topics).catch(() => {})
  }

  #attempt<Request, Response>(
    node: number,
    api: Api<Request, Response>,
    body: RequestBody<Request>,
    target: Target,
    deadline: number,
    options: SendOptions<Response>,
  ): Promise<Response> {
    const leftMs = Math.max(1, deadline - this.environment.clock.now())
    const isCoordinator = typeof target === 'object' && ('group' in target || 'transactionalId' in target)
    return this.request(node, api, body, {
      role: options.role ?? (isCoordinator ? 'coordinator' : 'main'),
      timeoutMs: Math.min(leftMs, options.requestTimeoutMs ?? this.config.requestTimeoutMs),
      signal: options.signal,
      maxVersion: options.maxVersion,
    })
  }

  async #backOff(
    what: string,
    attempt: number,
    deadline: number,
    timeoutMs: number,
    failure: KafkaError,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const delayMs = this.#retry.delayMs(attempt, this.environment.random())
    if (this.environment.clock.now() + delayMs >= deadline) {
      if (failure instanceof BootstrapError) throw failure
      throw new TimeoutError(
        'API_TIMED_OUT',
        timeoutMs,
        `${what} did not succeed within ${timeoutMs} ms: ${failure.message}`,
        failure,
      )
    }
    await this.#waits.sleep(delayMs, signal)
  }

  #refresh(topics: readonly string[], deadline: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#waits.closedWith !== null) return Promise.reject(this.#waits.closedWith)
    if (signal?.aborted === true) return Promise.reject(aborted(signal))
    return this.#waits.bound(this.#metadata.refresh(topics), deadline, signal, () => this.#metadata.failure())
  }

  #learnNode(node: Node): void {
    this.#metadata.cache.learnNode(node)
    this.#pool.setEndpoint(node.id, node)
  }

  #learnVersions(versions: BrokerVersions): void {
    if (this.#features === null || versions.finalizedFeaturesEpoch >= this.#features.finalizedFeaturesEpoch)
      this.#features = versions
  }
}

function unknownNode(nodeId: number): KafkaError {
  return errorAbout(ErrorCode.BROKER_NOT_AVAILABLE, `node ${nodeId}, which is not in the cluster's metadata`)
}

function timedOut(what: string, timeoutMs: number, cause: KafkaError | undefined): TimeoutError {
  const reason = cause === undefined ? '' : `: ${cause.message}`
  return new TimeoutError('API_TIMED_OUT', timeoutMs, `${what} did not end within ${timeoutMs} ms${reason}`, cause)
}
