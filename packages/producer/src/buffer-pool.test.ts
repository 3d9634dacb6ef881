import { expect, test } from 'vitest'
import { BufferPool } from './buffer-pool.ts'
import { POOLED_BUFFERS_MAX } from './limits.ts'

const BATCH_SIZE = 100

test('gives a buffer again to who asks for its size', () => {
  const pool = new BufferPool(BATCH_SIZE)
  const [single, triple] = [Buffer.alloc(100), Buffer.alloc(300)]
  for (const buffer of [single, triple, Buffer.alloc(150), Buffer.alloc(0)]) pool.give(buffer)
  expect(pool.take(300)).toBe(triple)
  expect(pool.take(300)).toBeUndefined()
  expect(pool.take(150)).toBeUndefined()
  expect(pool.take(100)).toBe(single)
})

test('keeps no more than its bound, and makes room for a size that is new', () => {
  const pool = new BufferPool(BATCH_SIZE)
  for (let index = 0; index < POOLED_BUFFERS_MAX + 5; index++) pool.give(Buffer.alloc(100))
  const taken: Buffer[] = []
  for (let buffer = pool.take(100); buffer !== undefined; buffer = pool.take(100)) taken.push(buffer)
  expect(taken).toHaveLength(POOLED_BUFFERS_MAX)
  for (const buffer of taken) pool.give(buffer)
  pool.give(Buffer.alloc(200))
  expect(pool.take(100)).toBeUndefined()
  expect(pool.take(200)).toHaveLength(200)
  pool.give(Buffer.alloc(100 * (POOLED_BUFFERS_MAX + 1)))
  expect(pool.take(100 * (POOLED_BUFFERS_MAX + 1))).toBeUndefined()
})
