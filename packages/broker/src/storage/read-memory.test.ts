import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { DiskStorage } from '../io/disk-storage.ts'
import { READ_SLAB_BYTES, READ_SLAB_MIN_READ_BYTES, READ_SLABS_KEPT } from '../limits.ts'
import { ReadMemory } from './read-memory.ts'

const LARGE = READ_SLAB_BYTES / 2

test('what was released is used again, and never what is in use', () => {
  const memory = new ReadMemory()
  const first = memory.lease()
  const other = memory.lease()
  const taken = [first.take(LARGE), first.take(LARGE), first.take(LARGE), other.take(LARGE)]
  expect(taken.map(({ length }) => length)).toEqual([LARGE, LARGE, LARGE, LARGE])
  // Two to a slab, one after the other.
  expect(taken[1]!.buffer).toBe(taken[0]!.buffer)
  expect(taken[1]!.byteOffset).toBe(taken[0]!.byteOffset + LARGE)
  expect(new Set(taken.map(({ buffer }) => buffer)).size).toBe(3)

  first.release()
  const next = memory.lease()
  const again = [next.take(LARGE), next.take(LARGE), next.take(LARGE), next.take(LARGE), next.take(LARGE)]
  const slabs = new Set(again.map(({ buffer }) => buffer))
  expect(slabs).toContain(taken[0]!.buffer)
  expect(slabs).toContain(taken[2]!.buffer)
  expect(slabs).not.toContain(taken[3]!.buffer)
})

test('a release gives back once, and the lease may be used again', () => {
  const memory = new ReadMemory()
  const lease = memory.lease()
  const slab = lease.take(LARGE).buffer
  lease.release()
  lease.release()
  expect(lease.take(LARGE).buffer).toBe(slab)
  expect(memory.lease().take(LARGE).buffer).not.toBe(slab)
})

test('reads that are very small or larger than a slab have memory of their own', () => {
  const memory = new ReadMemory()
  const lease = memory.lease()
  expect(lease.take(100).buffer.byteLength).toBe(100)
  expect(lease.take(READ_SLAB_BYTES + 1).buffer.byteLength).toBe(READ_SLAB_BYTES + 1)
  const slab = lease.take(READ_SLAB_MIN_READ_BYTES).buffer
  expect(slab.byteLength).toBe(READ_SLAB_BYTES)
  // There is one already.
  expect(lease.take(100).buffer).toBe(slab)
})

test('so many slabs are kept and no more', () => {
  const memory = new ReadMemory()
  const lease = memory.lease()
  const slabs = new Set(Array.from({ length: READ_SLABS_KEPT + 3 }, () => lease.take(READ_SLAB_BYTES).buffer))
  lease.release()
  const next = memory.lease()
  const again = Array.from({ length: READ_SLABS_KEPT + 3 }, () => next.take(READ_SLAB_BYTES).buffer)
  expect(again.filter((buffer) => slabs.has(buffer)).length).toBe(READ_SLABS_KEPT)
})

test('a file on disk is read into it', () => {
  const root = mkdtempSync(join(tmpdir(), 'millrace-read-memory-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const file = new DiskStorage(root).open('log')
  onTestFinished(() => file.close())
  file.append(Buffer.from('0123456789'))
  file.append(Buffer.alloc(READ_SLAB_MIN_READ_BYTES, 'x'))
  const lease = new ReadMemory().lease()
  const read = file.read(8, READ_SLAB_BYTES, lease)
  expect(read.buffer.byteLength).toBe(READ_SLAB_BYTES)
  expect(read.length).toBe(READ_SLAB_MIN_READ_BYTES + 2)
  expect(read.toString('latin1', 0, 4)).toBe('89xx')
})
