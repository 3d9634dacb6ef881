import { describe, expect, test } from 'vitest'
import { SeededRandom } from './seeded-random.ts'
import { SimDisk } from './sim-disk.ts'

const text = (disk: SimDisk, path: string): string | undefined => disk.readFile(path)?.toString()

describe('SimDisk', () => {
  test('behaves as a file system while the power is on', () => {
    const disk = new SimDisk()
    disk.mkdir('a/b')
    const file = disk.open('a/b/log')
    file.append(Buffer.from('hello '))
    file.append(Buffer.from('world'))
    const view = file.read(0, 5)
    file.write(0, Buffer.from('J'))
    expect(text(disk, 'a/b/log')).toBe('Jello world')
    expect(view.toString()).toBe('hello')
    file.truncate(5)
    file.append(Buffer.from('!'))
    expect(file.read(3, 100).toString()).toBe('lo!')
    expect(view.toString()).toBe('hello')
    expect(disk.list('')).toEqual(['a'])
    disk.rename('a/b', 'a/c')
    expect(disk.list('a')).toEqual(['c'])
    expect(text(disk, 'a/c/log')).toBe('Jello!')
    file.append(Buffer.from('?'))
    expect(text(disk, 'a/c/log')).toBe('Jello!?')
    disk.removeDirectory('a')
    expect(disk.list('')).toEqual([])
    expect(disk.readFile('a/c/log')).toBeNull()
  })

  test('synced bytes under a synced name survive every power failure; a torn end is a prefix or has a hole', () => {
    const ends = new Set<string>()
    for (let seed = 0; seed < 300; seed++) {
      const disk = new SimDisk()
      const file = disk.open('log')
      file.append(Buffer.from('kept'))
      file.sync()
      disk.syncDirectory()
      file.append(Buffer.from('torn'))
      disk.losePower(new SeededRandom(seed))
      const left = text(disk, 'log')!
      expect(left.startsWith('kept')).toBe(true)
      expect(left.slice(4)).toMatch(/^(t(o(r(n)?)?)?)?\0*$/)
      ends.add(left.slice(4))
    }
    expect(ends.size).toBeGreaterThan(8)
  })

  test('a name that was not synced may be gone, one that was is not', () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 100; seed++) {
      const disk = new SimDisk()
      disk.writeFile('old', 'content')
      disk.syncDirectory()
      disk.rename('old', 'new')
      disk.losePower(new SeededRandom(seed))
      seen.add(disk.list('').join())
      expect(text(disk, disk.list('').join())).toBe('content')
    }
    expect([...seen].toSorted()).toEqual(['new', 'old'])
  })

  test('writeFile leaves the old content or the new, never a mixture', () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 100; seed++) {
      const disk = new SimDisk()
      disk.writeFile('checkpoint', 'old')
      disk.syncDirectory()
      disk.writeFile('checkpoint', 'newer')
      disk.losePower(new SeededRandom(seed))
      seen.add(text(disk, 'checkpoint')!)
    }
    expect([...seen].toSorted()).toEqual(['newer', 'old'])
  })

  test('a full disk refuses writes by name and changes nothing', () => {
    const disk = new SimDisk()
    const file = disk.open('log')
    file.append(Buffer.from('fits'))
    disk.writesUntilFull = 0
    expect(() => file.append(Buffer.from('does not'))).toThrow(/cannot append to log: ENOSPC/)
    expect(() => disk.open('another')).toThrow('ENOSPC')
    expect(text(disk, 'log')).toBe('fits')
    disk.writesUntilFull = Infinity
    file.append(Buffer.from(' now'))
    expect(text(disk, 'log')).toBe('fits now')
  })

  test('a sync in the background takes its time; interrupted, it leaves the bytes where they were', () => {
    const waiting: (() => void)[] = []
    const disk = new SimDisk((action) => waiting.push(action))
    const file = disk.open('log')
    disk.syncDirectory()
    let done = 0
    for (const byte of [1, 2]) {
      file.append(Buffer.from([byte]))
      file.syncInBackground(() => done++)
      if (byte === 1) waiting.shift()!()
    }
    disk.interruptSyncs()
    waiting.shift()!()
    expect(done).toBe(1)
    expect(disk.readFile('log')).toEqual(Buffer.from([1, 2]))
    const lengths = new Set<number>()
    for (let seed = 1; seed <= 20; seed++) {
      const copy = new SimDisk()
      const one = copy.open('log')
      one.append(Buffer.from([1]))
      one.syncInBackground(() => {})
      copy.syncDirectory()
      one.append(Buffer.from([2]))
      copy.losePower(new SeededRandom(seed))
      lengths.add(copy.readFile('log')!.length)
    }
    expect(lengths).toEqual(new Set([1, 2]))
  })
})
