import { readBatches, RecordBatchBuilder } from '@millrace/records/internal'
import { BatchDeliveries } from './delivery.ts'
import { BATCH_HEADER_BYTES } from './limits.ts'
import { ProducerBatch } from './producer-batch.ts'

/**
 * Two or more batches with the records of one that the broker finds too large, each at most `batchSize` bytes before compression, and at most half
 * of what it was. Null when it cannot be split. The parts are yet to be compressed (Java: ProducerBatch.split).
 */
export function splitBatch(batch: ProducerBatch, batchSize: number): ProducerBatch[] | null {
  if (batch.recordCount < 2) return null
  const bytes = batch.seal()
  const target = Math.max(BATCH_HEADER_BYTES + 1, Math.min(batchSize, Math.ceil(batch.uncompressedBytes / 2)))
  const parts: ProducerBatch[] = []
  for (const stored of readBatches(bytes, { checkCrcs: false })) {
    for (const { timestamp, key, value, headers } of stored) {
      if (parts.at(-1)?.tryAppend(timestamp, key, value, headers) === true) continue
      const part = emptyPart(batch, target)
      part.tryAppend(timestamp, key, value, headers)
      parts.push(part)
    }
  }
  let first = 0
  const ordinalSpan = batch.ordinalSpan / parts.length
  for (const [index, one] of parts.entries()) {
    one.ordinal = batch.ordinal + index * ordinalSpan
    one.ordinalSpan = ordinalSpan
    one.deliveries = batch.deliveries.slice(first, first + one.recordCount)
    one.memory = one.builder!.buffer.length
    first += one.recordCount
  }
  for (const flush of batch.flushes ?? []) flush.expect(parts.length - 1)
  return parts
}

function emptyPart(batch: ProducerBatch, batchSize: number): ProducerBatch {
  const part = new ProducerBatch(batch.queue, new RecordBatchBuilder({ batchSize }), new BatchDeliveries(), 0, batch.createdAt)
  part.attempts = batch.attempts
  part.state = 'ready'
  // A list of its own: a flush that comes later waits for each of the parts.
  part.flushes = batch.flushes === null ? null : [...batch.flushes]
  return part
}
