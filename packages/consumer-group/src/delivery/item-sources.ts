import { booleanOption } from '@millrace/client/internal'
import type { KafkaRecord } from '@millrace/records/internal'
import type { ConsumerBatch } from '../fetch/consumer-batch.ts'
import type { PartitionCursor } from '../fetch/partition-cursor.ts'
import { Loading } from '../fetch/record-feed.ts'
import type { Delivery } from './delivery.ts'
import type { ItemSource } from './item-loop.ts'
import type { RecordDecoder } from './record-decoder.ts'

/** What a loop asks for. `disposing-records`: what a record lies in may go once it was handled. */
export type Items = 'records' | 'disposing-records' | 'batches'

/** @throws {ConfigError} */
export function itemsOf(options: { readonly disposeHandled?: boolean | undefined }): Items {
  return booleanOption(options, 'disposeHandled', false) ? 'disposing-records' : 'records'
}

/** Records or batches of all partitions. */
export class AllPartitionsSource implements ItemSource<unknown> {
  readonly #delivery: Delivery
  readonly #decoder: RecordDecoder | null
  readonly #take: () => KafkaRecord | ConsumerBatch | Loading | null

  /** @param decoder null for batches, which decode by themselves */
  constructor(delivery: Delivery, items: Items, decoder: RecordDecoder | null) {
    const isBatched = items === 'batches'
    const disposes = items === 'disposing-records'
    this.#delivery = delivery
    this.#decoder = isBatched ? null : decoder
    this.#take = isBatched ? () => delivery.takeBatch() : () => delivery.takeRecord(disposes)
  }

  pull(): unknown {
    const item = this.#take()
    if (this.#decoder === null || item === null || item instanceof Loading) return item
    const take = this.#take as () => KafkaRecord | Loading | null
    return decoded(this.#delivery, this.#decoder, item as KafkaRecord, this.#delivery.current!, take)
  }

  isOver(): boolean {
    return false
  }

  handled(): void {
    const cursor = this.#delivery.current
    if (cursor === null) this.#delivery.watch.asked()
    else this.#delivery.handled(cursor)
  }

  giveBack(): void {
    const cursor = this.#delivery.current
    if (cursor !== null) this.#delivery.giveBack(cursor)
  }
}

/** Records or batches of one partition, until it is not ours any more. */
export class PartitionSource implements ItemSource<unknown> {
  readonly #delivery: Delivery
  readonly #cursor: PartitionCursor
  readonly #decoder: RecordDecoder | null
  readonly #take: () => KafkaRecord | ConsumerBatch | Loading | null
  readonly #isOver: () => boolean

  /** @param decoder null for batches, which decode by themselves */
  constructor(delivery: Delivery, cursor: PartitionCursor, items: Items, decoder: RecordDecoder | null, isOver: () => boolean) {
    const isBatched = items === 'batches'
    const disposes = items === 'disposing-records'
    this.#delivery = delivery
    this.#cursor = cursor
    this.#decoder = isBatched ? null : decoder
    this.#take = isBatched ? () => delivery.takeBatchOf(cursor) : () => delivery.takeRecordOf(cursor, disposes)
    this.#isOver = isOver
  }

  pull(): unknown {
    if (this.isOver()) return null
    const item = this.#take()
    if (this.#decoder === null || item === null || item instanceof Loading) return item
    const take = this.#take as () => KafkaRecord | Loading | null
    return decoded(this.#delivery, this.#decoder, item as KafkaRecord, this.#cursor, take)
  }

  isOver(): boolean {
    return !this.#cursor.isActive || this.#isOver()
  }

  handled(): void {
    this.#delivery.handled(this.#cursor)
  }

  giveBack(): void {
    this.#delivery.giveBack(this.#cursor)
  }
}

/** The first record from `first` on that is not passed over. One that cannot be decoded was not handled. */
function decoded(
  delivery: Delivery,
  decoder: RecordDecoder,
  first: KafkaRecord,
  firstCursor: PartitionCursor,
  take: () => KafkaRecord | Loading | null,
): unknown {
  let cursor = firstCursor
  for (let record: KafkaRecord | Loading | null = first; ; cursor = delivery.current ?? firstCursor) {
    if (record === null || record instanceof Loading) return record
    try {
      const item = decoder.decode(record)
      if (item !== null) return item
    } catch (error) {
      delivery.giveBack(cursor)
      throw error
    }
    // The error that was told of has the record.
    cursor.keepMemory()
    delivery.handled(cursor)
    record = take()
  }
}
