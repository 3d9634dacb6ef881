import fc from 'fast-check'
import { expect, test } from 'vitest'
import { appendTo, batchOf, openLog, readAll } from '../../test/log-fixtures.ts'
import { crc32c } from '@millrace/records/internal'
import { MemoryStorage } from '../storage/memory-storage.ts'
import { producersOfSnapshot, producerSnapshotOf } from './producer-snapshot.ts'
import type { PartitionLog } from './partition-log.ts'
import { ProducerEntry } from './producer-entry.ts'
import { LogError } from './log-error.ts'

const GOOD = batchOf(['one', { key: 'k', value: 'two' }, { value: null }])

/** Some bytes of a good batch set to others, its checksum made right again for half of them. */
const damaged = fc
  .record({
    edits: fc.array(fc.record({ at: fc.nat({ max: GOOD.length - 1 }), byte: fc.nat({ max: 255 }) }), {
      minLength: 1,
      maxLength: 4,
    }),
    cut: fc.option(fc.nat({ max: GOOD.length }), { nil: GOOD.length, freq: 4 }),
    resealed: fc.boolean(),
  })
  .map(({ edits, cut, resealed }) => {
    const batch = Buffer.from(GOOD)
    for (const { at, byte } of edits) batch[at] = byte
    if (resealed) batch.writeUInt32BE(crc32c(batch, 21), 17)
    return batch.subarray(0, cut)
  })

test('no bytes that a client may send break the log: they are refused or can be read back', () => {
  fc.assert(
    fc.property(fc.array(damaged, { minLength: 1, maxLength: 5 }), (batches) => {
      const storage = new MemoryStorage()
      const log = openLog(storage)
      const errors: unknown[] = []
      let accepted = 0
      for (const batch of batches) {
        try {
          const { baseOffset, lastOffset } = appendTo(log, Buffer.from(batch))
          accepted += lastOffset - baseOffset + 1
        } catch (error) {
          errors.push(error)
        }
      }
      expect(errors.filter((error) => !(error instanceof LogError))).toEqual([])
      expect(log.logEndOffset).toBe(accepted)
      expect(readAll(log)).toHaveLength(accepted)
      expect(readAll(openLog(storage, { clean: false }))).toHaveLength(accepted)
    }),
    { numRuns: 1500 },
  )
})

test('no bytes in a segment break recovery: what is left is a log that works', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constant(GOOD), damaged, fc.uint8Array({ maxLength: 100 }).map(Buffer.from)), { maxLength: 6 }),
      (pieces) => {
        const storage = new MemoryStorage()
        storage.mkdir('t-0')
        storage.writeFile('t-0/00000000000000000000.log', Buffer.concat(pieces))
        const log = openLog(storage, { clean: false })
        const before = bytesReadable(log)
        expect(appendTo(log, Buffer.from(GOOD)).baseOffset).toBe(log.logEndOffset - 3)
        expect(bytesReadable(log)).toBe(before + GOOD.length)
        expect(log.size).toBe(before + GOOD.length)
      },
    ),
    { numRuns: 500 },
  )
})

test('snapshots read back as they were written, and any other bytes as none', () => {
  const entry = new ProducerEntry(4242, 3)
  entry.addBatch(3, 17, 99, 4, 1_700_000_000_000)
  const idle = new ProducerEntry(7, 0)
  const bytes = producerSnapshotOf([entry, idle])
  expect(producersOfSnapshot(bytes)).toEqual([entry, idle])
  fc.assert(
    fc.property(
      fc.nat({ max: bytes.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      fc.nat({ max: bytes.length - 1 }),
      (at, flip, size) => {
        const other = Buffer.from(bytes)
        other[at] = other[at]! ^ flip
        expect(producersOfSnapshot(other)).toBeNull()
        expect(producersOfSnapshot(bytes.subarray(0, size))).toBeNull()
      },
    ),
  )
})

/** Bytes of all batches, found one by one. Records are not looked into: recovery does not, as in Kafka. */
function bytesReadable(log: PartitionLog): number {
  let bytes = 0
  for (let offset = log.logStartOffset; offset < log.logEndOffset;) {
    const read = log.read({ offset, maxBytes: 1, minOneBatch: true })
    bytes += read.records.length
    offset = read.nextOffset
  }
  return bytes
}
