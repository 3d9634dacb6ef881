import { encodeEndTransactionMarker } from '@millrace/records/internal'
import { describe, expect, test } from 'vitest'
import { appendTo, batchOf, NOW, openLog } from '../../test/log-fixtures.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'
import type { PartitionLog } from './partition-log.ts'
import { producersOfSnapshot } from './producer-snapshot.ts'

const SEQUENCE_MAX = 0x7fff_ffff
const HOUR = 3_600_000
const ID = 7

interface Sent {
  readonly sequence: number
  readonly epoch?: number
  readonly count?: number
  readonly timestamp?: number
  readonly transactional?: boolean
  readonly id?: number
}

function batch({ sequence, epoch = 0, count = 1, timestamp = NOW, transactional = false, id = ID }: Sent): Buffer {
  const records = Array.from({ length: count }, (_, i) => ({ value: `${sequence}+${i}`, timestamp }))
  return batchOf(records, { producerId: id, producerEpoch: epoch, baseSequence: sequence, transactional })
}

function send(log: PartitionLog, sent: Sent): ReturnType<typeof appendTo> {
  return appendTo(log, batch(sent), NOW)
}

/** Transactions are not served, but a directory may come from a Kafka that served them. */
function write(log: PartitionLog, bytes: Buffer): void {
  log.append(bytes, { now: NOW, origin: 'coordinator' })
}

function marker(producerEpoch: number, coordinatorEpoch: number): Buffer {
  return encodeEndTransactionMarker({ type: 'commit', producerId: ID, producerEpoch, coordinatorEpoch, timestamp: NOW + 5 })
}

const outOfOrder: unknown = expect.objectContaining({ code: 'OUT_OF_ORDER_SEQUENCE_NUMBER', retriable: false })
const fenced: unknown = expect.objectContaining({ code: 'INVALID_PRODUCER_EPOCH', retriable: false })

describe('sequences', () => {
  test.each([0, 1, 17, SEQUENCE_MAX])('the first batch of a producer that is not known may begin at %i', (sequence) => {
    const log = openLog()
    expect(send(log, { sequence }).baseOffset).toBe(0)
    const next = sequence === SEQUENCE_MAX ? 0 : sequence + 1
    expect(send(log, { sequence: next }).baseOffset).toBe(1)
  })

  test.each([
    ['a gap', 4],
    ['far ahead', SEQUENCE_MAX],
    ['within the last batch', 1],
    ['overlapping its end', 2],
  ])('%s is out of order, and nothing is written', (_, sequence) => {
    const log = openLog()
    send(log, { sequence: 0, count: 3 })
    expect(() => send(log, { sequence, count: 2 })).toThrow(outOfOrder)
    expect([log.logEndOffset, send(log, { sequence: 3 }).baseOffset]).toEqual([3, 3])
  })

  test('the newest five batches are recognised with their offsets and time, the sixth is not', () => {
    const log = openLog(new MemoryStorage(), { config: { messageTimestampType: 'LogAppendTime' } })
    for (let i = 0; i < 6; i++) appendTo(log, batch({ sequence: i * 2, count: 2 }), NOW + i)
    for (let i = 1; i < 6; i++) {
      const repeated = appendTo(log, batch({ sequence: i * 2, count: 2 }), NOW + 100)
      expect(repeated).toEqual({
        baseOffset: i * 2,
        lastOffset: i * 2 + 1,
        logAppendTime: NOW + i,
        logStartOffset: 0,
        duplicate: true,
      })
    }
    expect(() => send(log, { sequence: 0, count: 2 })).toThrow(outOfOrder)
    // Only the same batch is a repetition: not a part of it, not more than it.
    for (const count of [1, 3]) expect(() => send(log, { sequence: 10, count })).toThrow(outOfOrder)
    expect(log.logEndOffset).toBe(12)
  })

  test('wrap to 0 after the largest, between batches and within one, and are recognised there', () => {
    const log = openLog()
    send(log, { sequence: SEQUENCE_MAX - 1, count: 2 })
    expect(() => send(log, { sequence: 1 })).toThrow(outOfOrder)
    expect(send(log, { sequence: 0 }).baseOffset).toBe(2)
    const other = openLog()
    send(other, { sequence: SEQUENCE_MAX - 1, count: 4 })
    expect(send(other, { sequence: SEQUENCE_MAX - 1, count: 4 })).toMatchObject({ duplicate: true, baseOffset: 0, lastOffset: 3 })
    expect(() => send(other, { sequence: SEQUENCE_MAX })).toThrow(outOfOrder)
    expect(send(other, { sequence: 2 }).baseOffset).toBe(4)
  })

  test('are counted for each producer', () => {
    const log = openLog()
    send(log, { sequence: 0, count: 5 })
    expect(send(log, { sequence: 0, count: 2, id: 8 }).baseOffset).toBe(5)
    expect(send(log, { sequence: 5 }).baseOffset).toBe(7)
    expect(send(log, { sequence: 2, id: 8 }).baseOffset).toBe(8)
  })
})

describe('epochs', () => {
  test('a new one begins at 0, and forgets the batches of the former; a former one is fenced', () => {
    const log = openLog()
    for (let sequence = 0; sequence < 3; sequence++) send(log, { sequence })
    expect(() => send(log, { sequence: 3, epoch: 1 })).toThrow(outOfOrder)
    // What was refused did not raise the epoch.
    expect(send(log, { sequence: 3 }).baseOffset).toBe(3)
    expect(send(log, { sequence: 0, epoch: 2 })).toMatchObject({ duplicate: false, baseOffset: 4 })
    for (const sequence of [3, 4]) expect(() => send(log, { sequence })).toThrow(fenced)
    expect(send(log, { sequence: 0, epoch: 2 })).toMatchObject({ duplicate: true, baseOffset: 4 })
    expect(send(log, { sequence: 1, epoch: 2 }).baseOffset).toBe(5)
  })

  test('the largest is the last: nothing is above it', () => {
    const log = openLog()
    send(log, { sequence: 0, epoch: 0x7fff })
    expect(() => send(log, { sequence: 0, epoch: 0x7ffe })).toThrow(fenced)
    expect(send(log, { sequence: 1, epoch: 0x7fff }).baseOffset).toBe(1)
  })
})

describe('what goes away', () => {
  test.each(['a deletion of records', 'retention'])(
    '%s takes no sequences along; after a restart a producer without records is not known',
    (by) => {
      const storage = new MemoryStorage()
      const config = { segmentBytes: 200, retentionMs: HOUR }
      let log = openLog(storage, { config })
      for (let sequence = 0; sequence < 6; sequence++) send(log, { sequence, timestamp: NOW })
      if (by === 'retention') log.applyRetention(NOW + 2 * HOUR, 24 * HOUR)
      else log.deleteRecordsBefore(6)
      expect([log.logStartOffset, log.logEndOffset]).toEqual([6, 6])
      expect(send(log, { sequence: 5 })).toMatchObject({ duplicate: true, baseOffset: 5 })
      expect(() => send(log, { sequence: 9 })).toThrow(outOfOrder)
      log.close()
      log = openLog(storage, { config, logStartOffset: 6 })
      expect(log.producers.size).toBe(0)
      // As in Kafka, any sequence is accepted then: never UNKNOWN_PRODUCER_ID.
      expect(send(log, { sequence: 9 })).toMatchObject({ duplicate: false, baseOffset: 6 })
    },
  )

  test('a producer is forgotten when it did not write for producer.id.expiration.ms, also over a restart', () => {
    const storage = new MemoryStorage()
    let log = openLog(storage)
    send(log, { sequence: 0, timestamp: NOW - 24 * HOUR + 1 })
    send(log, { sequence: 0, timestamp: NOW - HOUR, id: 8 })
    log.applyRetention(NOW, 24 * HOUR)
    expect(log.producers.size).toBe(2)
    log.applyRetention(NOW + 1, 24 * HOUR)
    expect([...log.producers.entries()].map(({ producerId }) => producerId)).toEqual([8])
    log.close()
    log = openLog(storage, { now: NOW + 23 * HOUR })
    expect(log.producers.size).toBe(0)
    expect(send(log, { sequence: 77, id: 8 }).baseOffset).toBe(2)
  })

  test('snapshots stand at the bases of the segments and at the end; those of other places go', () => {
    const storage = new MemoryStorage()
    const config = { segmentBytes: 250 }
    const snapshots = (): number[] =>
      storage
        .list('t-0')
        .filter((name) => name.endsWith('.snapshot'))
        .map((name) => Number(name.slice(0, 20)))
    let log = openLog(storage, { config })
    for (let sequence = 0; sequence < 8; sequence++) send(log, { sequence })
    const bases = storage
      .list('t-0')
      .filter((name) => name.endsWith('.log'))
      .map((name) => Number(name.slice(0, 20)))
    expect(bases).toHaveLength(3)
    expect(snapshots()).toEqual(bases.slice(1))
    log.close()
    expect(snapshots()).toEqual([...bases.slice(1), 8])
    storage.writeFile('t-0/00000000000000000001.snapshot', Buffer.from('stray'))
    storage.writeFile('t-0/00000000000000000099.snapshot', storage.readFile('t-0/00000000000000000008.snapshot')!)
    log = openLog(storage, { config })
    for (const stray of [1, 99]) expect(snapshots()).not.toContain(stray)
    for (let sequence = 3; sequence < 8; sequence++) expect(send(log, { sequence })).toMatchObject({ duplicate: true })
    log.deleteRecordsBefore(bases[2]!)
    expect(snapshots().filter((offset) => offset < bases[2]!)).toEqual([])
    expect(() => send(log, { sequence: 99 })).toThrow(outOfOrder)
  })

  test('a snapshot that is damaged is removed, and the one before it or the log has what is needed', () => {
    const storage = new MemoryStorage()
    const config = { segmentBytes: 250 }
    const log = openLog(storage, { config })
    for (let sequence = 0; sequence < 8; sequence++) send(log, { sequence })
    log.close()
    const names = storage.list('t-0').filter((name) => name.endsWith('.snapshot'))
    for (let damaged = 1; damaged <= names.length; damaged++) {
      for (const name of names.slice(-damaged)) storage.writeFile(`t-0/${name}`, Buffer.from('damaged'))
      const again = openLog(storage, { config, clean: false })
      expect(storage.exists(`t-0/${names.at(-damaged)!}`)).toBe(false)
      for (let sequence = 3; sequence < 8; sequence++) expect(send(again, { sequence }).baseOffset).toBe(sequence)
      again.abandon()
    }
  })
})

describe('transactions in a log that a Kafka wrote', () => {
  const entryOf = (log: PartitionLog): object => {
    const { producerEpoch, coordinatorEpoch, currentTxnFirstOffset, lastTimestamp } = log.producers.get(ID)!
    return { producerEpoch, coordinatorEpoch, currentTxnFirstOffset, lastTimestamp }
  }

  test.each([true, false])('are remembered with all they have, also over a restart (clean: %s)', (clean) => {
    const storage = new MemoryStorage()
    let log = openLog(storage)
    const reopen = (): void => {
      if (clean) log.close()
      else log.abandon()
      log = openLog(storage, { clean })
    }
    write(log, batch({ sequence: 0, count: 2, transactional: true }))
    write(log, batch({ sequence: 2, transactional: true }))
    const open = { producerEpoch: 0, coordinatorEpoch: -1, currentTxnFirstOffset: 0, lastTimestamp: NOW }
    expect(entryOf(log)).toEqual(open)
    reopen()
    expect(entryOf(log)).toEqual(open)
    write(log, marker(0, 13))
    const ended = { producerEpoch: 0, coordinatorEpoch: 13, currentTxnFirstOffset: -1, lastTimestamp: NOW + 5 }
    expect(entryOf(log)).toEqual(ended)
    reopen()
    expect(entryOf(log)).toEqual(ended)
    expect(send(log, { sequence: 3 }).baseOffset).toBe(4)
    // A marker of a new epoch forgets the batches: the next begins at 0.
    write(log, marker(1, 14))
    reopen()
    expect(entryOf(log)).toMatchObject({ producerEpoch: 1, coordinatorEpoch: 14 })
    expect(() => send(log, { sequence: 4, epoch: 1 })).toThrow(outOfOrder)
    expect(() => send(log, { sequence: 4, epoch: 0 })).toThrow(fenced)
    expect(send(log, { sequence: 0, epoch: 1 }).baseOffset).toBe(6)
  })

  test('an open one keeps its producer, however long it is silent, and lets it write nothing beside it', () => {
    const log = openLog()
    write(log, batch({ sequence: 0, transactional: true }))
    log.applyRetention(NOW + 1000 * HOUR, 24 * HOUR)
    expect(log.producers.size).toBe(1)
    expect(() => send(log, { sequence: 1 })).toThrow(expect.objectContaining({ code: 'INVALID_TXN_STATE' }))
    expect(log.logEndOffset).toBe(1)
    write(log, marker(0, 1))
    expect(send(log, { sequence: 1 }).baseOffset).toBe(2)
  })
})

test('a snapshot has the layout that Kafka gives it', () => {
  const storage = new MemoryStorage()
  const log = openLog(storage)
  send(log, { sequence: 3, epoch: 2, count: 4, timestamp: NOW })
  log.close()
  const bytes = storage.readFile('t-0/00000000000000000004.snapshot')!
  expect(bytes.length).toBe(2 + 4 + 4 + 46)
  const at = (position: number): number => Number(bytes.readBigInt64BE(10 + position))
  expect([bytes.readInt16BE(0), bytes.readInt32BE(6)]).toEqual([1, 1])
  expect([at(0), bytes.readInt16BE(18), bytes.readInt32BE(20), at(14), bytes.readInt32BE(32)]).toEqual([ID, 2, 6, 3, 3])
  expect([at(26), bytes.readInt32BE(44), at(38)]).toEqual([NOW, -1, -1])
  expect(producersOfSnapshot(bytes)).toEqual([...log.producers.entries()])
  expect(producersOfSnapshot(Buffer.concat([bytes, Buffer.alloc(1)]))).toBeNull()
})
