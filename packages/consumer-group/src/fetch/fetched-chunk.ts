import type { AbortedTransaction } from '@millrace/protocol/apis/fetch'
import { readBatches, readEndTransactionMarker, type RecordBatch } from '@millrace/records/internal'

/** The aborted transactions among fetched batches, by Java's algorithm (CompletedFetch): walks along with the batches. */
class AbortedFilter {
  /** Ordered by first offset; `#next` is the first that does not cover the current batch yet. */
  readonly #transactions: readonly AbortedTransaction[]
  #next = 0
  readonly #producers = new Set<number>()

  constructor(transactions: readonly AbortedTransaction[]) {
    this.#transactions = transactions.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
  }

  /** Whether the batch belongs to an aborted transaction. Every batch must be shown, in order. */
  drops(batch: RecordBatch): boolean {
    while (this.#next < this.#transactions.length && this.#transactions[this.#next]!.firstOffset <= batch.lastOffset) {
      this.#producers.add(Number(this.#transactions[this.#next]!.producerId))
      this.#next++
    }
    if (!batch.isTransactional) return false
    if (!batch.isControl) return this.#producers.has(batch.producerId)
    if (isAbort(batch)) this.#producers.delete(batch.producerId)
    return false
  }
}

function isAbort(batch: RecordBatch): boolean {
  for (const record of batch) return readEndTransactionMarker(record)?.type === 'abort'
  return false
}

/** What one fetch brought for one partition: record batches, verified one by one as they are taken. */
export class FetchedChunk {
  /** Of the fetch's answer; counted against the buffer until the chunk is at its end. */
  readonly sizeInBytes: number
  readonly highWatermark: number
  readonly #batches: Iterator<RecordBatch>
  readonly #filter: AbortedFilter | null

  /** @param aborted null when records of open and aborted transactions are wanted too */
  constructor(
    topic: string,
    partition: number,
    records: Buffer,
    highWatermark: number,
    aborted: readonly AbortedTransaction[] | null,
    checkCrcs: boolean,
  ) {
    this.sizeInBytes = records.length
    this.highWatermark = highWatermark
    this.#batches = readBatches(records, { topic, partition, checkCrcs })
    this.#filter = aborted === null ? null : new AbortedFilter(aborted)
  }

  /**
   * The next batch, and whether its records are for the application: control batches and aborted ones are not. Null at the end.
   * @throws {KafkaError} CORRUPT_MESSAGE
   */
  next(): { readonly batch: RecordBatch; readonly isVisible: boolean } | null {
    const { done, value } = this.#batches.next()
    if (done === true) return null
    const isDropped = this.#filter?.drops(value) ?? false
    return { batch: value, isVisible: !isDropped && !value.isControl }
  }
}
