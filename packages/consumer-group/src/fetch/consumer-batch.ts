import { BatchDisposedError, type KafkaRecord, type RecordBatch, type RecordCursor } from '@millrace/records/internal'
import type { ConsumerRecord } from '../consumer-record.ts'
import type { RecordDecoder } from '../delivery/record-decoder.ts'
import type { BatchMemory } from './batch-memory.ts'

/** The records of a batch from this offset on, as they are stored. */
export let storedRecords: (batch: ConsumerBatch, from: number) => Iterable<KafkaRecord>

/** The batch without what lies before this offset. */
export let restOf: (batch: ConsumerBatch, from: number) => ConsumerBatch

/** Of the stored batches that it is a part of. */
export let storedBytes: (batch: ConsumerBatch) => number

/** Whoever handed it out may need it again, and frees this memory: disposing of the batch, or of its rest, does nothing from now on. Null when it is left to the garbage collector. */
export let takeMemory: (batch: ConsumerBatch) => BatchMemory | null

/**
 * Records of one partition, in order, that came with one fetch. They are decoded, and deserialized, as they are iterated, each time anew.
 *
 * Their memory is freed when the garbage collector finds it. A loop that keeps nothing of it frees it at once, by
 * `for await (using batch of consumer.batches())`, which takes half the CPU where records are large.
 */
export class ConsumerBatch<Key = Buffer | null, Value = Buffer | null>
  implements Iterable<ConsumerRecord<Key, Value>>, Disposable
{
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
  readonly #memory: BatchMemory | null
  #isOurs: boolean

  static {
    storedRecords = (batch, from) => ({ [Symbol.iterator]: () => batch.#iterate(Math.max(from, batch.firstOffset)) })
    restOf = (batch, from) =>
      new ConsumerBatch(
        batch.#stored,
        batch,
        Math.max(from, batch.firstOffset),
        batch.lastOffset,
        batch.highWatermark,
        batch.#decoder,
        batch.#memory,
        false,
      )
    storedBytes = (batch) => batch.#stored.reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0)
    takeMemory = (batch) => {
      batch.#isOurs = false
      return batch.#memory
    }
  }

  /**
   * Made by the consumer.
   * @param memory null when it is left to the garbage collector
   * @param isOurs whether disposing of the batch frees it
   */
  constructor(
    stored: readonly RecordBatch[],
    { topic, partition }: { readonly topic: string; readonly partition: number },
    firstOffset: number,
    lastOffset: number,
    highWatermark: number,
    decoder: RecordDecoder | null,
    memory: BatchMemory | null,
    isOurs: boolean = true,
  ) {
    this.topic = topic
    this.partition = partition
    this.firstOffset = firstOffset
    this.lastOffset = lastOffset
    this.highWatermark = highWatermark
    this.#stored = stored
    this.#decoder = decoder
    this.#memory = memory
    this.#isOurs = isOurs
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

  /**
   * @throws {DeserializationError} while iterating, naming the record, when `onDeserializationError` is `'throw'`
   * @throws {BatchDisposedError} after it was disposed of
   */
  [Symbol.iterator](): Iterator<ConsumerRecord<Key, Value>> {
    const stored = this.#iterate(this.firstOffset)
    const iterator: Iterator<unknown> =
      this.#decoder === null ? stored : new DecodingIterator(stored, this.#decoder, this.#memory)
    return iterator as Iterator<ConsumerRecord<Key, Value>>
  }

  /**
   * Gives its memory back for fetches to come, at once or as soon as everything is read that came with it. Nothing of it may be used from then on:
   * buffers that its records gave – keys, values, headers – become empty, and nothing may be at work on them, such as a write that was not awaited;
   * iterating it throws `BatchDisposedError`, and so do its records once their bytes are gone. What a deserializer made of them stays, unless it is a view of them.
   *
   * Does nothing where the batch may be needed again: in the handlers of `run`, and once a key or value could not be deserialized, whose error has the record.
   */
  [Symbol.dispose](): void {
    if (this.#isOurs) this.#memory?.free()
  }

  #iterate(from: number): BatchIterator {
    return new BatchIterator(this.#stored, from, this.lastOffset, this.#memory)
  }
}

class BatchIterator implements Iterator<KafkaRecord> {
  readonly #stored: readonly RecordBatch[]
  readonly #firstOffset: number
  readonly #lastOffset: number
  readonly #memory: BatchMemory | null
  #index = 0
  #records: RecordCursor | null = null

  constructor(stored: readonly RecordBatch[], firstOffset: number, lastOffset: number, memory: BatchMemory | null) {
    this.#stored = stored
    this.#firstOffset = firstOffset
    this.#lastOffset = lastOffset
    this.#memory = memory
  }

  next(): IteratorResult<KafkaRecord> {
    if (this.#memory !== null && this.#memory.isFreed) throw new BatchDisposedError(this.#stored[0]!)
    for (;;) {
      const record = this.#records?.next() ?? null
      if (record === null) {
        if (this.#index >= this.#stored.length) return { done: true, value: undefined }
        this.#records = cursorOf(this.#stored[this.#index++]!, this.#memory)
        continue
      }
      const { offset } = record
      if (offset < this.#firstOffset) continue
      if (offset > this.#lastOffset) return { done: true, value: undefined }
      return { done: false, value: record }
    }
  }
}

/** One after another is decompressed, and held by its own records: all of them together may be hundreds of times what was fetched. */
function cursorOf(stored: RecordBatch, memory: BatchMemory | null): RecordCursor {
  if (stored.compression === 'none' || stored.isLoaded) return stored.cursor()
  const opened = stored.again()
  const cursor = opened.cursor()
  if (opened.recordCount > 0) memory?.addDecompressed(opened.recordBytes)
  return cursor
}

/** Leaves out what the decoder says is to be skipped. */
class DecodingIterator implements Iterator<unknown> {
  readonly #stored: BatchIterator
  readonly #decoder: RecordDecoder
  readonly #memory: BatchMemory | null

  constructor(stored: BatchIterator, decoder: RecordDecoder, memory: BatchMemory | null) {
    this.#stored = stored
    this.#decoder = decoder
    this.#memory = memory
  }

  next(): IteratorResult<unknown> {
    for (;;) {
      const result = this.#stored.next()
      if (result.done === true) return result
      let value: unknown = null
      try {
        value = this.#decoder.decode(result.value)
      } finally {
        // The error has the record with its bytes.
        if (value === null) this.#memory?.keep()
      }
      if (value !== null) return { done: false, value }
    }
  }
}
