import { ErrorCode, type KafkaError } from '@millrace/protocol'
import { errorAbout, type ClusterClient } from '@millrace/client/internal'
import { fetchApi, type FetchResponse } from '@millrace/protocol/apis/fetch'
import { asKafkaError } from '@millrace/protocol/internal'
import type { ConsumerConfig } from '../config.ts'
import type { MetricsRecorder } from '../consumer-metrics.ts'
import { EARLY_FETCH_BYTES, FETCH_TIMEOUT_LAPSE_MS } from '../limits.ts'
import type { FetchCall } from './broker-fetches.ts'
import { Fetcher, type ClusterView, type Leadership } from './fetcher.ts'
import type { PartitionCursor } from './partition-cursor.ts'

export interface FetchListener {
  /** The log does not have these positions. */
  outOfRange(cursors: readonly PartitionCursor[]): void
  /** These were read under another leader. */
  newLeaders(cursors: readonly PartitionCursor[]): void
  /** The topic of this name has another id: it was deleted and made anew. */
  newTopic(cursor: PartitionCursor, topicId: string): void
  /** It cannot be fetched. */
  positionFailed(cursor: PartitionCursor, error: KafkaError): void
  failed(error: KafkaError): void
  /** Something came, or may be asked for again. */
  changed(): void
}

/** Fetches have a connection of their own: they wait for data, and heartbeats and commits must not wait behind them. */
const FETCH_ROLE = 'fetch'
/** A broker serves a connection's requests in their order: what must not wait behind a fetch that waits has its own. Opened when first needed. */
const ASIDE_ROLE = 'fetch-aside'

/** Carries out what a `Fetcher` wants: its requests, and fresh metadata. */
export class FetchLoop {
  readonly fetcher: Fetcher
  readonly #config: ConsumerConfig
  readonly #cluster: ClusterClient
  readonly #listener: FetchListener
  #isRefreshing = false
  /** So much came just now that the next fetch is to leave before the application gets to that. */
  #isEarly = false
  #isOver = false

  readonly #metrics: MetricsRecorder

  constructor(config: ConsumerConfig, cluster: ClusterClient, metrics: MetricsRecorder, listener: FetchListener) {
    this.#metrics = metrics
    this.#config = config
    this.#cluster = cluster
    this.#listener = listener
    const view: ClusterView = {
      leaderOf: (cursor) => this.#leaderOf(cursor),
      isOnline: (cursor, node) => this.#isOnline(cursor, node),
    }
    this.fetcher = new Fetcher(config, view, () => cluster.environment.random(), metrics)
  }

  /** Fetches what is to be fetched at `now`. */
  run(now: number): void {
    this.fetcher.poll(now)
    const { effects } = this.fetcher
    for (const call of effects.calls.splice(0)) this.#fetch(call)
    const outOfRange = effects.outOfRange.splice(0)
    if (outOfRange.length > 0) this.#listener.outOfRange(outOfRange)
    const newLeaders = effects.newLeaders.splice(0)
    if (newLeaders.length > 0) this.#listener.newLeaders(newLeaders)
    for (const { cursor, topicId } of effects.newTopics.splice(0)) this.#listener.newTopic(cursor, topicId)
    for (const { cursor, error } of effects.failures.splice(0)) this.#listener.positionFailed(cursor, error)
    for (const error of effects.errors.splice(0)) this.#listener.failed(error)
    if (effects.staleTopics.size > 0 && !this.#isRefreshing) void this.#refresh()
  }

  /** What still comes is of no interest. */
  close(): void {
    this.#isOver = true
  }

  #fetch(call: FetchCall): void {
    const { node, request, maxVersion, isAside } = call
    const role = isAside ? ASIDE_ROLE : FETCH_ROLE
    const { clock } = this.#cluster.environment
    const timeoutMs = Math.max(this.#config.requestTimeoutMs, this.#config.fetchMaxWaitMs + FETCH_TIMEOUT_LAPSE_MS)
    const sentAt = clock.now()
    this.#cluster.request(node, fetchApi, request, { role, timeoutMs, maxVersion, flush: this.#isEarly }).then(
      (response) => {
        if (this.#isOver) return
        const now = clock.now()
        const bytes = this.fetcher.fetched(call, response, now)
        this.#metrics.fetched(now - sentAt, bytes)
        this.#learnLeaders(response)
        this.#isEarly = bytes >= EARLY_FETCH_BYTES
        this.#listener.changed()
        this.#isEarly = false
      },
      (error: unknown) => {
        if (this.#isOver) return
        this.fetcher.fetchFailed(call, asKafkaError(error), clock.now())
        this.#listener.changed()
      },
    )
  }

  /** KIP-951: refusals name the leader, and the answer has its address. */
  #learnLeaders(response: FetchResponse): void {
    for (const { cursor, leaderId, leaderEpoch } of this.fetcher.effects.leaderHints.splice(0)) {
      const found = response.nodeEndpoints.find(({ nodeId }) => nodeId === leaderId)
      const node = found === undefined ? undefined : { id: leaderId, host: found.host, port: found.port, rack: found.rack }
      this.#cluster.applyLeaderHint(cursor.topic, cursor.partition, leaderId, leaderEpoch, node)
    }
  }

  #leaderOf(cursor: PartitionCursor): Leadership | null {
    const known = this.#cluster.leaderFor(cursor.topic, cursor.partition)
    const topicId = this.#cluster.topicId(cursor.topic)
    if (known === undefined || topicId === undefined) return null
    return { node: known.leader, leaderEpoch: known.leaderEpoch, topicId }
  }

  #isOnline({ topic, partition }: PartitionCursor, node: number): boolean {
    const known = this.#cluster.partitionsFor(topic)[partition]
    return known !== undefined && this.#cluster.nodes.has(node) && !known.offlineReplicas.includes(node)
  }

  /** Asks for the metadata of topics whose leaders are wrong or unknown: at once, then not again before a backoff. */
  async #refresh(): Promise<void> {
    const { staleTopics } = this.fetcher.effects
    const topics = [...staleTopics]
    staleTopics.clear()
    this.#isRefreshing = true
    await this.#cluster.refreshMetadata(topics).then(() => this.#findRefused(topics), noop)
    await this.#cluster.sleep(this.#config.retryBackoffMs).catch(noop)
    this.#isRefreshing = false
    if (!this.#isOver) this.#listener.changed()
  }

  /** A topic that does not exist may come yet; one that is refused is an error. */
  #findRefused(topics: readonly string[]): void {
    for (const topic of topics) {
      const code = this.#cluster.topicError(topic)
      const error = code === ErrorCode.NONE ? null : errorAbout(code, `topic ${topic}`)
      if (error !== null && !error.retriable) this.fetcher.failTopic(topic, error)
    }
  }
}

function noop(): void {}
