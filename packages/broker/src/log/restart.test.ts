import { expect, test } from 'vitest'
import { appendTo, batchOf, openLog } from '../../test/log-fixtures.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'

const batch = (sequence: number): Buffer => batchOf([`v${sequence}`], { producerId: 3, producerEpoch: 0, baseSequence: sequence })

test.each([true, false])('all five batches that a producer may repeat are known after a restart (clean: %s)', (clean) => {
  const storage = new MemoryStorage()
  const config = { segmentBytes: 500 }
  const log = openLog(storage, { config })
  for (let sequence = 0; sequence < 23; sequence++) appendTo(log, batch(sequence))
  if (clean) log.close()
  else log.abandon()
  const again = openLog(storage, { config, clean })
  for (let sequence = 18; sequence < 23; sequence++) {
    expect(appendTo(again, batch(sequence))).toMatchObject({ duplicate: true, baseOffset: sequence })
  }
  expect(() => appendTo(again, batch(17))).toThrow(expect.objectContaining({ code: 'OUT_OF_ORDER_SEQUENCE_NUMBER' }))
  expect(appendTo(again, batch(23))).toMatchObject({ duplicate: false, baseOffset: 23 })
})

test('sequences wrap, also over a restart', () => {
  const storage = new MemoryStorage()
  let log = openLog(storage)
  const last = 0x7fff_ffff
  const records = (sequence: number, count: number): Buffer =>
    batchOf(Array.from({ length: count }, String), { producerId: 3, producerEpoch: 0, baseSequence: sequence })
  appendTo(log, records(last - 2, 2))
  appendTo(log, records(last, 3))
  log.close()
  log = openLog(storage)
  expect(appendTo(log, records(last, 3))).toMatchObject({ duplicate: true, baseOffset: 2, lastOffset: 4 })
  expect(appendTo(log, records(2, 1))).toMatchObject({ duplicate: false, baseOffset: 5 })
})
