import { BATCH_HEADER_BYTES } from './batch-header.ts'
import { TYPICAL_RECORD_OVERHEAD_BYTES } from './limits.ts'
import { RecordBatchBuilder, type SealOptions } from './record-batch-builder.ts'
import type { RecordBytes, RecordInput } from './record-input.ts'

/**
 * Encodes records that are all at hand as one batch, however many bytes it takes.
 * @throws InvalidRecordError, ConfigError as `RecordBatchBuilder`
 */
export function encodeBatch(records: readonly RecordInput[], options: SealOptions = {}): Buffer {
  const builder = new RecordBatchBuilder({ batchSize: estimateBytes(records), growable: true })
  for (const record of records) builder.tryAppend(record.timestamp, record.key, record.value, record.headers)
  return builder.seal(options)
}

/** Right to a few bytes a record if its strings are ASCII; otherwise the builder grows. */
function estimateBytes(records: readonly RecordInput[]): number {
  let size = BATCH_HEADER_BYTES
  for (const { key, value, headers } of records) {
    size += TYPICAL_RECORD_OVERHEAD_BYTES + charactersOf(key) + charactersOf(value)
    if (headers === undefined) continue
    for (const [name, field] of headers) size += TYPICAL_RECORD_OVERHEAD_BYTES + name.length + charactersOf(field)
  }
  return size
}

function charactersOf(bytes: RecordBytes): number {
  return bytes === null ? 0 : bytes.length
}
