import { isCompleteBatch, verifyBatch } from './batch-header.ts'
import { RecordBatch, type ReadOptions } from './record-batch.ts'

/**
 * The record batches in `bytes`, one after another, each verified when it is reached. An incomplete one at the end is left
 * out quietly: a broker cuts a fetch response by bytes.
 * @throws CorruptRecordError, UnsupportedMagicError while iterating
 */
export function* readBatches(bytes: Buffer, options: ReadOptions = {}): Generator<RecordBatch, void, undefined> {
  const checkCrcs = options.checkCrcs ?? true
  let position = 0
  while (isCompleteBatch(bytes, position, bytes.length)) {
    const next = verifyBatch(bytes, position, bytes.length, checkCrcs)
    yield new RecordBatch(bytes, position, options)
    position = next
  }
}
