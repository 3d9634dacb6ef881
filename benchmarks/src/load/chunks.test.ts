import { expect, test } from 'vitest'
import { chunkMessages, chunksOf } from './chunks.ts'

test('a call has a thousand messages, or fewer of large ones, so that it fits one batch', () => {
  expect(chunkMessages(100)).toBe(1_000)
  expect(chunkMessages(10_240)).toBe(97)
  expect(chunkMessages(5_000_000)).toBe(1)
})

test('no two chunks have a message in common', () => {
  const chunks = chunksOf(100)
  expect(chunks.map((chunk) => chunk.length)).toEqual([1_000, 1_000, 1_000, 1_000])
  expect(new Set(chunks.flat().map((value) => value.toString('latin1'))).size).toBe(4_000)
})
