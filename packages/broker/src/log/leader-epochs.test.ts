import { describe, expect, test } from 'vitest'
import { appendTo, batchOf, openLog } from '../../test/log-fixtures.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'
import { LeaderEpochs } from './leader-epochs.ts'

function epochs(entries: readonly [epoch: number, start: number][], storage = new MemoryStorage()): LeaderEpochs {
  storage.mkdir('t-0')
  const cache = new LeaderEpochs(storage, 't-0')
  for (const [epoch, start] of entries) cache.assign(epoch, start)
  return cache
}

describe('where an epoch ends (LeaderEpochFileCache.endOffsetFor)', () => {
  const cache = epochs([
    [2, 10],
    [4, 20],
    [7, 30],
  ])

  test.each([
    [-1, -1, -1],
    [0, 0, 10],
    [1, 1, 10],
    [2, 2, 20],
    [3, 2, 20],
    [4, 4, 30],
    [6, 4, 30],
    [7, 7, 99],
    [8, -1, -1],
  ])('%i', (asked, epoch, endOffset) => {
    expect(cache.endOf(asked, 99)).toEqual({ epoch, endOffset })
  })

  test('which epoch wrote an offset', () => {
    expect([9, 10, 19, 20, 500].map((offset) => cache.epochOf(offset))).toEqual([-1, 2, 2, 4, 7])
  })
})

test('is kept in a file, which a crash cannot tear', () => {
  const storage = new MemoryStorage()
  epochs(
    [
      [0, 0],
      [3, 8],
    ],
    storage,
  )
  expect(storage.readFile('t-0/leader-epoch-checkpoint')!.toString()).toBe('0\n2\n0 0\n3 8\n')
  expect(new LeaderEpochs(storage, 't-0').entries).toEqual([
    { epoch: 0, startOffset: 0 },
    { epoch: 3, startOffset: 8 },
  ])
  for (const damaged of ['', '0\n', '1\n1\n0 0\n', '0\n5\n0 0\n', 'nonsense']) {
    storage.writeFile('t-0/leader-epoch-checkpoint', damaged)
    expect(new LeaderEpochs(storage, 't-0').latest).toBe(-1)
  }
})

test('follows the log at both its ends', () => {
  const cache = epochs([
    [0, 0],
    [3, 8],
    [5, 20],
  ])
  cache.truncateFromStart(10)
  expect(cache.entries).toEqual([
    { epoch: 3, startOffset: 10 },
    { epoch: 5, startOffset: 20 },
  ])
  cache.truncateFromEnd(20)
  expect(cache.entries).toEqual([{ epoch: 3, startOffset: 10 }])
  cache.assign(3, 40)
  cache.assign(2, 40)
  expect(cache.latest).toBe(3)
})

test('is rebuilt from the batches of a log', () => {
  const storage = new MemoryStorage()
  const log = openLog(storage)
  appendTo(log, batchOf(['a', 'b']))
  log.becomeLeader(4)
  appendTo(log, batchOf(['c']))
  log.abandon()
  storage.remove('t-0/leader-epoch-checkpoint')
  const again = openLog(storage, { clean: false })
  again.becomeLeader(4)
  expect(again.epochEndOffset(0)).toEqual({ epoch: 0, endOffset: 2 })
  expect(again.epochEndOffset(4)).toEqual({ epoch: 4, endOffset: 3 })
  expect(again.offsetForTimestamp(0)).toMatchObject({ offset: 0, leaderEpoch: 0 })
  expect(again.epochOf(2)).toBe(4)
})
