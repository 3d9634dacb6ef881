import fc from 'fast-check'
import { expect, test } from 'vitest'
import { COMPACT_AFTER } from './limits.ts'
import { WaitingLine } from './waiting-line.ts'
import { waitingSend, type WaitingSend } from './waiting-sends.ts'

function send(deadline: number): WaitingSend {
  return waitingSend({ topic: 't', records: [], deadline })
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

test('gives up any send, wherever it stands, once', () => {
  const places = fc.array(fc.nat(COMPACT_AFTER * 4), { maxLength: 200 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: COMPACT_AFTER * 4 }), places, fc.nat(300), (count, aborted, taken) => {
      const line = new WaitingLine()
      let model = Array.from({ length: count }, (_, deadline) => send(deadline))
      for (const one of model) line.push(one)
      for (const start of aborted) {
        for (const one of model.slice(start, start + 50)) {
          expect([line.remove(one), line.remove(one)]).toEqual([true, false])
        }
        model = model.filter(({ isOver }) => !isOver)
        expect([line.length, line.first?.deadline]).toEqual([model.length, model[0]?.deadline])
      }
      for (let index = 0; index < Math.min(taken, model.length); index++) {
        expect(line.first).toBe(model[index])
        line.removeFirst()
      }
      expect([...line].map(({ deadline }) => deadline)).toEqual(model.slice(taken).map(({ deadline }) => deadline))
      line.push(send(-1))
      expect([...line].at(-1)!.deadline).toBe(-1)
    }),
    { numRuns: 30 },
  )
})

test('clears', () => {
  const line = new WaitingLine()
  for (let deadline = 0; deadline < COMPACT_AFTER; deadline++) line.push(send(deadline))
  line.clear()
  expect([line.length, line.first, [...line]]).toEqual([0, undefined, []])
})
