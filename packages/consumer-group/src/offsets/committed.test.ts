import { expect, test } from 'vitest'
import { Committed } from './committed.ts'

test('nothing that was committed is taken back', () => {
  const committed = new Committed()
  expect(committed.isBehind(0, 0)).toBe(true)
  committed.made(5, 0)
  expect([4, 5, 6].map((offset) => committed.isBehind(offset, 0))).toEqual([false, false, true])
  // The application may commit less itself; what it handled goes on from there.
  committed.made(2, 0)
  expect(committed.isBehind(3, 0)).toBe(true)
})

test('what may be committed puts what lies before it in doubt, and is committed again itself', () => {
  const committed = new Committed()
  committed.made(3, 0)
  committed.perhapsMade(7, 0)
  committed.perhapsMade(5, 0)
  expect([6, 7, 8].map((offset) => committed.isInDoubt(offset, 0))).toEqual([true, false, false])
  expect(committed.isBehind(7, 0)).toBe(true)
  committed.made(5, 0)
  expect(committed.isInDoubt(6, 0)).toBe(false)
  expect([5, 6].map((offset) => committed.isBehind(offset, 0))).toEqual([false, true])
})

test('after a seek anything may be committed, but what was asked for before it does not take back what was committed then', () => {
  const committed = new Committed()
  committed.made(15, 0)
  committed.forget()
  expect(committed.era).toBe(1)
  expect(committed.isBehind(0, 1)).toBe(true)
  committed.made(16, 0)
  expect(committed.isBehind(15, 0)).toBe(false)
  expect(committed.isBehind(17, 0)).toBe(true)
  committed.made(1, 1)
  committed.forget()
  expect([committed.isBehind(99, 0), committed.isBehind(2, 1), committed.isBehind(0, 2)]).toEqual([false, true, true])
})

test('the offset that is found does not count where another one was committed meanwhile', () => {
  const committed = new Committed()
  committed.found(10)
  expect(committed.isBehind(10, 0)).toBe(false)
  committed.forget()
  committed.made(50, 1)
  committed.found(10)
  expect(committed.isBehind(11, 1)).toBe(false)
})
