import fc from 'fast-check'
import { expect, test } from 'vitest'
import { COMPACT_AFTER } from './limits.ts'
import { WaitingLine } from './waiting-line.ts'
import type { WaitingSend } from './waiting-sends.ts'

function send(deadline: number): WaitingSend {
  return { records: [], next: 0, deadline, resolve: null, reject: null, delivery: null, flushes: null }
}

test('is first in, first out, however long it grows', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1_500, max: 1_500 }), { maxLength: 12 }), (moves) => {
      const line = new WaitingLine()
      const model: number[] = []
      let next = 0
      for (const move of moves) {
        for (let count = 0; count < move; count++) {
          line.push(send(next))
          model.push(next++)
        }
        for (let count = 0; count > move && model.length > 0; count--) {
          expect(line.first!.deadline).toBe(model.shift())
          line.removeFirst()
        }
        expect([...line].map(({ deadline }) => deadline)).toEqual(model)
        expect([line.length, line.first?.deadline]).toEqual([model.length, model[0]])
      }
    }),
    { numRuns: 50 },
  )
})

test('clears', () => {
  const line = new WaitingLine()
  for (let deadline = 0; deadline < COMPACT_AFTER; deadline++) line.push(send(deadline))
  line.clear()
  expect([line.length, line.first, [...line]]).toEqual([0, undefined, []])
})
