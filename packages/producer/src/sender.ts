import { ErrorCode, type KafkaError } from '@millrace/protocol'
import { errorAbout, RetryPolicy } from '@millrace/client/internal'
import type { ProduceRequest, ProduceResponse } from '@millrace/protocol/apis/produce'
import type { Accumulator } from './accumulator.ts'
import type { ProducerConfig } from './config.ts'
import type { BatchOutcome } from './delivery.ts'
import { DeliveryTimeoutError } from './errors.ts'
import { ProducerIdentity } from './idempotence.ts'
import { BATCHES_PER_POLL, PARTITION_OVERHEAD_BYTES, REQUEST_OVERHEAD_BYTES } from './limits.ts'
import { NodeAvailability } from './node-availability.ts'
import type { PartitionQueue } from './partition-queue.ts'
import { produceRequestOf } from './produce-request.ts'
import { resultsOf, type PartitionResult } from './produce-response.ts'
import type { ProducerBatch } from './producer-batch.ts'
import { splitBatch } from './split.ts'
import { verdictOf } from './verdict.ts'

/** One request to one broker: at most one batch per partition. */
export interface ProduceCall {
  readonly node: number
  readonly batches: readonly ProducerBatch[]
  readonly request: ProduceRequest
}

/** A batch has its outcome; its deliveries are to be told. */
export interface Settled {
  readonly batch: ProducerBatch
  readonly outcome: BatchOutcome
}

/** What the sender wants done. Each list is emptied by whoever carries it out. */
export interface SenderEffects {
  readonly calls: ProduceCall[]
  readonly settled: Settled[]
  /** Topics whose leaders are unknown or wrong. */
  readonly staleTopics: Set<string>
  /** Set when a producer id is to be asked for. */
  initProducerId: boolean
  /** Batches that were split. */
  splits: number
}

export type SenderConfig = Pick<
  ProducerConfig,
  | 'acks'
  | 'batchSize'
  | 'deliveryTimeoutMs'
  | 'enableIdempotence'
  | 'maxInFlightRequestsPerConnection'
  | 'maxRequestSize'
  | 'partitionerAvailabilityTimeoutMs'
  | 'requestTimeoutMs'
  | 'retryBackoffMs'
  | 'retryBackoffMaxMs'
>

/**
 * Decides what to send now: which batches, to which broker, and what becomes of them afterwards. It does no I/O: `poll`
 * looks at the time and queues effects; answers come back through `produced` and `produceFailed`.
 */
export class Sender {
  readonly effects: SenderEffects = { calls: [], settled: [], staleTopics: new Set(), initProducerId: false, splits: 0 }
  readonly identity: ProducerIdentity = new ProducerIdentity()
  /** Which brokers take what there is for them. */
  readonly availability: NodeAvailability
  readonly #config: SenderConfig
  readonly #accumulator: Accumulator
  readonly #random: () => number
  readonly #retryPolicy: RetryPolicy
  readonly #inFlightByNode = new Map<number, number>()
  /** No batch times out before this. */
  #nextExpiry = Infinity
  #retryDeadline = Infinity
  /** Batches that this `poll` may still send. */
  #turnLeft = BATCHES_PER_POLL
  /** What no send can recover from. */
  #fatal: KafkaError | null = null

  constructor(config: SenderConfig, accumulator: Accumulator, random: () => number) {
    this.#config = config
    this.#accumulator = accumulator
    this.#random = random
    this.availability = new NodeAvailability(config.partitionerAvailabilityTimeoutMs)
    this.#retryPolicy = new RetryPolicy(config.retryBackoffMs, config.retryBackoffMaxMs)
  }

  /** When `poll` is next due even if nothing else happens; the past if it left batches that can be sent. */
  get deadline(): number {
    if (this.#accumulator.incomplete.size === 0) return Infinity
    if (this.#turnLeft === 0) return 0
    return Math.min(this.#accumulator.deadline, this.#retryDeadline, this.#expiry())
  }

  get fatal(): KafkaError | null {
    return this.#fatal
  }

  /** Closes what has lingered, gives up what is too old and sends what may be sent, up to `BATCHES_PER_POLL`. */
  poll(now: number): void {
    this.availability.tick(now)
    this.#accumulator.closeLingering(now)
    if (now >= this.#expiry()) this.#expire(now)
    this.#retryDeadline = Infinity
    this.#turnLeft = BATCHES_PER_POLL
    while (this.#turnLeft > 0 && this.#drainRound(now));
  }

  /** The broker answered; `null` with acks 0, where it does not. */
  produced(call: ProduceCall, response: ProduceResponse | null, now: number): void {
    this.#leaveFlight(call)
    this.availability.answered(call.node, now, true)
    const results = resultsOf(call, response)
    for (let index = 0; index < call.batches.length; index++) this.#conclude(call.batches[index]!, results[index]!, now)
  }

  /** The request had no answer: any of its batches may be stored or not. */
  produceFailed(call: ProduceCall, error: KafkaError, now: number): void {
    this.#leaveFlight(call)
    this.availability.answered(call.node, now, !error.retriable)
    for (const batch of call.batches) {
      this.effects.staleTopics.add(batch.queue.topic.name)
      if (batch.state === 'done') continue
      batch.isOutcomeUnknown = true
      if (error.retriable && !error.fatal) this.#retry(batch, error, now)
      else this.#fail(batch, error)
    }
  }

  producerIdReceived(producerId: number, epoch: number): void {
    this.identity.assign(producerId, epoch)
  }

  /**
   * The broker refused to give one. What is retriable is asked for again. Without the right to it what there is fails, and the next send asks again: rights can
   * be given (Java: Sender.shouldHandleAuthorizationError). Anything else is the end.
   */
  producerIdRefused(errorCode: number): void {
    const error = errorAbout(errorCode, 'producer id')
    if (errorCode === ErrorCode.CLUSTER_AUTHORIZATION_FAILED) this.#failIncomplete(error)
    if (error.retriable || errorCode === ErrorCode.CLUSTER_AUTHORIZATION_FAILED) this.producerIdFailed(error)
    else this.failAll(error)
  }

  compressionFailed(batch: ProducerBatch, error: KafkaError): void {
    if (batch.state === 'done') return
    this.#takeFromQueue(batch)
    this.#fail(batch, error)
  }

  /** There is no producer id yet; it will be asked for again. */
  producerIdFailed(error: KafkaError): void {
    this.identity.state = 'missing'
    for (const batch of this.#accumulator.incomplete) if (batch.attempts === 0) batch.lastError = error
  }

  /** Gives up every batch, sent or not, and lets no other one come: no producer id will come, or the producer closes. */
  failAll(error: KafkaError): void {
    this.#fatal = error
    this.#failIncomplete(error)
  }

  #failIncomplete(error: KafkaError): void {
    for (const batch of this.#accumulator.incomplete) {
      this.#takeFromQueue(batch)
      this.#fail(batch, error)
    }
  }

  /** A leader that is newer than what the queue knows; waiting retries go to it at once (KIP-951). */
  setLeader(queue: PartitionQueue, leader: number, leaderEpoch: number): void {
    if (leaderEpoch >= 0 && leaderEpoch < queue.leaderEpoch) return
    if (leader >= 0 && leader !== queue.leader) queue.retryAt = 0
    queue.leader = leader
    queue.leaderEpoch = leaderEpoch
  }

  /** Builds at most one request per broker; true if it built any. */
  #drainRound(now: number): boolean {
    const { epoch } = this.identity
    const requests = new Map<number, { batches: ProducerBatch[]; bytes: number }>()
    let left = this.#turnLeft
    for (const queue of this.#accumulator.readyQueues) {
      if (left === 0) break
      const batch = this.#nextBatch(queue, now)
      if (batch === null) continue
      const canDrain = (this.#inFlightByNode.get(queue.leader) ?? 0) < this.#config.maxInFlightRequestsPerConnection
      this.availability.note(queue.leader, now, canDrain)
      if (!canDrain) continue
      if (batch.state === 'open') this.#accumulator.close(batch)
      // Its turn comes when it is compressed.
      if (batch.state !== 'ready') continue
      const size = batch.sizeInBytes + PARTITION_OVERHEAD_BYTES
      const request = requests.get(queue.leader)
      if (request === undefined) {
        requests.set(queue.leader, { batches: [batch], bytes: REQUEST_OVERHEAD_BYTES + size })
        left--
      } else if (request.bytes + size <= this.#config.maxRequestSize) {
        request.batches.push(batch)
        request.bytes += size
        left--
      }
    }
    // A partition that was reset on the way took the next epoch: what others may send is to be decided anew.
    if (this.identity.epoch !== epoch) return this.#drainRound(now)
    this.#turnLeft = left
    for (const [node, { batches }] of requests) this.#send(node, batches)
    return requests.size > 0
  }

  /** The batch that this partition may send now, or null: each exit is a reason why not. */
  #nextBatch(queue: PartitionQueue, now: number): ProducerBatch | null {
    const batch = queue.next
    if (batch === undefined) {
      this.#accumulator.readyQueues.delete(queue)
      return null
    }
    if (batch.state !== 'ready' && batch.state !== 'open') return null
    if (queue.leader < 0) {
      this.effects.staleTopics.add(queue.topic.name)
      return null
    }
    if (queue.retryAt > now) {
      this.#retryDeadline = Math.min(this.#retryDeadline, queue.retryAt)
      return null
    }
    if (this.#config.enableIdempotence && !this.#maySequence(queue, batch)) return null
    return batch
  }

  #maySequence(queue: PartitionQueue, batch: ProducerBatch): boolean {
    const { sequences } = queue
    if (sequences.mayReset && queue.inFlight === 0) sequences.reset(this.identity)
    if (this.identity.state === 'missing') {
      this.identity.state = 'requested'
      this.effects.initProducerId = true
    }
    return sequences.maySend(batch, this.identity)
  }

  #send(node: number, batches: ProducerBatch[]): void {
    const { readyQueues } = this.#accumulator
    for (const batch of batches) {
      const { queue } = batch
      queue.ready.shift()
      // To the end of the line, so that every partition gets its turn.
      readyQueues.delete(queue)
      if (queue.next !== undefined) readyQueues.add(queue)
      if (this.#config.enableIdempotence) queue.sequences.assign(batch, this.identity)
      batch.seal()
      batch.attempts++
      batch.state = 'in-flight'
      queue.inFlight++
    }
    this.#inFlightByNode.set(node, (this.#inFlightByNode.get(node) ?? 0) + 1)
    this.effects.calls.push({
      node,
      batches,
      request: produceRequestOf(batches, this.#config.acks, this.#config.requestTimeoutMs),
    })
  }

  #leaveFlight(call: ProduceCall): void {
    this.#inFlightByNode.set(call.node, this.#inFlightByNode.get(call.node)! - 1)
    for (const batch of call.batches) {
      const { queue } = batch
      queue.inFlight--
      // A reset may have waited for this one.
      if (queue.next !== undefined) this.#accumulator.readyQueues.add(queue)
    }
  }

  #conclude(batch: ProducerBatch, result: PartitionResult, now: number): void {
    const { queue } = batch
    if (result.newLeader !== null) this.setLeader(queue, result.newLeader.leaderId, result.newLeader.leaderEpoch)
    const verdict = verdictOf(batch, result, this.#config.enableIdempotence)
    if (verdict.refreshMetadata) this.effects.staleTopics.add(queue.topic.name)
    if (batch.state === 'done') return
    if (verdict.isOutcomeUnknown !== undefined) batch.isOutcomeUnknown = verdict.isOutcomeUnknown
    if (verdict.resetSequences) queue.sequences.requireReset()
    switch (verdict.kind) {
      case 'delivered':
        return this.#deliver(batch, result)
      case 'retry':
        return this.#retry(batch, verdict.error, now)
      case 'split':
        return this.#split(batch, verdict.error)
      case 'failed':
        return this.#fail(batch, verdict.error)
      case 'fatal':
        return this.failAll(verdict.error)
    }
  }

  #deliver(batch: ProducerBatch, result: PartitionResult): void {
    batch.queue.sequences.delivered(batch)
    this.#settle(batch, result.baseOffset, result.logAppendTime, null)
  }

  #fail(batch: ProducerBatch, error: KafkaError): void {
    batch.queue.sequences.abandoned(batch)
    this.#settle(batch, -1, -1, error)
  }

  #settle(batch: ProducerBatch, baseOffset: number, logAppendTime: number, error: KafkaError | null): void {
    const { topic, partition } = batch.queue
    // A batch that was sent more than once may still stand in the queue of a socket that was given up, and one that nobody answers in any.
    this.#accumulator.release(batch, batch.attempts === 1 && error === null && this.#config.acks !== 0)
    this.effects.settled.push({ batch, outcome: { topic: topic.name, partition, baseOffset, logAppendTime, error } })
  }

  #retry(batch: ProducerBatch, error: KafkaError, now: number): void {
    const { queue } = batch
    batch.lastError = error
    if (now - batch.createdAt >= this.#config.deliveryTimeoutMs) return this.#fail(batch, this.#timeoutOf(batch))
    batch.state = 'ready'
    queue.requeue(batch)
    queue.retryAt = now + this.#retryPolicy.delayMs(Math.max(0, batch.attempts - 1), this.#random())
    this.#accumulator.readyQueues.add(queue)
  }

  #split(batch: ProducerBatch, error: KafkaError): void {
    const { queue } = batch
    const parts = splitBatch(batch, this.#config.batchSize)
    if (parts === null) return this.#fail(batch, error)
    this.effects.splits++
    queue.sequences.replace(batch, parts)
    for (const part of parts) queue.requeue(part)
    this.#accumulator.replace(batch, parts)
  }

  #expiry(): number {
    if (this.#nextExpiry === Infinity) {
      // Batches stand in the order of their creation, but for the parts of split ones, which are rare and come late.
      const [oldest] = this.#accumulator.incomplete
      if (oldest !== undefined) this.#nextExpiry = oldest.createdAt + this.#config.deliveryTimeoutMs
    }
    return this.#nextExpiry
  }

  #expire(now: number): void {
    const { deliveryTimeoutMs } = this.#config
    this.#nextExpiry = Infinity
    for (const batch of this.#accumulator.incomplete) {
      const expiry = batch.createdAt + deliveryTimeoutMs
      if (expiry > now) {
        this.#nextExpiry = Math.min(this.#nextExpiry, expiry)
        continue
      }
      this.#takeFromQueue(batch)
      this.#fail(batch, this.#timeoutOf(batch))
    }
  }

  #takeFromQueue(batch: ProducerBatch): void {
    const at = batch.queue.ready.indexOf(batch)
    if (at >= 0) batch.queue.ready.splice(at, 1)
  }

  #timeoutOf(batch: ProducerBatch): DeliveryTimeoutError {
    const { topic, partition } = batch.queue
    const { deliveryTimeoutMs } = this.#config
    return new DeliveryTimeoutError(topic.name, partition, batch.recordCount, deliveryTimeoutMs, batch.attempts, batch.lastError)
  }
}
