import type { AbortedTransaction } from '@millrace/protocol/apis/fetch'
import {
  baseOffset,
  batchBytes,
  isCompleteBatch,
  lastOffset,
  LOG_OVERHEAD_BYTES,
  partitionLeaderEpoch,
  readEndTransactionMarker,
  RecordBatch,
  verifyBatch,
  type ReadOptions,
} from '@millrace/records/internal'
import type { FetchedAnswer } from './fetched-answer.ts'

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

/** Where the whole batches of a fetch end. */
export interface ChunkEnd {
  /** The offset after the last whole batch; -1 without one. */
  readonly offset: number
  /** Leader epoch of that batch. */
  readonly epoch: number
  /** The headers contradict themselves there: whoever reads the chunk will be told. */
  readonly isDamaged: boolean
}

/** Looks at headers only: each batch is verified when it is taken. */
export function endOfChunk(records: Buffer): ChunkEnd {
  let position = 0
  let offset = -1
  let epoch = -1
  try {
    while (isCompleteBatch(records, position, records.length)) {
      const next = lastOffset(records, position) + 1
      // A header without its batch: only damage makes offsets go back.
      if (next <= offset) return { offset, epoch, isDamaged: true }
      offset = next
      epoch = partitionLeaderEpoch(records, position)
      position += batchBytes(records, position)
    }
    return { offset, epoch, isDamaged: false }
  } catch {
    return { offset, epoch, isDamaged: true }
  }
}

/** What one fetch brought for one partition: record batches, verified one by one as they are taken. */
export class FetchedChunk {
  /** What it is a view of. */
  readonly answer: FetchedAnswer
  readonly sizeInBytes: number
  readonly highWatermark: number
  /** Of what was taken of it so far; control batches, aborted ones and what lies before the position left out. */
  recordCount = 0
  readonly #records: Buffer
  readonly #options: ReadOptions
  readonly #filter: AbortedFilter | null
  #position = 0

  /**
   * @param answer what `records` is a view of
   * @param aborted null when records of open and aborted transactions are wanted too
   */
  constructor(
    topic: string,
    partition: number,
    answer: FetchedAnswer,
    records: Buffer,
    highWatermark: number,
    aborted: readonly AbortedTransaction[] | null,
    checkCrcs: boolean,
  ) {
    this.answer = answer
    this.sizeInBytes = records.length
    this.highWatermark = highWatermark
    this.#records = records
    this.#options = { topic, partition, checkCrcs }
    this.#filter = aborted === null ? null : new AbortedFilter(aborted)
  }

  /**
   * The next batch, and whether its records are for the application: control batches and aborted ones are not. Null at the end; one that
   * is incomplete there is left out, as a broker cuts by bytes.
   * @param position where reading stands: records before it are not counted
   * @throws {KafkaError} CORRUPT_MESSAGE, UNSUPPORTED_FOR_MESSAGE_FORMAT; and the same again if asked again
   */
  next(position: number): { readonly batch: RecordBatch; readonly isVisible: boolean } | null {
    const records = this.#records
    if (!isCompleteBatch(records, this.#position, records.length)) return null
    const end = verifyBatch(records, this.#position, records.length, this.#options.checkCrcs ?? true)
    const batch = new RecordBatch(records, this.#position, this.#options)
    const isDropped = this.#filter?.drops(batch) ?? false
    this.#position = end
    const isVisible = !isDropped && !batch.isControl
    if (isVisible) this.recordCount += Math.max(0, Math.min(batch.recordCount, batch.lastOffset - position + 1))
    return { batch, isVisible }
  }

  /** Where to go on after a batch that `next` refuses: what its header says, as long as that makes sense. -1 if it does not. */
  offsetAfterDamage(): number {
    const records = this.#records
    try {
      if (records.length - this.#position < LOG_OVERHEAD_BYTES) return -1
      const base = baseOffset(records, this.#position)
      const last = lastOffset(records, this.#position)
      // A batch of n bytes cannot hold more than n records.
      return base >= 0 && last >= base && last - base <= batchBytes(records, this.#position) ? last + 1 : -1
    } catch {
      return -1
    }
  }
}
