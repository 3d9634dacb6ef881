import { expect, test } from 'vitest'
import { appendTo, batchOf, openLog, readAll } from '../../test/log-fixtures.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'

/** A directory with segments at 0, 3, 6 and 9, each of one batch of three records. */
function directoryOfFour(): MemoryStorage {
  const storage = new MemoryStorage()
  const log = openLog(storage, { config: { segmentBytes: 100 } })
  for (const base of [0, 3, 6, 9]) appendTo(log, batchOf([`v${base}`, `v${base + 1}`, `v${base + 2}`]))
  log.abandon()
  return storage
}

function name(base: number, suffix: string): string {
  return `t-0/${String(base).padStart(20, '0')}${suffix}`
}

/** A segment with one batch that stands for offsets `base` to `base + 5`, as compaction leaves it. */
function compacted(base: number): Buffer {
  const batch = batchOf(['c0', 'c1', 'c2', 'c3', 'c4', 'c5'], { baseOffset: base })
  batch.writeBigInt64BE(BigInt(base), 0)
  return batch
}

function valuesFrom(storage: MemoryStorage): (string | null)[] {
  return readAll(openLog(storage, { clean: false })).map((record) => record.value)
}

test('a finished swap takes the place of what it replaces', () => {
  const storage = directoryOfFour()
  storage.writeFile(name(3, '.log.swap'), compacted(3))
  storage.writeFile(name(3, '.index.swap'), '')
  expect(valuesFrom(storage)).toEqual(['v0', 'v1', 'v2', 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'v9', 'v10', 'v11'])
  expect(storage.list('t-0').filter((file) => file.endsWith('.swap'))).toEqual([])
})

test('a swap whose originals are gone already is all that is left of them', () => {
  const storage = directoryOfFour()
  storage.writeFile(name(3, '.log.swap'), compacted(3))
  for (const base of [3, 6]) storage.rename(name(base, '.log'), name(base, '.log.deleted'))
  expect(valuesFrom(storage)).toEqual(['v0', 'v1', 'v2', 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'v9', 'v10', 'v11'])
  expect(storage.list('t-0').filter((file) => file.endsWith('.deleted'))).toEqual([])
})

test('an unfinished one is undone', () => {
  const storage = directoryOfFour()
  const before = valuesFrom(storage)
  storage.writeFile(name(3, '.log.cleaned'), compacted(3).subarray(0, 80))
  storage.writeFile(name(6, '.log.swap'), compacted(6))
  storage.writeFile(name(0, '.snapshot.tmp'), 'x')
  expect(valuesFrom(storage)).toEqual(before)
  expect(storage.list('t-0').filter((file) => /swap|cleaned|tmp/.test(file))).toEqual([])
})
