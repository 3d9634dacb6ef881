import type { KafkaRecord, RecordBatch, RecordCursor } from '@millrace/records/internal'
import type { ConsumerRecord } from '../consumer-record.ts'
import type { RecordDecoder } from '../delivery/record-decoder.ts'

/** The records of a batch from this offset on, as they are stored. */
export let storedRecords: (batch: ConsumerBatch, from: number) => Iterable<KafkaRecord>

/** The batch without what lies before this offset. */
export let restOf: (batch: ConsumerBatch, from: number) => ConsumerBatch

/** Of the stored batches that it is a part of. */
export let storedBytes: (batch: ConsumerBatch) => number

/**
 * Records of one partition, in order, that came with one fetch. They are decoded, and deserialized, as they are iterated, each time anew.
 */
export class ConsumerBatch<Key = Buffer | null, Value = Buffer | null> implements Iterable<ConsumerRecord<Key, Value>> {
  readonly topic: string
  readonly partition: number
  /** Offset from which the batch was read. Compaction may have removed that record itself. */
  readonly firstOffset: number
  /** Offset before which the next batch goes on. */
  readonly lastOffset: number
  /** Offset after the partition's last record that consumers may see, as of the fetch. `highWatermark - lastOffset - 1` is the lag. */
  readonly highWatermark: number
  readonly #stored: readonly RecordBatch[]
  readonly #decoder: RecordDecoder | null

  static {
    storedRecords = (batch, from) => ({
      [Symbol.iterator]: () => new BatchIterator(batch.#stored, Math.max(from, batch.firstOffset), batch.lastOffset),
    })
    restOf = (batch, from) =>
      new ConsumerBatch(
        batch.#stored,
        batch,
        Math.max(from, batch.firstOffset),
        batch.lastOffset,
        batch.highWatermark,
        batch.#decoder,
      )
    storedBytes = (batch) => batch.#stored.reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0)
  }

  /** Made by the consumer. */
  constructor(
    stored: readonly RecordBatch[],
    { topic, partition }: { readonly topic: string; readonly partition: number },
    firstOffset: number,
    lastOffset: number,
    highWatermark: number,
    decoder: RecordDecoder | null,
  ) {
    this.topic = topic
    this.partition = partition
    this.firstOffset = firstOffset
    this.lastOffset = lastOffset
    this.highWatermark = highWatermark
    this.#stored = stored
    this.#decoder = decoder
  }

  /** The leader epoch in which its last record was written; -1 if the broker does not say. */
  get leaderEpoch(): number {
    return this.#stored.at(-1)!.partitionLeaderEpoch
  }

  /** The most records that iterating it can give; fewer when compaction removed some. */
  get sizeLimit(): number {
    let size = 0
    for (const { recordCount } of this.#stored) size += recordCount
    return Math.min(size, this.lastOffset - this.firstOffset + 1)
  }

  /** The records, for those who like it in words: the same as iterating the batch. */
  get records(): Iterable<ConsumerRecord<Key, Value>> {
    return this
  }

  /** @throws {DeserializationError} while iterating, naming the record, when `onDeserializationError` is `'throw'` */
  [Symbol.iterator](): Iterator<ConsumerRecord<Key, Value>> {
    const stored = new BatchIterator(this.#stored, this.firstOffset, this.lastOffset)
    const iterator: Iterator<unknown> = this.#decoder === null ? stored : new DecodingIterator(stored, this.#decoder)
    return iterator as Iterator<ConsumerRecord<Key, Value>>
  }
}

class BatchIterator implements Iterator<KafkaRecord> {
  readonly #stored: readonly RecordBatch[]
  readonly #firstOffset: number
  readonly #lastOffset: number
  #index = 0
  #records: RecordCursor | null = null

  constructor(stored: readonly RecordBatch[], firstOffset: number, lastOffset: number) {
    this.#stored = stored
    this.#firstOffset = firstOffset
    this.#lastOffset = lastOffset
  }

  next(): IteratorResult<KafkaRecord> {
    for (;;) {
      const record = this.#records?.next() ?? null
      if (record === null) {
        if (this.#index >= this.#stored.length) return { done: true, value: undefined }
        this.#records = cursorOf(this.#stored[this.#index++]!)
        continue
      }
      const { offset } = record
      if (offset < this.#firstOffset) continue
      if (offset > this.#lastOffset) return { done: true, value: undefined }
      return { done: false, value: record }
    }
  }
}

/** One after another is decompressed, and held by nothing but its own records: all of them together may be hundreds of times what was fetched. */
function cursorOf(stored: RecordBatch): RecordCursor {
  const isHeld = stored.compression === 'none' || stored.isLoaded
  return isHeld ? stored.cursor() : stored.again().cursor()
}

/** Leaves out what the decoder says is to be skipped. */
class DecodingIterator implements Iterator<unknown> {
  readonly #stored: BatchIterator
  readonly #decoder: RecordDecoder

  constructor(stored: BatchIterator, decoder: RecordDecoder) {
    this.#stored = stored
    this.#decoder = decoder
  }

  next(): IteratorResult<unknown> {
    for (;;) {
      const result = this.#stored.next()
      if (result.done === true) return result
      const value = this.#decoder.decode(result.value)
      if (value !== null) return { done: false, value }
    }
  }
}
