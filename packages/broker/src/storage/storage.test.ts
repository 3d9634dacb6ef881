import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { DiskStorage } from '../io/disk-storage.ts'
import { MEMORY_SLAB_MAX_BYTES } from '../limits.ts'
import { MemoryStorage } from './memory-storage.ts'
import { StorageError, type Storage, type StorageFile } from './storage.ts'

const roots: string[] = []

function temporaryRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'millrace-storage-'))
  roots.push(root)
  return root
}

afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true })
})

const kinds: [string, () => Storage][] = [
  ['MemoryStorage', () => new MemoryStorage()],
  ['DiskStorage', () => new DiskStorage(temporaryRoot())],
  ['DiskStorage with syncWrites', () => new DiskStorage(join(temporaryRoot(), 'new', 'directory'), { syncWrites: true })],
]

/** All bytes of a file, however many reads it takes. */
function contentOf(file: StorageFile): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < file.size; at += pieces.at(-1)!.length) pieces.push(file.read(at, file.size - at))
  return Buffer.concat(pieces)
}

describe.each(kinds)('%s', (_, create) => {
  test('files', () => {
    const storage = create()
    const file = storage.open('a.log')
    file.append(Buffer.from('hello '))
    file.append(Buffer.from('world'))
    expect(file.size).toBe(11)
    expect(contentOf(file).toString()).toBe('hello world')
    expect(file.read(8, 100).toString()).toBe('rld')
    expect(file.read(11, 5).length).toBe(0)
    file.write(0, Buffer.from('J'))
    file.write(10, Buffer.from('D!!'))
    expect(contentOf(file).toString()).toBe('Jello worlD!!')
    file.truncate(5)
    file.truncate(50)
    file.append(Buffer.from('.'))
    file.sync()
    file.close()
    expect(storage.readFile('a.log')!.toString()).toBe('Jello.')
    expect(contentOf(storage.open('a.log')).toString()).toBe('Jello.')
  })

  test('directories', () => {
    const storage = create()
    storage.mkdir('a/b')
    storage.open('a/b/file').append(Buffer.from('x'))
    storage.writeFile('a/text', 'one')
    storage.writeFile('a/text', Buffer.from('two'))
    expect(storage.list('')).toEqual(['a'])
    expect(storage.list('a')).toEqual(['b', 'text'])
    expect(storage.list('missing')).toEqual([])
    storage.rename('a', 'c')
    expect([storage.exists('a'), storage.exists('c/b/file'), storage.exists('c/b')]).toEqual([false, true, true])
    expect(storage.readFile('c/text')!.toString()).toBe('two')
    storage.rename('c/text', 'c/b/file')
    expect(storage.readFile('c/b/file')!.toString()).toBe('two')
    storage.remove('c/b/file')
    storage.remove('c/b/file')
    expect(storage.readFile('c/b/file')).toBeNull()
    storage.removeDirectory('c')
    storage.removeDirectory('c')
    expect(storage.list('')).toEqual([])
    storage.syncDirectory('')
  })

  test('directories keep their names apart, however deep and alike', () => {
    const storage = create()
    for (const directory of ['a', 'ab', 'a/b/c', 'a/bc']) {
      storage.mkdir(directory)
      storage.writeFile(`${directory}/file`, directory)
    }
    storage.mkdir('a')
    expect([storage.list(''), storage.list('a'), storage.list('a/b')]).toEqual([['a', 'ab'], ['b', 'bc', 'file'], ['c']])
    storage.rename('a/b', 'ab/d')
    expect([storage.list('a'), storage.list('ab'), storage.list('ab/d/c')]).toEqual([['bc', 'file'], ['d', 'file'], ['file']])
    expect(storage.open('ab/d/c/file').read(0, 10).toString()).toBe('a/b/c')
    expect(() => storage.rename('a/file', 'missing/file')).toThrow(StorageError)
    storage.rename('a/file', 'a/file')
    expect(storage.list('a')).toEqual(['bc', 'file'])
    storage.removeDirectory('a')
    expect([storage.list(''), storage.exists('a/bc'), storage.readFile('a/bc/file')]).toEqual([['ab'], false, null])
    storage.mkdir('a')
    expect(storage.list('a')).toEqual([])
  })

  test('errors name the path', () => {
    const storage = create()
    const names = (run: () => unknown): void =>
      expect(run).toThrow(
        expect.objectContaining({ code: 'KAFKA_STORAGE_ERROR', retriable: true, message: expect.stringContaining('missing') }),
      )
    names(() => storage.open('missing/file'))
    names(() => storage.writeFile('missing/file', 'x'))
    names(() => storage.rename('missing', 'other'))
  })

  test('a background sync reports that it is done, also for a file that was closed meanwhile', async () => {
    const file = create().open('a.log')
    file.append(Buffer.from('x'))
    const done = new Promise<StorageError | null>((resolve) => file.syncInBackground(resolve))
    file.close()
    expect(await done).toBeNull()
  })

  test('behaves as an array of bytes does', () => {
    const operation = fc.oneof(
      fc.record({ kind: fc.constant('append' as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 3000 }) }),
      fc.record({ kind: fc.constant('write' as const), at: fc.nat({ max: 9000 }), bytes: fc.uint8Array({ maxLength: 300 }) }),
      fc.record({ kind: fc.constant('truncate' as const), size: fc.nat({ max: 9000 }) }),
    )
    const storage = create()
    let run = 0
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 25 }), (operations) => {
        const file = storage.open(`file-${run++}`)
        let model = Buffer.alloc(0)
        for (const step of operations) {
          if (step.kind === 'append') {
            file.append(Buffer.from(step.bytes))
            model = Buffer.concat([model, step.bytes])
          } else if (step.kind === 'truncate') {
            file.truncate(step.size)
            model = model.subarray(0, step.size)
          } else {
            const at = Math.min(step.at, model.length)
            file.write(at, Buffer.from(step.bytes))
            model = Buffer.concat([model.subarray(0, at), step.bytes, model.subarray(at + step.bytes.length)])
          }
          expect(file.size).toBe(model.length)
        }
        expect(contentOf(file).equals(model)).toBe(true)
        file.close()
      }),
      { numRuns: 60 },
    )
  })
})

describe('MemoryStorage', () => {
  test('hands out what was appended in one piece as one view', () => {
    const file = new MemoryStorage().open('a.log')
    const sizes = [10, 5000, 70_000, 3, MEMORY_SLAB_MAX_BYTES + 1, 200_000, 900_000, 900_000]
    let at = 0
    for (const size of sizes) {
      file.append(Buffer.alloc(size, size % 251))
      const piece = file.read(at, size)
      expect(piece.length).toBe(size)
      expect(piece[size - 1]).toBe(size % 251)
      expect(file.read(at, size).buffer).toBe(piece.buffer)
      at += size
    }
  })

  test('never changes a view that it handed out', () => {
    const file = new MemoryStorage().open('a.log')
    file.append(Buffer.from('first'))
    file.append(Buffer.from('second'))
    const view = file.read(0, 11)
    file.truncate(5)
    file.append(Buffer.from('SECOND'))
    expect(view.toString()).toBe('firstsecond')
    expect(contentOf(file).toString()).toBe('firstSECOND')
  })
})

describe('DiskStorage', () => {
  test('says what is wrong with a directory that it cannot use', () => {
    const root = temporaryRoot()
    writeFileSync(join(root, 'file'), '')
    expect(() => new DiskStorage(join(root, 'file', 'below'))).toThrow(StorageError)
    const storage = new DiskStorage(root)
    expect(() => storage.list('file')).toThrow(/cannot list .*file/)
    mkdirSync(join(root, 'a-directory'))
    expect(() => storage.open('a-directory')).toThrow(/cannot open .*a-directory/)
  })

  test.skipIf(!existsSync('/dev/full'))('an append that the device refuses leaves the size as it was', () => {
    // Writing to /dev/full fails with ENOSPC, as a full disk does.
    const storage = new DiskStorage('/dev')
    const file = storage.open('full')
    expect(() => file.append(Buffer.from('x'))).toThrow(
      expect.objectContaining({ code: 'KAFKA_STORAGE_ERROR', path: '/dev/full', message: expect.stringMatching(/ENOSPC/) }),
    )
    expect(file.size).toBe(0)
    file.close()
  })
})
