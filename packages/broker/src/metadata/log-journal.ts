import { RecordBatchBuilder, readBatches } from '@millrace/records/internal'
import { JOURNAL_READ_BYTES } from '../limits.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { Journal, JournaledRecord, JournalRecord } from './journal.ts'

/** The batch header, and the most that the framing of one record takes. */
const BATCH_OVERHEAD_BYTES = 61
const RECORD_OVERHEAD_BYTES = 32

/** A journal in a partition's log: ordinary record batches, so that Kafka's tools read them. */
export class LogJournal implements Journal {
  readonly #log: PartitionLog

  constructor(log: PartitionLog) {
    this.#log = log
  }

  /** Bytes that a replay would read, about. */
  get bytes(): number {
    return this.#log.bytesFrom(this.#log.logStartOffset, Number.MAX_SAFE_INTEGER)
  }

  /** The offset that the next record gets. */
  get nextOffset(): number {
    return this.#log.logEndOffset
  }

  /** Forgets the records before `offset`. Throws StorageError. */
  forgetBefore(offset: number): void {
    this.#log.deleteRecordsBefore(offset)
  }

  append(records: readonly JournalRecord[], now: number): void {
    if (records.length === 0) return
    let bytes = BATCH_OVERHEAD_BYTES
    for (const { key, value } of records) bytes += RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
    const builder = new RecordBatchBuilder({ buffer: Buffer.allocUnsafeSlow(bytes) })
    for (const { key, value } of records) {
      if (!builder.tryAppend(now, key, value)) throw new Error('a journal batch is larger than its records')
    }
    this.#log.append(builder.seal(), { now, origin: 'coordinator' })
  }

  replay(visit: (record: JournaledRecord) => void): void {
    let offset = this.#log.logStartOffset
    while (offset < this.#log.logEndOffset) {
      const { records, nextOffset } = this.#log.read({ offset, maxBytes: JOURNAL_READ_BYTES, minOneBatch: true })
      if (nextOffset <= offset) return
      for (const batch of readBatches(records)) {
        if (batch.isControl) continue
        for (const record of batch) {
          if (record.offset < offset) continue
          visit({ key: record.key, value: record.value, offset: record.offset, timestamp: record.timestamp })
        }
      }
      offset = nextOffset
    }
  }
}
