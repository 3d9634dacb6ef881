import type { KafkaRecord, RecordBatch } from '@millrace/records/internal'
import type { ConsumerRecord } from '../consumer-record.ts'

/**
 * Records of one partition, in order, that came with one fetch. They are decoded as they are iterated, each time anew.
 */
export class ConsumerBatch implements Iterable<ConsumerRecord> {
  readonly topic: string
  readonly partition: number
  /** Offset from which the batch was read. Compaction may have removed that record itself. */
  readonly firstOffset: number
  /** Offset before which the next batch goes on. */
  readonly lastOffset: number
  /** Offset after the partition's last record that consumers may see, as of the fetch. `highWatermark - lastOffset - 1` is the lag. */
  readonly highWatermark: number
  readonly #stored: readonly RecordBatch[]

  constructor(
    stored: readonly RecordBatch[],
    topic: string,
    partition: number,
    firstOffset: number,
    lastOffset: number,
    highWatermark: number,
  ) {
    this.topic = topic
    this.partition = partition
    this.firstOffset = firstOffset
    this.lastOffset = lastOffset
    this.highWatermark = highWatermark
    this.#stored = stored
  }

  /** The records, for those who like it in words: the same as iterating the batch. */
  get records(): Iterable<ConsumerRecord> {
    return this
  }

  [Symbol.iterator](): Iterator<ConsumerRecord> {
    return new BatchIterator(this.#stored, this.firstOffset, this.lastOffset)
  }
}

class BatchIterator implements Iterator<KafkaRecord> {
  readonly #stored: readonly RecordBatch[]
  readonly #firstOffset: number
  readonly #lastOffset: number
  #index = 0
  #records: ReturnType<RecordBatch['cursor']> | null = null

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
        this.#records = this.#stored[this.#index++]!.cursor()
        continue
      }
      const { offset } = record
      if (offset < this.#firstOffset) continue
      if (offset > this.#lastOffset) return { done: true, value: undefined }
      return { done: false, value: record }
    }
  }
}
