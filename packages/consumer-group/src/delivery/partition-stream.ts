import type { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { Assignment } from '../assignment.ts'
import type { ConsumerRecord } from '../consumer-record.ts'
import { consumerBusy } from '../errors.ts'
import type { ConsumerBatch } from '../fetch/consumer-batch.ts'
import type { PartitionCursor } from '../fetch/partition-cursor.ts'
import type { Delivery } from './delivery.ts'
import type { ItemLoop, ItemSource } from './item-loop.ts'
import { PartitionSource, itemsOf, type Items } from './item-sources.ts'
import type { Loops } from './loops.ts'
import { nodeReadable, webReadable } from './readable.ts'
import type { RecordDecoder } from './record-decoder.ts'

export interface LoopOptions {
  /** Ends the loop by throwing ABORTED as soon as it asks for more. */
  readonly signal?: AbortSignal | undefined
}

export interface RecordLoopOptions extends LoopOptions {
  /**
   * Whether the memory of each record is given back once it was handled, as `using` does for batches: at once or as soon as everything is read that came with it. From then on only its topic, partition and
   * offset are to be used, and what deserializers made, unless that are views: buffers become empty, and what is decoded at access throws `BatchDisposedError`. So nothing may be at work on them when
   * the loop asks for the next one, such as a write that was not awaited, and nobody may read ahead of whoever handles. It takes half the CPU where records are large. Default false.
   */
  readonly disposeHandled?: boolean | undefined
}

/**
 * The records of one partition, for as long as it is ours: a loop over it ends when the partition is given up, after its last record was
 * handled. What counts as handled is as for the consumer's own loops. One loop at a time; after one that ended early, the next goes on.
 */
export class PartitionStream<Key = Buffer | null, Value = Buffer | null> implements AsyncIterable<ConsumerRecord<Key, Value>> {
  readonly topic: string
  readonly partition: number
  readonly #start: (items: Items, signal: AbortSignal | undefined) => ItemLoop<unknown>

  /** Made by the consumer. */
  constructor(
    { topic, partition }: { readonly topic: string; readonly partition: number },
    start: (items: Items, signal: AbortSignal | undefined) => ItemLoop<unknown>,
  ) {
    this.topic = topic
    this.partition = partition
    this.#start = start
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<ConsumerRecord<Key, Value>> {
    return this.records()
  }

  /** As iterating the stream itself, with options. */
  records(options: RecordLoopOptions = {}): AsyncIterableIterator<ConsumerRecord<Key, Value>> {
    return this.#start(itemsOf(options), options.signal) as ItemLoop<ConsumerRecord<Key, Value>>
  }

  /** At most `maxPollRecords` at a time. A batch counts as handled as a whole. */
  batches(options: LoopOptions = {}): AsyncIterableIterator<ConsumerBatch<Key, Value>> {
    return this.#start('batches', options.signal) as ItemLoop<ConsumerBatch<Key, Value>>
  }

  /** A Web stream of the records. One was handled when the next is read; cancelling gives back what is in hand. */
  readable(options: LoopOptions = {}): ReadableStream<ConsumerRecord<Key, Value>> {
    return webReadable(this.records({ signal: options.signal }))
  }

  /** A Node stream of the records, in object mode. One was handled when the next is read; destroying gives back what is in hand. */
  nodeReadable(options: LoopOptions = {}): Readable {
    return nodeReadable(this.records({ signal: options.signal }))
  }
}

const NOTHING: ItemSource<unknown> = { pull: () => null, isOver: () => true, handled: () => {}, giveBack: () => {} }

/** Gives a stream for each partition that is ours, and for each that comes. */
export class PartitionsSource implements ItemSource<PartitionStream> {
  readonly #assignment: Assignment
  readonly #delivery: Delivery
  readonly #decoder: RecordDecoder | null
  readonly #loops: Loops
  #given = new WeakSet<PartitionCursor>()
  #hasEnded = false

  constructor(assignment: Assignment, delivery: Delivery, decoder: RecordDecoder | null, loops: Loops) {
    this.#assignment = assignment
    this.#delivery = delivery
    this.#decoder = decoder
    this.#loops = loops
  }

  pull(): PartitionStream | null {
    this.#delivery.throwFailure()
    for (const cursor of this.#assignment.cursors()) {
      if (this.#given.has(cursor)) continue
      this.#given.add(cursor)
      return this.#streamOf(cursor)
    }
    return null
  }

  isOver(): boolean {
    return false
  }

  handled(): void {
    this.#delivery.watch.asked()
  }

  /** What a stream has in hand is its own. */
  giveBack(): void {}

  /** Nobody takes partitions any more: the loops over those that were given end as well, and no other may begin beside whatever the consumer does next. */
  ended(): void {
    this.#hasEnded = true
    this.#loops.wake()
  }

  #streamOf(cursor: PartitionCursor): PartitionStream {
    let running: ItemLoop<unknown> | null = null
    const { topic, partition } = cursor
    return new PartitionStream({ topic, partition }, (items, signal) => {
      if (running !== null && !running.isOver) throw consumerBusy(`${topic}-${partition}`)
      const isOver = (): boolean => this.#hasEnded
      // What the partition has in hand may be another loop's by now.
      const source = isOver() ? NOTHING : new PartitionSource(this.#delivery, cursor, items, this.#decoder, isOver)
      return (running = this.#loops.start(source, signal))
    })
  }
}
