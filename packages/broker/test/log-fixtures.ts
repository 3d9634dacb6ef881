import { RecordBatchBuilder, readBatches, type SealOptions } from '@millrace/records/internal'
import { DEFAULT_LOG_CONFIG, type LogConfig } from '../src/log/log-config.ts'
import type { LogOrigin } from '../src/log/log-loader.ts'
import { PartitionLog } from '../src/log/partition-log.ts'
import { MemoryStorage } from '../src/storage/memory-storage.ts'
import type { Storage } from '../src/storage/storage.ts'

/** The time that the tests' records carry and their brokers live in. */
export const NOW = 1_760_000_000_000

export interface TestRecord {
  readonly key?: string | null
  readonly value?: string | null
  readonly timestamp?: number
}

/** A sealed batch as a producer would send it. */
export function batchOf(records: readonly (string | TestRecord)[], options: SealOptions = {}): Buffer {
  const builder = new RecordBatchBuilder({ batchSize: 1024 * 1024 })
  for (const entry of records) {
    const record = typeof entry === 'string' ? { value: entry } : entry
    const bytes = (text: string | null | undefined): Buffer | null =>
      text === null || text === undefined ? null : Buffer.from(text)
    builder.tryAppend(record.timestamp ?? NOW, bytes(record.key), bytes(record.value), [])
  }
  return Buffer.from(builder.seal(options))
}

/** `count` values `prefix0`, `prefix1`, … */
export function values(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`)
}

/** What the records of some batches say, in order. */
export function recordsIn(bytes: Buffer): { offset: number; value: string | null; timestamp: number }[] {
  return [...readBatches(bytes)].flatMap((batch) =>
    [...batch].map((record) => ({ offset: record.offset, value: record.value?.toString() ?? null, timestamp: record.timestamp })),
  )
}

/** All records of a log from `from` on, read in steps of `maxBytes`. */
export function readAll(
  log: PartitionLog,
  from: number = log.logStartOffset,
  maxBytes = 1024 * 1024,
): ReturnType<typeof recordsIn> {
  const records: ReturnType<typeof recordsIn> = []
  for (let offset = from; offset < log.highWatermark;) {
    const read = log.read({ offset, maxBytes, minOneBatch: true })
    if (read.records.length === 0) throw new Error(`nothing at offset ${offset} of ${log.highWatermark}`)
    records.push(...recordsIn(read.records).filter((record) => record.offset >= offset))
    offset = read.nextOffset
  }
  return records
}

export interface LogOptions extends Partial<Omit<LogOrigin, 'config'>> {
  readonly config?: Partial<LogConfig>
}

export function openLog(storage: Storage = new MemoryStorage(), options: LogOptions = {}): PartitionLog {
  return PartitionLog.open({
    directory: 't-0',
    topic: 't',
    partition: 0,
    flush: 'os',
    now: NOW,
    clean: true,
    recoveryPoint: 0,
    logStartOffset: 0,
    producerIdExpirationMs: 24 * 60 * 60 * 1000,
    onLogStartMoved: () => undefined,
    ...options,
    storage,
    config: { ...DEFAULT_LOG_CONFIG, ...options.config },
  })
}

export function appendTo(log: PartitionLog, batch: Buffer, now: number = NOW): ReturnType<PartitionLog['append']> {
  return log.append(batch, { now, origin: 'client' })
}
