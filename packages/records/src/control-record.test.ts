import { describe, expect, test } from 'vitest'
import { encodeEndTransactionMarker, readControlRecord, readEndTransactionMarker } from './control-record.ts'
import { CorruptRecordError } from './errors.ts'
import type { KafkaRecord } from './kafka-record.ts'
import { readBatches } from './read-batches.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'

function control(key: Buffer | null, value: Buffer | null): KafkaRecord {
  const builder = new RecordBatchBuilder()
  builder.tryAppend(0, key, value)
  const [batch] = readBatches(builder.seal({ control: true }))
  return batch!.toArray()[0]!
}

const marker = { producerId: 2 ** 33, producerEpoch: 7, timestamp: 1234, baseOffset: 99, partitionLeaderEpoch: 3 }

test.each([
  ['abort', 0],
  ['commit', 0x7fff_ffff],
  ['commit', -1],
] as const)('a marker that says %s, of coordinator epoch %i, is read as written', (type, coordinatorEpoch) => {
  const [batch] = readBatches(encodeEndTransactionMarker({ ...marker, type, coordinatorEpoch }))
  expect(batch).toMatchObject({
    isControl: true,
    isTransactional: true,
    producerId: 2 ** 33,
    producerEpoch: 7,
    baseSequence: -1,
    baseOffset: 99,
    partitionLeaderEpoch: 3,
    maxTimestamp: 1234,
    recordCount: 1,
  })
  const record = batch!.toArray()[0]!
  expect(readControlRecord(record)).toEqual({ type, version: 0 })
  expect(readEndTransactionMarker(record)).toEqual({ type, coordinatorEpoch })
})

describe('control records', () => {
  test('of other kinds are no markers', () => {
    expect(readControlRecord(control(Buffer.from([0, 1, 0, 2]), null))).toEqual({ type: 'leaderChange', version: 1 })
    expect(readEndTransactionMarker(control(Buffer.from([0, 0, 0, 6]), null))).toBeNull()
    expect(readControlRecord(control(Buffer.from([0, 0, 0, 99]), null))).toEqual({ type: 'unknown', version: 0 })
    expect(readControlRecord(control(Buffer.from([0, 0, 0xff, 0xff]), null))).toEqual({ type: 'unknown', version: 0 })
  })

  test('of a later version are read as far as they are known', () => {
    const later = control(Buffer.from([0, 5, 0, 1, 9, 9]), Buffer.from([0, 5, 0, 0, 0, 8, 7, 7]))
    expect(readEndTransactionMarker(later)).toEqual({ type: 'commit', coordinatorEpoch: 8 })
  })

  test.each([
    ['no key', null, null],
    ['a short key', Buffer.from([0, 0, 0]), null],
    ['a negative version', Buffer.from([0xff, 0xff, 0, 1]), null],
    ['a marker without a value', Buffer.from([0, 0, 0, 1]), null],
    ['a marker with a short value', Buffer.from([0, 0, 0, 1]), Buffer.from([0, 0, 0, 0, 1])],
    ['a marker with a negative version', Buffer.from([0, 0, 0, 1]), Buffer.from([0x80, 0, 0, 0, 0, 1])],
  ])('with %s are corrupt', (_name, key, value) => {
    expect(() => readEndTransactionMarker(control(key, value))).toThrow(CorruptRecordError)
  })
})
