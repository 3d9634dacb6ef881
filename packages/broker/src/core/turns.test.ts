import { expect, test } from 'vitest'
import { Turns } from './turns.ts'

test('what a step puts off runs in order when the outermost step is over', () => {
  const turns = new Turns()
  const order: string[] = []
  turns.run(() => {
    turns.after(() => {
      order.push('first')
      turns.after(() => order.push('put off by the first'))
    })
    turns.run(() => turns.after(() => order.push('second')))
    order.push('step')
  })
  expect(order).toEqual(['step', 'first', 'second', 'put off by the first'])
})

test('outside a step it runs when the caller has returned', async () => {
  const turns = new Turns()
  const order: string[] = []
  turns.after(() => order.push('after'))
  order.push('caller')
  await Promise.resolve()
  expect(order).toEqual(['caller', 'after'])
})

test('a step that throws does not keep later ones from running', () => {
  const turns = new Turns()
  expect(() =>
    turns.run(() => {
      throw new Error('boom')
    }),
  ).toThrow('boom')
  let ran = false
  turns.run(() => turns.after(() => (ran = true)))
  expect(ran).toBe(true)
})
