import { expect, test } from 'vitest'
import { AfterTurn } from './after-turn.ts'

test('it acts once after the turn, however often it was asked to, and again when asked while it acts', async () => {
  let times = 0
  const afterTurn: AfterTurn = new AfterTurn(() => {
    if (++times === 1) afterTurn.schedule()
  })
  afterTurn.schedule()
  afterTurn.schedule()
  expect(times).toBe(0)
  await Promise.resolve()
  expect(times).toBe(1)
  await Promise.resolve()
  expect(times).toBe(2)
  await Promise.resolve()
  expect(times).toBe(2)
})
