import { expect, test } from 'vitest'
import { BufferPool } from './buffer-pool.ts'

const BATCH_SIZE = 100
/** A quarter of it is kept. */
const BUFFER_MEMORY = 40_000
const MOST = 100

test('gives a buffer again to who asks for its size', () => {
  const pool = new BufferPool(BATCH_SIZE, BUFFER_MEMORY)
  const [single, triple] = [Buffer.alloc(100), Buffer.alloc(300)]
  for (const buffer of [single, triple, Buffer.alloc(150), Buffer.alloc(0)]) pool.give(buffer)
  expect(pool.take(300)).toBe(triple)
  expect(pool.take(300)).toBeUndefined()
  expect(pool.take(150)).toBeUndefined()
  expect(pool.take(100)).toBe(single)
})

test('keeps no more than its bound, and makes room for a size that is new', () => {
  const pool = new BufferPool(BATCH_SIZE, BUFFER_MEMORY)
  for (let index = 0; index < MOST + 5; index++) pool.give(Buffer.alloc(100))
  const taken: Buffer[] = []
  for (let buffer = pool.take(100); buffer !== undefined; buffer = pool.take(100)) taken.push(buffer)
  expect(taken).toHaveLength(MOST)
  for (const buffer of taken) pool.give(buffer)
  pool.give(Buffer.alloc(200))
  expect(pool.take(100)).toBeUndefined()
  expect(pool.take(200)).toHaveLength(200)
  pool.give(Buffer.alloc(100 * (MOST + 1)))
  expect(pool.take(100 * (MOST + 1))).toBeUndefined()
})
