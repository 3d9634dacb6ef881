import { describe, expect, test } from 'vitest'
import { messageOf } from '@millrace/protocol/internal'
import { FaultyStorage, Killed, type Fault } from '../../test/faulty-storage.ts'
import { appendTo, batchOf, NOW, openLog, readAll } from '../../test/log-fixtures.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'
import type { Storage } from '../storage/storage.ts'
import { DEFAULT_LOG_CONFIG, type LogConfig } from './log-config.ts'
import { LogManager } from './log-manager.ts'
import type { PartitionLog } from './partition-log.ts'

const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAZg'
const CONFIG: LogConfig = { ...DEFAULT_LOG_CONFIG, segmentBytes: 400, indexIntervalBytes: 100, retentionMs: -1 }
const PRODUCER = { producerId: 7, producerEpoch: 0 }
const BATCHES = 14

interface World {
  readonly manager: LogManager
  readonly log: PartitionLog
}

function boot(storage: Storage): World {
  const manager = new LogManager(storage, { now: () => NOW })
  manager.begin()
  return { manager, log: manager.open('t', TOPIC_ID, 0, CONFIG) }
}

/** Record `n` of a producer that sends one record per batch. */
function batch(sequence: number): Buffer {
  return batchOf([{ value: `v${sequence}`, timestamp: NOW + sequence }], { ...PRODUCER, baseSequence: sequence })
}

function expected(from: number, to: number): { offset: number; value: string; timestamp: number }[] {
  return Array.from({ length: to - from }, (_, index) => ({
    offset: from + index,
    value: `v${from + index}`,
    timestamp: NOW + from + index,
  }))
}

/** What clients were told before the process died. */
interface Promised {
  acked: number
  deletedTo: number
}

/** A life of a broker: produces, deletes, checkpoints, restarts cleanly once. */
function live(storage: Storage, promised: Promised): void {
  let world = boot(storage)
  for (let sequence = 0; sequence < BATCHES; sequence++) {
    if (sequence === 5) world.manager.writeCheckpoints()
    if (sequence === 7) promised.deletedTo = world.log.deleteRecordsBefore(4)
    if (sequence === 10) {
      world.manager.close()
      world = boot(storage)
    }
    appendTo(world.log, batch(sequence))
    promised.acked = sequence + 1
  }
  world.manager.close()
}

/** Checks that all is there that was promised, once, and that the producer can go on where it was. */
function checkAfterCrash(inner: MemoryStorage, promised: Promised): void {
  const { log, manager } = boot(inner)
  expect(log.logEndOffset).toBeGreaterThanOrEqual(promised.acked)
  expect(log.logEndOffset).toBeLessThanOrEqual(promised.acked + 1)
  expect(log.logStartOffset).toBeGreaterThanOrEqual(promised.deletedTo)
  expect(readAll(log)).toEqual(expected(log.logStartOffset, log.logEndOffset))
  // The producer repeats what it has no answer for, and then goes on.
  for (let sequence = promised.acked; sequence < promised.acked + 3; sequence++) {
    expect(appendTo(log, batch(sequence)).baseOffset).toBe(sequence)
  }
  expect(readAll(log)).toEqual(expected(log.logStartOffset, promised.acked + 3))
  checkIndexes(log)
  manager.close()
  const again = boot(inner)
  expect(again.manager.wasClean).toBe(true)
  expect(readAll(again.log)).toEqual(expected(log.logStartOffset, promised.acked + 3))
  checkIndexes(again.log)
}

/** Every offset and timestamp is found through the indexes. */
function checkIndexes(log: PartitionLog): void {
  // Backwards, so that no read begins where the last one ended: such reads need no index.
  for (let offset = log.logEndOffset - 1; offset >= log.logStartOffset; offset--) {
    expect(log.read({ offset, maxBytes: 1, minOneBatch: true }).nextOffset).toBe(offset + 1)
    expect(log.offsetForTimestamp(NOW + offset)).toEqual({ offset, timestamp: NOW + offset, leaderEpoch: 0 })
  }
}

function countChanges(): number {
  const storage = new FaultyStorage(new MemoryStorage())
  live(storage, { acked: 0, deletedTo: 0 })
  return storage.changes
}

const CHANGES = countChanges()

describe('a broker killed between any two changes of its disk', () => {
  test('the life that is interrupted has the steps it is meant to have', () => {
    expect(CHANGES).toBeGreaterThan(50)
  })

  test.each([0, 1, 30, 60, 61, 70])('having written %i bytes of the last', (killAfterBytes) => {
    for (let step = 0; step < CHANGES; step++) {
      const storage = new FaultyStorage(new MemoryStorage(), (change): Fault => (change === step ? { killAfterBytes } : 'none'))
      const promised = { acked: 0, deletedTo: 0 }
      expect(() => live(storage, promised)).toThrow(Killed)
      during(`killed at change ${step}`, () => checkAfterCrash(storage.inner, promised))
    }
  })
})

test('a torn last batch is cut at whatever byte it was torn, and nothing else', () => {
  const whole = new MemoryStorage()
  const log = openLog(whole)
  appendTo(log, batchOf(['a', 'b']))
  const kept = whole.readFile('t-0/00000000000000000000.log')!
  appendTo(log, batchOf(['c', 'd', 'e']))
  const full = whole.readFile('t-0/00000000000000000000.log')!
  for (let size = kept.length; size <= full.length; size++) {
    const storage = new MemoryStorage()
    storage.mkdir('t-0')
    storage.writeFile('t-0/00000000000000000000.log', full.subarray(0, size))
    const recovered = openLog(storage, { clean: false })
    expect(recovered.logEndOffset).toBe(size === full.length ? 5 : 2)
    expect(recovered.size).toBe(size === full.length ? full.length : kept.length)
    expect(appendTo(recovered, batchOf(['x'])).baseOffset).toBe(recovered.logEndOffset - 1)
  }
})

test('a flipped bit ends the log there, and later segments go', () => {
  const storage = new MemoryStorage()
  const log = openLog(storage, { config: CONFIG })
  for (let sequence = 0; sequence < 12; sequence++) appendTo(log, batch(sequence))
  log.abandon()
  const names = storage.list('t-0').filter((name) => name.endsWith('.log'))
  expect(names.length).toBeGreaterThan(2)
  const damaged = `t-0/${names[1]!}`
  const bytes = Buffer.from(storage.readFile(damaged)!)
  bytes[bytes.length - 1]! ^= 0x40
  storage.writeFile(damaged, bytes)
  const recovered = openLog(storage, { config: CONFIG, clean: false })
  const end = Number(names[2]!.slice(0, 20)) - 1
  expect(readAll(recovered)).toEqual(expected(0, end))
  expect(storage.list('t-0').filter((name) => name.endsWith('.log'))).toEqual(names.slice(0, 2))
  // What the producer wrote after the damage must be written again, not taken for repeated.
  expect(appendTo(recovered, batch(end)).duplicate).toBe(false)
  expect(recovered.logEndOffset).toBe(end + 1)
})

describe('what can be rebuilt is rebuilt', () => {
  test.each(['.index', '.timeindex', '.snapshot', 'leader-epoch-checkpoint', 'partition.metadata'])('%s', (suffix) => {
    const storage = new MemoryStorage()
    const log = openLog(storage, { config: CONFIG })
    for (let sequence = 0; sequence < 12; sequence++) appendTo(log, batch(sequence))
    log.close()
    for (const name of storage.list('t-0')) if (name.endsWith(suffix)) storage.remove(`t-0/${name}`)
    const again = openLog(storage, { config: CONFIG })
    expect(readAll(again)).toEqual(expected(0, 12))
    checkIndexes(again)
    expect(appendTo(again, batch(11)).duplicate).toBe(true)
    expect(appendTo(again, batch(12)).baseOffset).toBe(12)
  })

  test('indexes of the length that a killed Kafka leaves them at', () => {
    const storage = new MemoryStorage()
    const log = openLog(storage, { config: { indexIntervalBytes: 100 } })
    for (let sequence = 0; sequence < 12; sequence++) appendTo(log, batch(sequence))
    log.close()
    for (const suffix of ['.index', '.timeindex']) {
      const path = `t-0/00000000000000000000${suffix}`
      storage.writeFile(path, Buffer.concat([storage.readFile(path)!, Buffer.alloc(12 * 1024)]))
    }
    const again = openLog(storage, { config: { indexIntervalBytes: 100 } })
    expect(again.logEndOffset).toBe(12)
    checkIndexes(again)
  })
})

describe('a disk that is full at any one change', () => {
  test('refuses that change, keeps what it has, and serves again afterwards', () => {
    let refused = 0
    for (let step = 0; step < CHANGES; step++) {
      const storage = new FaultyStorage(new MemoryStorage(), (change): Fault => (change === step ? 'error' : 'none'))
      const errors: unknown[] = []
      const world = tryTo(() => boot(storage), errors) ?? boot(storage)
      const acked: string[] = []
      for (let index = 0; index < BATCHES; index++) {
        const appended = tryTo(() => appendTo(world.log, batchOf([`v${index}`])), errors)
        if (appended !== null) acked.push(`v${index}`)
      }
      during(`change ${step}`, () => {
        expect(errors.length).toBeLessThanOrEqual(1)
        for (const error of errors) expect(error).toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
        expect(readAll(world.log).map((record) => record.value)).toEqual(acked)
        world.manager.abandon()
        expect(readAll(boot(storage.inner).log).map((record) => record.value)).toEqual(acked)
      })
      refused += errors.length
    }
    expect(refused).toBeGreaterThan(BATCHES)
  })
})

function tryTo<Result>(run: () => Result, errors: unknown[]): Result | null {
  try {
    return run()
  } catch (error) {
    errors.push(error)
    return null
  }
}

/** Names the circumstances in which a check failed. */
function during(what: string, check: () => void): void {
  try {
    check()
  } catch (error) {
    throw new Error(`${what}: ${messageOf(error)}`, { cause: error })
  }
}
