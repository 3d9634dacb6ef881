import { describe, expect, test } from 'vitest'
import { appendTo, batchOf, NOW, readAll, values } from '../../test/log-fixtures.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'
import { DEFAULT_LOG_CONFIG, type LogConfig } from './log-config.ts'
import { LogManager, type LogManagerOptions } from './log-manager.ts'
import type { PartitionLog } from './partition-log.ts'

const ID = 'AAAAAAAAAAAAAAAAAAAAZg'
const OTHER_ID = 'BAAAAAAAAAAAAAAAAAAAZg'
const HOUR = 60 * 60 * 1000

function boot(storage: MemoryStorage, options: Partial<LogManagerOptions> = {}): LogManager {
  const manager = new LogManager(storage, { now: () => NOW, ...options })
  manager.begin()
  return manager
}

function open(manager: LogManager, config: Partial<LogConfig> = {}, partition = 0, id = ID): PartitionLog {
  return manager.open('orders', id, partition, { ...DEFAULT_LOG_CONFIG, ...config })
}

function text(storage: MemoryStorage, path: string): string | undefined {
  return storage.readFile(path)?.toString()
}

test("writes Kafka's files", () => {
  const storage = new MemoryStorage()
  const manager = boot(storage)
  const log = open(manager)
  appendTo(log, batchOf(['a', 'b', 'c']))
  log.deleteRecordsBefore(2)
  manager.close()
  expect(storage.list('')).toEqual([
    '.kafka_cleanshutdown',
    'log-start-offset-checkpoint',
    'orders-0',
    'recovery-point-offset-checkpoint',
    'replication-offset-checkpoint',
  ])
  expect(storage.list('orders-0')).toEqual([
    '00000000000000000000.index',
    '00000000000000000000.log',
    '00000000000000000000.timeindex',
    '00000000000000000003.snapshot',
    'leader-epoch-checkpoint',
    'partition.metadata',
  ])
  expect(text(storage, 'orders-0/partition.metadata')).toBe(`version: 0\ntopic_id: ${ID}`)
  expect(text(storage, 'orders-0/leader-epoch-checkpoint')).toBe('0\n1\n0 2\n')
  expect(text(storage, 'recovery-point-offset-checkpoint')).toBe('0\n1\norders 0 3\n')
  expect(text(storage, 'log-start-offset-checkpoint')).toBe('0\n1\norders 0 2\n')
  expect(text(storage, 'replication-offset-checkpoint')).toBe('0\n1\norders 0 3\n')
  expect(text(storage, '.kafka_cleanshutdown')).toBe('{"version":0,"brokerEpoch":-1}')
})

test('the mark of a clean end is gone as soon as the next life begins', () => {
  const storage = new MemoryStorage()
  boot(storage).close()
  expect(boot(storage).wasClean).toBe(true)
  expect(boot(storage).wasClean).toBe(false)
})

describe('directories', () => {
  test('of a deleted topic are gone', () => {
    const storage = new MemoryStorage()
    const manager = boot(storage)
    const log = open(manager)
    appendTo(log, batchOf(['a']))
    manager.delete(log)
    expect(storage.list('')).toEqual([])
    expect(log.closed).toBe(true)
    expect(() => appendTo(log, batchOf(['b']))).toThrow(expect.objectContaining({ code: 'KAFKA_STORAGE_ERROR' }))
  })

  test('that a killed deletion left are removed at the next start', () => {
    const storage = new MemoryStorage()
    storage.mkdir('orders-0.0-delete')
    storage.writeFile('orders-0.0-delete/00000000000000000000.log', 'x')
    boot(storage)
    expect(storage.list('')).toEqual([])
  })

  test('of another topic id under the same name are moved aside, not read and not destroyed', () => {
    const storage = new MemoryStorage()
    const first = boot(storage)
    appendTo(open(first), batchOf(['old']))
    first.close()
    const log = open(boot(storage), {}, 0, OTHER_ID)
    expect(log.logEndOffset).toBe(0)
    expect(storage.list('')).toContain('orders-0.0-stray')
    expect(storage.readFile('orders-0.0-stray/00000000000000000000.log')!.length).toBeGreaterThan(0)
  })

  test('that no topic claims are moved aside', () => {
    const storage = new MemoryStorage()
    const first = boot(storage)
    open(first)
    open(first, {}, 1)
    first.close()
    const second = boot(storage)
    open(second, {}, 1)
    expect(second.moveStraysAside()).toEqual(['orders-0'])
    expect(storage.list('').filter((name) => name.startsWith('orders'))).toEqual(['orders-0.0-stray', 'orders-1'])
  })
})

test('what checkpoints say of a deleted topic does not touch one of the same name', () => {
  const storage = new MemoryStorage()
  const first = boot(storage)
  const old = open(first)
  for (const value of values('old', 9)) appendTo(old, batchOf([value]))
  old.deleteRecordsBefore(7)
  first.writeCheckpoints()
  first.delete(old)
  const log = open(first, {}, 0, OTHER_ID)
  for (const value of values('new', 9)) appendTo(log, batchOf([value]))
  first.abandon()
  const path = 'orders-0/00000000000000000000.log'
  storage.writeFile(path, storage.readFile(path)!.subarray(0, -1))
  const again = open(boot(storage), {}, 0, OTHER_ID)
  expect(again.logStartOffset).toBe(0)
  expect(readAll(again).map((record) => record.value)).toEqual(values('new', 8))
})

test('a partition that is not open yet keeps its line in the checkpoints', () => {
  const storage = new MemoryStorage()
  const first = boot(storage)
  for (const partition of [0, 1]) {
    const log = open(first, {}, partition)
    appendTo(log, batchOf(['a', 'b', 'c']))
    log.deleteRecordsBefore(partition + 1)
  }
  first.close()
  const second = boot(storage)
  open(second, {}, 0)
  second.writeCheckpoints()
  second.abandon()
  expect(open(boot(storage), {}, 1).logStartOffset).toBe(2)
})

describe('retention', () => {
  const small: Partial<LogConfig> = { segmentBytes: 200 }

  /** One batch per segment, each an hour younger than the one before, the last of them now. */
  function fill(log: PartitionLog, count: number): void {
    for (let index = 0; index < count; index++) {
      appendTo(log, batchOf([{ value: 'x'.repeat(60), timestamp: NOW - (count - 1 - index) * HOUR }]))
    }
  }

  test('removes segments older than retention.ms', () => {
    const manager = boot(new MemoryStorage())
    const log = open(manager, { ...small, retentionMs: 3.5 * HOUR })
    fill(log, 8)
    expect(log.segmentCount).toBe(8)
    expect(manager.applyRetention(NOW)).toBe(4)
    expect([log.logStartOffset, log.logEndOffset, log.segmentCount]).toEqual([4, 8, 4])
    expect(readAll(log).map((record) => record.offset)).toEqual([4, 5, 6, 7])
  })

  test('removes the oldest segments above retention.bytes', () => {
    const manager = boot(new MemoryStorage())
    const log = open(manager, { ...small, retentionBytes: 1, retentionMs: -1 })
    fill(log, 8)
    const each = log.size / 8
    log.reconfigure({ ...log.config, retentionBytes: 3 * each })
    manager.applyRetention(NOW)
    expect([log.logStartOffset, log.segmentCount]).toEqual([5, 3])
    manager.reconfigure(log, { ...log.config, retentionBytes: 3 * each - 1 })
    expect(manager.applyRetention(NOW)).toBe(0)
  })

  test('empties a partition whose last record is too old, and offsets go on', () => {
    const storage = new MemoryStorage()
    const manager = boot(storage)
    const log = open(manager, { ...small, retentionMs: HOUR })
    fill(log, 3)
    manager.applyRetention(NOW + 2 * HOUR)
    expect([log.logStartOffset, log.logEndOffset, log.size]).toEqual([3, 3, 0])
    manager.abandon()
    const again = open(boot(storage), small)
    expect([again.logStartOffset, again.logEndOffset]).toEqual([3, 3])
    expect(appendTo(again, batchOf(['next'])).baseOffset).toBe(3)
  })

  test('keeps everything with retention.ms and retention.bytes of -1', () => {
    const manager = boot(new MemoryStorage())
    const log = open(manager, { ...small, retentionMs: -1 })
    fill(log, 5)
    expect(manager.applyRetention(NOW + 1e12)).toBe(0)
    expect(log.logStartOffset).toBe(0)
  })

  test('is applied by tick when it is due, and idle producers are forgotten', () => {
    const manager = boot(new MemoryStorage(), { retentionCheckIntervalMs: 1000, producerIdExpirationMs: 5 * HOUR })
    const log = open(manager, { ...small, retentionMs: HOUR })
    appendTo(log, batchOf(['a'], { producerId: 1, producerEpoch: 0, baseSequence: 0 }))
    expect(manager.deadline).toBe(NOW + 1000)
    manager.tick(NOW + 999)
    expect(log.logStartOffset).toBe(0)
    manager.tick(NOW + 2 * HOUR)
    expect([log.logStartOffset, log.producers.size]).toEqual([1, 1])
    manager.tick(NOW + 5 * HOUR)
    expect(log.producers.size).toBe(0)
  })
})

describe('rolling', () => {
  test('by segment.ms, counted in the time of the records', () => {
    const log = open(boot(new MemoryStorage()), { segmentMs: HOUR })
    appendTo(log, batchOf([{ timestamp: NOW - 5 * HOUR }]))
    appendTo(log, batchOf([{ timestamp: NOW - 4 * HOUR }]))
    expect(log.segmentCount).toBe(1)
    appendTo(log, batchOf([{ timestamp: NOW - 4 * HOUR + 1 }]))
    expect(log.segmentCount).toBe(2)
  })

  test('by a full index', () => {
    const log = open(boot(new MemoryStorage()), { segmentIndexBytes: 48, indexIntervalBytes: 0 })
    for (const [index, value] of values('v', 12).entries()) appendTo(log, batchOf([{ value, timestamp: NOW + index }]))
    expect(log.segmentCount).toBeGreaterThan(2)
    expect(readAll(log)).toHaveLength(12)
  })

  test('refuses a batch that no segment can hold', () => {
    const log = open(boot(new MemoryStorage()), { segmentBytes: 100 })
    expect(() => appendTo(log, batchOf(['x'.repeat(100)]))).toThrow(expect.objectContaining({ code: 'RECORD_LIST_TOO_LARGE' }))
  })
})

test('an empty partition has no snapshot, and a restart without a change writes none', () => {
  const storage = new MemoryStorage()
  const first = boot(storage)
  open(first)
  first.close()
  expect(storage.list('orders-0').filter((name) => name.endsWith('.snapshot'))).toEqual([])
  const second = boot(storage)
  const log = open(second)
  for (const value of values('v', 3)) appendTo(log, batchOf([value]))
  second.close()
  const third = boot(storage)
  open(third)
  third.close()
  expect(storage.list('orders-0').filter((name) => name.endsWith('.snapshot'))).toEqual(['00000000000000000003.snapshot'])
})
