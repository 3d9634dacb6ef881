import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeBatch } from './encode-batch.ts'
import { InvalidRecordError } from './errors.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'

const field = fc.option(fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), fc.uint8Array({ maxLength: 200 })), { nil: null })

test('is what a builder with room enough makes, however wrong the first guess of the size', () => {
  const record = fc.record({
    timestamp: fc.nat(),
    key: field,
    value: field,
    headers: fc.array(fc.tuple(fc.string({ unit: 'binary' }), field), { maxLength: 3 }),
  })
  fc.assert(
    fc.property(fc.array(record, { maxLength: 60 }), fc.nat(2 ** 31 - 1), (records, baseSequence) => {
      const options = { producerId: 3, producerEpoch: 1, baseSequence }
      const builder = new RecordBatchBuilder({ batchSize: 1 << 20 })
      for (const { timestamp, key, value, headers } of records) builder.tryAppend(timestamp, key, value, headers)
      expect(encodeBatch(records, options).equals(builder.seal(options))).toBe(true)
    }),
  )
})

test('a wrong record is refused', () => {
  expect(() => encodeBatch([{ timestamp: -5, key: null, value: null }])).toThrow(InvalidRecordError)
})
