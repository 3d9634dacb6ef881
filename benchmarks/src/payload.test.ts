import { deflateSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { payload } from './payload.ts'

test.each([100, 1024, 10_240])('%i bytes: exact length, JSON, all different, the same each time', (bytes) => {
  const values = payload(200, bytes)
  for (const value of values) {
    expect(value.length).toBe(bytes)
    expect(JSON.parse(value.toString('latin1'))).toHaveProperty('kind')
  }
  expect(new Set(values.map((value) => value.toString('latin1'))).size).toBe(200)
  expect(Buffer.concat(payload(200, bytes)).equals(Buffer.concat(values))).toBe(true)
})

test('a codec finds something in it, and not everything', () => {
  const bytes = Buffer.concat(payload(1_000, 100))
  const ratio = bytes.length / deflateSync(bytes).length
  expect(ratio).toBeGreaterThan(1.5)
  expect(ratio).toBeLessThan(6)
})

test('a size that cannot hold the fields is refused', () => {
  expect(() => payload(1, 40)).toThrow('40 bytes is too short')
})
