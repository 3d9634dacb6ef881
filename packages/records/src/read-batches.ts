import { ConfigError } from '@millrace/protocol'
import { isCompleteBatch, verifyBatch } from './batch-header.ts'
import { MAX_BATCH_BYTES } from './limits.ts'
import { RecordBatch, type ReadOptions } from './record-batch.ts'

/**
 * The record batches in `bytes`, one after another, each verified when it is reached. An incomplete one at the end is left
 * out quietly: a broker cuts a fetch response by bytes.
 * @throws ConfigError for a wrong option; CorruptRecordError, UnsupportedMagicError while iterating
 */
export function* readBatches(bytes: Buffer, options: ReadOptions = {}): Generator<RecordBatch, void, undefined> {
  checkOptions(options)
  const checkCrcs = options.checkCrcs ?? true
  let position = 0
  while (isCompleteBatch(bytes, position, bytes.length)) {
    const next = verifyBatch(bytes, position, bytes.length, checkCrcs)
    yield new RecordBatch(bytes, position, options)
    position = next
  }
}

function checkOptions(options: ReadOptions): void {
  const limit = options.maxDecompressedBytes
  if (limit === undefined || (Number.isInteger(limit) && limit > 0 && limit <= MAX_BATCH_BYTES)) return
  throw new ConfigError('maxDecompressedBytes', limit, `an integer from 1 to ${MAX_BATCH_BYTES}`)
}
