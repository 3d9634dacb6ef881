import { describe, expect, test } from 'vitest'
import { MemoryStorage } from '../storage/memory-storage.ts'
import { OffsetIndex } from './offset-index.ts'
import { TimeIndex } from './time-index.ts'

describe('OffsetIndex', () => {
  function filled(storage = new MemoryStorage()): OffsetIndex {
    const index = OffsetIndex.empty(storage, 'i', 100)
    index.append(104, 0)
    index.append(110, 500)
    index.append(120, 900)
    return index
  }

  test.each([
    [100, 0],
    [104, 0],
    [109, 0],
    [110, 500],
    [119, 500],
    [120, 900],
    [5000, 900],
  ])('offset %i is looked for from %i on', (offset, position) => {
    expect(filled().lookup(offset)).toBe(position)
  })

  test('a place near a position', () => {
    expect([0, 499, 500, 899, 900, 9999].map((position) => filled().floorPosition(position))).toEqual([0, 0, 500, 500, 900, 900])
  })

  test("has Kafka's bytes, and reads them back", () => {
    const storage = new MemoryStorage()
    filled(storage).save()
    expect(storage.readFile('i')!.toString('hex')).toBe('00000004000000000000000a000001f40000001400000384')
    const loaded = OffsetIndex.load(storage, 'i', 100, 1000)!
    expect([loaded.count, loaded.lookup(110)]).toEqual([3, 500])
    loaded.unload()
    expect(loaded.lookup(121)).toBe(900)
    loaded.truncateTo(120)
    loaded.save()
    expect(storage.readFile('i')!.length).toBe(16)
  })

  test('refuses files that cannot be the index of its log', () => {
    const storage = new MemoryStorage()
    filled(storage).save()
    expect(OffsetIndex.load(storage, 'missing', 100, 1000)).toBeNull()
    expect(OffsetIndex.load(storage, 'i', 100, 900)).toBeNull()
    storage.writeFile('i', storage.readFile('i')!.subarray(0, 15))
    expect(OffsetIndex.load(storage, 'i', 100, 1000)).toBeNull()
  })
})

describe('TimeIndex', () => {
  function filled(storage = new MemoryStorage()): TimeIndex {
    const index = TimeIndex.empty(storage, 't', 100)
    index.maybeAppend(1000, 104)
    index.maybeAppend(900, 107)
    index.maybeAppend(1000, 108)
    index.maybeAppend(2000, 110)
    return index
  }

  test('takes only timestamps that are larger than all before', () => {
    const index = filled()
    expect([index.count, index.lastTimestamp, index.lastOffset]).toEqual([2, 2000, 110])
    expect(TimeIndex.empty(new MemoryStorage(), 't', 100)).toMatchObject({ lastTimestamp: -1, lastOffset: 100 })
  })

  test.each([
    [0, 100],
    [1000, 100],
    [1001, 104],
    [2000, 104],
    [2001, 110],
  ])('nothing before the offset found is as late as %i', (timestamp, offset) => {
    expect(filled().lookup(timestamp)).toBe(offset)
  })

  test("has Kafka's bytes, and reads them back", () => {
    const storage = new MemoryStorage()
    filled(storage).save()
    expect(storage.readFile('t')!.toString('hex')).toBe('00000000000003e80000000400000000000007d00000000a')
    expect(TimeIndex.load(storage, 't', 100, 200)).toMatchObject({ count: 2, lastTimestamp: 2000 })
    expect(TimeIndex.load(storage, 't', 100, 110)).toBeNull()
  })
})
