import { patchBaseOffset, readBatches, RecordBatchBuilder } from '@millrace/records'

// A producer: append records as they come, seal when the batch is full or due.
const builder = new RecordBatchBuilder({ batchSize: 16_384 })
builder.tryAppend(1_790_000_000_000, 'order-1', '{"total":12}', [['trace', 'a1']])
builder.tryAppend(1_790_000_000_250, 'order-2', null) // false once the batch is full
const sent = builder.seal({ compression: 'zstd', producerId: 7, producerEpoch: 0, baseSequence: 0 })

// A broker: give the batch its offset, without decoding it; its CRC stays valid.
patchBaseOffset(sent, 0, 42)

// A consumer: batches are checked, records are decoded as they are reached.
export const seen: string[] = []
for (const batch of readBatches(sent, { maxDecompressedBytes: 8 * 1024 * 1024 })) {
  await batch.load() // only if large batches should be unpacked off the event loop
  for (const record of batch) seen.push(`${record.offset} ${record.keyText} ${record.value?.length} ${record.headers.length}`)
}
// seen is now ['42 order-1 12 1', '43 order-2 undefined 0']
