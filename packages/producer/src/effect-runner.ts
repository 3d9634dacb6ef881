import type { ClusterClient, Environment } from '@millrace/client/internal'
import { initProducerIdApi } from '@millrace/protocol/apis/init-producer-id'
import { produceApi, type ProduceResponse } from '@millrace/protocol/apis/produce'
import { asKafkaError } from '@millrace/protocol/internal'
import type { Accumulator } from './accumulator.ts'
import { Compressor } from './compressor.ts'
import type { ProducerConfig } from './config.ts'
import { publishBatch } from './diagnostics.ts'
import { hasTopicIds } from './produce-request.ts'
import type { MetricsRecorder } from './producer-metrics.ts'
import type { ProduceCall, Sender } from './sender.ts'
import { arriveAll } from './waiting-sends.ts'

const LAST_PRODUCE_VERSION_BY_NAME = 12
/** Produce requests have a connection of their own: metadata never waits behind them. */
const PRODUCE_ROLE = 'produce'
const NO_TRANSACTION = { transactionalId: null, transactionTimeoutMs: 0x7fffffff, enable2Pc: false, keepPreparedTxn: false }

interface RunnerOptions {
  readonly config: ProducerConfig
  readonly environment: Environment
  readonly cluster: ClusterClient
  readonly accumulator: Accumulator
  readonly sender: Sender
  readonly metrics: MetricsRecorder
  /** Something came that the sender should look at. */
  changed(): void
}

/** Carries out what the sender decides: requests, compression, outcomes. Answers go back to the sender. */
export class EffectRunner {
  readonly #options: RunnerOptions
  readonly #compressor: Compressor
  #isRefreshing = false

  constructor(options: RunnerOptions) {
    this.#options = options
    const { accumulator, cluster, config, environment, metrics, sender } = options
    metrics.ask({ connections: () => connectionsOf(cluster) })
    this.#compressor = new Compressor({
      compressionType: config.compressionType,
      compressionLevel: config.compressionLevel,
      clock: environment.clock,
      accumulator,
      failed: (batch, error) => sender.compressionFailed(batch, asKafkaError(error)),
      changed: () => options.changed(),
    })
  }

  perform(): void {
    const { environment, metrics, sender } = this.#options
    const { effects } = sender
    if (this.#compressor.run()) sender.poll(environment.clock.now())
    if (effects.splits > 0) metrics.batchesSplit(effects.splits, environment.clock.now())
    effects.splits = 0
    for (const { batch, outcome } of effects.settled.splice(0)) {
      if (outcome.error !== null) metrics.failed(batch.recordCount, environment.clock.now(), outcome.topic)
      batch.deliveries.settle(outcome)
      arriveAll(batch.flushes)
      publishBatch(batch, outcome)
    }
    for (const call of effects.calls.splice(0)) this.#call(call)
    if (effects.initProducerId) {
      effects.initProducerId = false
      void this.#initProducerId()
    }
    if (effects.staleTopics.size > 0 && !this.#isRefreshing) void this.#refresh()
  }

  #call(call: ProduceCall): void {
    const { cluster, config, environment, metrics, sender } = this.#options
    const sentAt = environment.clock.now()
    metrics.requestSent(call, sentAt)
    const { acks, requestTimeoutMs } = config
    const maxVersion = hasTopicIds(call.request) ? undefined : LAST_PRODUCE_VERSION_BY_NAME
    const options = { role: PRODUCE_ROLE, timeoutMs: requestTimeoutMs, noResponse: acks === 0, maxVersion }
    cluster.request(call.node, produceApi, call.request, options).then(
      (response) => {
        const answer = acks === 0 ? null : response
        const now = environment.clock.now()
        metrics.requestEnded(call.node, sentAt, now, answer?.throttleTimeMs ?? null)
        sender.produced(call, answer, now)
        if (answer !== null) this.#learnLeaders(call, answer)
        this.#options.changed()
      },
      (error: unknown) => {
        const now = environment.clock.now()
        metrics.requestEnded(call.node, sentAt, now, null)
        sender.produceFailed(call, asKafkaError(error), now)
        this.#options.changed()
      },
    )
  }

  /** KIP-951: what the refusal says about leaders goes to the metadata, with their addresses. */
  #learnLeaders(call: ProduceCall, response: ProduceResponse): void {
    for (const { nodeId, host, port, rack } of response.nodeEndpoints) {
      const node = { id: nodeId, host, port, rack }
      for (const { queue } of call.batches) {
        if (queue.leader === nodeId)
          this.#options.cluster.applyLeaderHint(queue.topic.name, queue.partition, nodeId, queue.leaderEpoch, node)
      }
    }
  }

  async #initProducerId(): Promise<void> {
    const { cluster, config, sender } = this.#options
    try {
      const request = { ...NO_TRANSACTION, producerId: -1n, producerEpoch: -1 }
      const response = await cluster.send(initProducerIdApi, request, 'any', { timeoutMs: config.deliveryTimeoutMs })
      if (response.errorCode === 0) sender.producerIdReceived(Number(response.producerId), response.producerEpoch)
      else sender.producerIdRefused(response.errorCode)
    } catch (error) {
      const failure = asKafkaError(error)
      if (!failure.retriable || failure.fatal) sender.failAll(failure)
      else sender.producerIdFailed(failure)
    }
    if (sender.identity.state === 'missing') await this.#pause()
    this.#options.changed()
  }

  /** Asks for the metadata of topics whose leaders are wrong or unknown: at once, then not again before a backoff. */
  async #refresh(): Promise<void> {
    const { staleTopics } = this.#options.sender.effects
    const topics = [...staleTopics]
    staleTopics.clear()
    this.#isRefreshing = true
    try {
      await this.#options.cluster.refreshMetadata(topics)
    } catch {
      // Batches that wait for a leader time out with what they failed with; the next run asks again.
      for (const topic of topics) staleTopics.add(topic)
    }
    await this.#pause()
    this.#isRefreshing = false
    this.#options.changed()
  }

  #pause(): Promise<void> {
    const { cluster, config } = this.#options
    return cluster.sleep(config.retryBackoffMs).catch(() => {})
  }
}

function connectionsOf(cluster: ClusterClient): number {
  let count = 0
  for (const node of cluster.nodes.keys()) for (const role of [PRODUCE_ROLE, undefined]) if (cluster.isReady(node, role)) count++
  return count
}
