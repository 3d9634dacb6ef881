import { readBatches, RecordBatchBuilder } from '@millrace/records/internal'
import { BATCH_HEADER_BYTES } from './limits.ts'
import { ProducerBatch } from './producer-batch.ts'

/**
 * Two or more batches with the records of one that the broker finds too large, each at most `batchSize` bytes, and at most half of what it was.
 * Null when it cannot be split. The parts are not compressed.
 */
export function splitBatch(batch: ProducerBatch, batchSize: number): ProducerBatch[] | null {
  if (batch.recordCount < 2) return null
  const bytes = batch.seal()
  const target = Math.max(BATCH_HEADER_BYTES + 1, Math.min(batchSize, Math.ceil(bytes.length / 2)))
  const parts: ProducerBatch[] = []
  let builder = new RecordBatchBuilder({ batchSize: target })
  let first = 0
  let index = 0
  for (const stored of readBatches(bytes, { checkCrcs: false })) {
    for (const record of stored) {
      const { timestamp, key, value, headers } = record
      if (!builder.tryAppend(timestamp, key, value, headers)) {
        parts.push(partOf(batch, builder, first, index))
        first = index
        builder = new RecordBatchBuilder({ batchSize: target })
        builder.tryAppend(timestamp, key, value, headers)
      }
      index++
    }
  }
  parts.push(partOf(batch, builder, first, index))
  for (const flush of batch.flushes ?? []) flush.expect(parts.length - 1)
  return parts
}

function partOf(batch: ProducerBatch, builder: RecordBatchBuilder, from: number, to: number): ProducerBatch {
  const part = new ProducerBatch(batch.queue, builder, batch.deliveries.slice(from, to), builder.buffer.length, batch.createdAt)
  part.recordCount = to - from
  part.attempts = batch.attempts
  part.state = 'ready'
  part.flushes = batch.flushes
  return part
}
