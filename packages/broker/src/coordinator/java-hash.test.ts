import { expect, test } from 'vitest'
import { coordinatorPartition, javaHashCode } from './java-hash.ts'

// From java.lang.String.hashCode; the one before the last is the famous one whose hash is Integer.MIN_VALUE.
test.each([
  ['', 0],
  ['a', 97],
  ['hello', 99162322],
  ['console-consumer-12345', 158455506],
  ['polygenelubricants', -2147483648],
  ['grüße', 98768023],
])('%j has the hash code %i', (text, hash) => {
  expect(javaHashCode(text)).toBe(hash)
})

test('the partition is never negative, not even for the smallest int', () => {
  expect(coordinatorPartition('polygenelubricants', 50)).toBe(0)
  expect(coordinatorPartition('hello', 50)).toBe(99162322 % 50)
})
