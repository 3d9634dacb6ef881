import { describe, expect, test } from 'vitest'
import { appendTo, batchOf, NOW, openLog, readAll, recordsIn, values } from '../../test/log-fixtures.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'

describe('appending and reading', () => {
  test('gives consecutive offsets and returns the same records', () => {
    const log = openLog()
    expect(appendTo(log, batchOf(['a', 'b']))).toEqual({
      baseOffset: 0,
      lastOffset: 1,
      logAppendTime: -1,
      logStartOffset: 0,
      duplicate: false,
    })
    expect(appendTo(log, batchOf(['c']))).toMatchObject({ baseOffset: 2, lastOffset: 2 })
    expect(log.logEndOffset).toBe(3)
    expect(readAll(log)).toEqual([
      { offset: 0, value: 'a', timestamp: NOW },
      { offset: 1, value: 'b', timestamp: NOW },
      { offset: 2, value: 'c', timestamp: NOW },
    ])
  })

  test('returns the whole batch that holds an offset in its middle', () => {
    const log = openLog()
    appendTo(log, batchOf(['a', 'b', 'c']))
    appendTo(log, batchOf(['d']))
    const read = log.read({ offset: 2, maxBytes: 1, minOneBatch: true })
    expect(recordsIn(read.records).map((record) => record.offset)).toEqual([0, 1, 2])
    expect(read.nextOffset).toBe(3)
  })

  test('never returns more than maxBytes, unless it is the first batch and one is asked for', () => {
    const log = openLog()
    const size = batchOf(['a']).length
    for (const value of values('a', 5)) appendTo(log, batchOf([value.slice(0, 1)]))
    expect(log.read({ offset: 0, maxBytes: size - 1, minOneBatch: false }).records.length).toBe(0)
    expect(log.read({ offset: 0, maxBytes: size - 1, minOneBatch: true }).records.length).toBe(size)
    expect(log.read({ offset: 0, maxBytes: 3 * size - 1, minOneBatch: true }).records.length).toBe(2 * size)
    expect(log.read({ offset: 0, maxBytes: 3 * size, minOneBatch: false }).records.length).toBe(3 * size)
  })

  test('refuses offsets outside the log and names the range', () => {
    const log = openLog()
    appendTo(log, batchOf(['a']))
    expect(log.read({ offset: 1, maxBytes: 100, minOneBatch: true }).records.length).toBe(0)
    expect(() => log.read({ offset: 2, maxBytes: 100, minOneBatch: true })).toThrow(
      expect.objectContaining({ code: 'OFFSET_OUT_OF_RANGE', message: 't-0: offset 2 is outside 0 to 1' }),
    )
  })

  test('what was read stays as it was when the log goes on', () => {
    const log = openLog()
    appendTo(log, batchOf(['a']))
    const { records } = log.read({ offset: 0, maxBytes: 1000, minOneBatch: true })
    const before = Buffer.from(records)
    for (const value of values('b', 200)) appendTo(log, batchOf([value]))
    expect(records.equals(before)).toBe(true)
  })

  test('keeps no hold on the buffer that a batch came in', () => {
    const log = openLog()
    const batch = batchOf(['a'])
    appendTo(log, batch)
    batch.fill(0)
    expect(readAll(log)).toHaveLength(1)
  })
})

test('a clean restart goes on where it stopped', () => {
  const storage = new MemoryStorage()
  const log = openLog(storage, { config: { segmentBytes: 500 } })
  for (const value of values('v', 40)) appendTo(log, batchOf([value]))
  expect(log.segmentCount).toBeGreaterThan(3)
  log.close()
  const again = openLog(storage)
  expect(again.logEndOffset).toBe(40)
  expect(readAll(again).map((record) => record.value)).toEqual(values('v', 40))
  expect(appendTo(again, batchOf(['next'])).baseOffset).toBe(40)
})
