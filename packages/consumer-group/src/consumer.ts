import type { KafkaError } from '@millrace/protocol'
import { aborted, ClusterClient, nodeEnvironment, pickClientOptions, type Environment } from '@millrace/client/internal'
import { resolveConsumerOptions, type ConsumerConfig, type ConsumerOptions } from './config.ts'
import { ConsumerCore } from './consumer-core.ts'
import type { ConsumerRecord } from './consumer-record.ts'
import { consumerBusy, consumerClosed } from './errors.ts'
import type { CommittedOffset, ConsumerEvents } from './events.ts'
import type { ConsumerBatch } from './fetch/consumer-batch.ts'
import { Loading } from './fetch/record-feed.ts'
import { nextTurn } from './io/turn.ts'
import { DELIVERY_CLOCK_EVERY, DELIVERY_SLICE_MS } from './limits.ts'
import type { TopicPartition } from './topic-partition.ts'

export interface LoopOptions {
  /** Ends the loop by throwing ABORTED as soon as it asks for more. */
  readonly signal?: AbortSignal | undefined
}

/** Gives out the next record or batch: null when there is none yet. */
type Pull<Item> = () => Item | Loading | null

interface Waiter {
  /** True once it was served. */
  serve(): boolean
  end(error: KafkaError | null): void
}

/**
 * Consumes topics as a member of a group. Iterate it for records, or `batches()` for many at a time.
 *
 * At least once: a record (or batch) counts as handled when the loop asks for the next one, and only what was handled is
 * committed: every `autoCommitIntervalMs`, before a partition is given up, and in `close`. When the loop ends by `break`,
 * `return` or an exception, what it had in hand was not handled: the next loop, or the next owner of the partition, gets
 * it again. To end a loop with its last record handled, call `stop()` and let it ask once more.
 *
 * Heartbeats do not depend on the loop. While partitions are given up in a rebalance, the record in hand may be finished first.
 */
export class Consumer implements AsyncDisposable, AsyncIterable<ConsumerRecord> {
  readonly #config: ConsumerConfig
  readonly #environment: Environment
  readonly #core: ConsumerCore
  #isIterated = false
  #waiter: Waiter | null = null
  #isStopped = false
  #closed: Promise<void> | null = null
  #untilClock = DELIVERY_CLOCK_EVERY
  #sliceStart = 0

  /**
   * @param environment for sibling packages: time, chance and network
   * @throws {ConfigError} naming the option, its value and what is allowed
   */
  constructor(options: ConsumerOptions, environment: Environment = nodeEnvironment) {
    this.#config = resolveConsumerOptions(options)
    this.#environment = environment
    const cluster = new ClusterClient(pickClientOptions(options), environment)
    this.#core = new ConsumerCore(this.#config, cluster, environment, () => this.#serveWaiter())
  }

  /** The partitions that are ours now. */
  get assignment(): readonly TopicPartition[] {
    return this.#core.assignment
  }

  /** The records, one by one. One loop at a time. It ends after `stop` or `close`, and throws what stops the consumer. */
  [Symbol.asyncIterator](): AsyncIterableIterator<ConsumerRecord> {
    return this.#iterate(() => this.#core.pullRecord())
  }

  /** As iterating the consumer itself, with options. */
  records(options: LoopOptions = {}): AsyncIterableIterator<ConsumerRecord> {
    return this.#iterate(() => this.#core.pullRecord(), options.signal)
  }

  /** The records, many of one partition at a time: at most `maxPollRecords`. A batch counts as handled as a whole. */
  batches(options: LoopOptions = {}): AsyncIterableIterator<ConsumerBatch> {
    return this.#iterate(() => this.#core.pullBatch(), options.signal)
  }

  /** Calls `listener` at each such event until the returned function is called. */
  on<Name extends keyof ConsumerEvents>(event: Name, listener: (event: ConsumerEvents[Name]) => void): () => void {
    return this.#core.events.on(event, listener)
  }

  /**
   * Commits what was handled so far; or exactly `offsets`, each the offset of the next record to be handled, for partitions that are ours.
   * @throws {CommitError} as a rejection
   */
  commit(offsets?: readonly CommittedOffset[]): Promise<void> {
    if (this.#closed !== null) return Promise.reject(consumerClosed())
    return this.#core.commit(offsets)
  }

  /**
   * Ends the loop that is running as soon as it asks for more: what it has in hand was handled then. The consumer stays a member until
   * `close`, and another loop goes on where this one ended.
   */
  stop(): void {
    this.#isStopped = true
    this.#waiter?.end(null)
  }

  /**
   * Commits what was handled, leaves the group and disconnects. It does not wait for the loop: what that has in hand is not
   * committed. Failures are not thrown: see the event `commitFailed`.
   */
  close(): Promise<void> {
    this.stop()
    this.#closed ??= this.#core.close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #iterate<Item>(pull: Pull<Item>, signal?: AbortSignal): AsyncIterableIterator<Item> {
    if (this.#isIterated) throw consumerBusy()
    if (this.#closed !== null) throw consumerClosed()
    this.#isIterated = true
    this.#isStopped = false
    let isOver = false
    const onAbort = (): void => this.#waiter?.end(aborted(signal!))
    const over = (): void => {
      if (isOver) return
      isOver = true
      this.#isIterated = false
      signal?.removeEventListener('abort', onAbort)
    }
    signal?.addEventListener('abort', onAbort)
    const iterator: AsyncIterableIterator<Item> = {
      next: () => {
        if (isOver) return Promise.resolve({ done: true, value: undefined })
        if (signal?.aborted !== true) return this.#next(pull, over)
        this.#core.handled()
        over()
        return Promise.reject(aborted(signal))
      },
      return: () => {
        // break, return or throw in the loop's body: what is in hand goes back.
        if (!isOver) this.#core.putBack()
        over()
        return Promise.resolve({ done: true, value: undefined })
      },
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }

  #next<Item>(pull: Pull<Item>, over: () => void): Promise<IteratorResult<Item>> {
    if (this.#waiter !== null) return Promise.reject(consumerBusy())
    this.#core.handled()
    if (this.#isStopped) {
      over()
      return Promise.resolve({ done: true, value: undefined })
    }
    if (--this.#untilClock <= 0 && this.#isSliceOver()) return this.#nextAfterTurn(pull, over)
    try {
      const item = pull()
      if (item === null || item instanceof Loading) return this.#wait(pull, item as Loading | null, over)
      return Promise.resolve({ done: false, value: item })
    } catch (error) {
      over()
      return Promise.reject(error)
    }
  }

  /** A loop whose body never waits would keep heartbeats and fetches from their turn. */
  #isSliceOver(): boolean {
    this.#untilClock = DELIVERY_CLOCK_EVERY
    const now = this.#environment.clock.now()
    if (now - this.#sliceStart < DELIVERY_SLICE_MS) return false
    this.#sliceStart = now
    return true
  }

  async #nextAfterTurn<Item>(pull: Pull<Item>, over: () => void): Promise<IteratorResult<Item>> {
    await nextTurn()
    return this.#next(pull, over)
  }

  #wait<Item>(pull: Pull<Item>, first: Loading | null, over: () => void): Promise<IteratorResult<Item>> {
    return new Promise((resolve, reject) => {
      const serve = (): boolean => {
        try {
          const item = pull()
          if (item === null) return false
          if (item instanceof Loading) {
            void item.done.then(() => this.#serveWaiter())
            return false
          }
          resolve({ done: false, value: item })
        } catch (error) {
          over()
          reject(error)
        }
        return true
      }
      const end = (error: KafkaError | null): void => {
        this.#waiter = null
        over()
        if (error === null) resolve({ done: true, value: undefined })
        else reject(error)
      }
      this.#waiter = { serve, end }
      if (first !== null) void first.done.then(() => this.#serveWaiter())
      this.#core.idle()
    })
  }

  #serveWaiter(): void {
    const waiter = this.#waiter
    if (waiter === null) return
    this.#waiter = null
    if (!waiter.serve()) this.#waiter = waiter
    else this.#sliceStart = this.#environment.clock.now()
  }
}
