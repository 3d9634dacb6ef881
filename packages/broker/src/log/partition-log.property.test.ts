import fc from 'fast-check'
import { expect, test } from 'vitest'
import { appendTo, batchOf, NOW, openLog, readAll, recordsIn } from '../../test/log-fixtures.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'
import type { LogConfig } from './log-config.ts'
import type { PartitionLog } from './partition-log.ts'

const CONFIG: Partial<LogConfig> = { segmentBytes: 900, indexIntervalBytes: 150, retentionMs: -1 }

interface ModelRecord {
  readonly offset: number
  readonly timestamp: number
  readonly value: string
}

/** A partition as an array. */
class Model {
  records: ModelRecord[] = []
  end = 0
  start = 0
  /** Where the batches begin. */
  batches: number[] = []
}

const batch = fc.array(fc.record({ value: fc.string({ maxLength: 80 }), age: fc.nat({ max: 1000 }) }), {
  minLength: 1,
  maxLength: 6,
})
const command = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), batch }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      maxBytes: fc.nat({ max: 1500 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('seek' as const), age: fc.integer({ min: -10, max: 1010 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), at: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const), clean: fc.boolean() }) },
)

test('a log behaves as an array does, whatever is done to it', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const storage = new MemoryStorage()
      const model = new Model()
      let log = openLog(storage, { config: CONFIG })
      for (const step of commands) {
        switch (step.kind) {
          case 'append':
            append(log, model, step.batch)
            break
          case 'read':
            checkRead(log, model, model.start + Math.floor(step.at * (model.end - model.start + 1)), step.maxBytes)
            break
          case 'seek':
            checkSeek(log, model, NOW - step.age)
            break
          case 'delete':
            model.start = Math.min(model.end, model.start + Math.floor(step.at * (model.end - model.start + 1)))
            log.deleteRecordsBefore(model.start)
            break
          case 'reopen':
            if (step.clean) log.close()
            else log.abandon()
            log = openLog(storage, { config: CONFIG, clean: step.clean, logStartOffset: model.start })
            break
        }
        expect([log.logStartOffset, log.logEndOffset]).toEqual([model.start, model.end])
      }
      // Backwards, so that no read begins where the last one ended: such reads need no index.
      for (let offset = model.end; offset >= model.start; offset--) checkRead(log, model, offset, 1)
      expect(readAll(log, model.start, 1)).toEqual(model.records.filter((record) => record.offset >= model.start))
    }),
    { numRuns: 300 },
  )
})

function append(log: PartitionLog, model: Model, records: readonly { value: string; age: number }[]): void {
  const timed = records.map(({ value, age }) => ({ value, timestamp: NOW - age }))
  expect(appendTo(log, batchOf(timed)).baseOffset).toBe(model.end)
  model.batches.push(model.end)
  for (const record of timed) model.records.push({ offset: model.end++, ...record })
}

/** A read gives whole batches from the one with the offset on, in order, within the limit but for the first. */
function checkRead(log: PartitionLog, model: Model, wanted: number, maxBytes: number): void {
  const offset = Math.min(wanted, model.end)
  const read = log.read({ offset, maxBytes, minOneBatch: true })
  const strict = log.read({ offset, maxBytes, minOneBatch: false })
  const atEnd = offset === model.end
  const base = atEnd ? offset : model.batches.findLast((first) => first <= offset)!
  expect(recordsIn(read.records)).toEqual(
    model.records.filter((record) => record.offset >= base && record.offset < read.nextOffset),
  )
  expect([...model.batches, model.end]).toContain(read.nextOffset)
  expect(read.nextOffset > offset).toBe(!atEnd)
  expect(read.hasMore).toBe(read.nextOffset < model.end)
  const second = model.batches.find((first) => first > base) ?? model.end
  expect(read.records.length <= maxBytes || read.nextOffset === second).toBe(true)
  expect(strict.records.length).toBe(read.records.length <= maxBytes ? read.records.length : 0)
}

function checkSeek(log: PartitionLog, model: Model, timestamp: number): void {
  const readable = model.records.filter((record) => record.offset >= model.start)
  const first = readable.find((record) => record.timestamp >= timestamp)
  const expected = first === undefined ? null : { offset: first.offset, timestamp: first.timestamp, leaderEpoch: 0 }
  expect(log.offsetForTimestamp(timestamp)).toEqual(expected)
}
