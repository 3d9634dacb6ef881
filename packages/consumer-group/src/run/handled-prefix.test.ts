import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DueHeap } from './due-heap.ts'
import { Fifo } from './fifo.ts'
import { HandledPrefix } from './handled-prefix.ts'

test('what lies before the first that is not over, however they end', () => {
  const property = fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(50)), { maxLength: 400 }), (steps) => {
    const prefix = new HandledPrefix()
    const model: Array<{ item: number; offset: number; epoch: number; isOver: boolean }> = []
    let next = 0
    let epoch = -1
    const settle = (): void => {
      while (model[0]?.isOver === true) epoch = model.shift()!.epoch
    }
    for (const [what, which] of steps) {
      const before = model[0]?.item
      const open = model.filter(({ isOver }) => !isOver)
      const chosen = open[which % Math.max(1, open.length)]
      if (what < 2 || chosen === undefined) {
        next += 1 + which
        model.push({ item: prefix.add(next, which), offset: next, epoch: which, isOver: false })
        continue
      }
      if (what === 2) {
        chosen.isOver = true
        settle()
        expect(prefix.end(chosen.item)).toBe(before !== model[0]?.item)
      } else {
        const isHead = chosen === model[0]
        chosen.offset += 0.5
        if (isHead) epoch = -1
        expect(prefix.advance(chosen.item, chosen.offset)).toBe(isHead)
      }
      expect(prefix.has(chosen.item)).toBe(!chosen.isOver)
      expect([prefix.length, prefix.offset]).toEqual([model.length, model[0]?.offset ?? -1])
      expect(prefix.epoch).toBe(epoch)
    }
    prefix.clear()
    expect([prefix.length, prefix.offset]).toEqual([0, -1])
  })
  fc.assert(property)
})

test('a heap gives what is due, earliest first', () => {
  const property = fc.property(fc.array(fc.nat(100)), fc.nat(100), (times, now) => {
    const heap = new DueHeap<number>()
    for (const time of times) heap.add(time, time)
    expect(heap.deadline).toBe(Math.min(Infinity, ...times))
    const taken: number[] = []
    for (let one = heap.take(now); one !== null; one = heap.take(now)) taken.push(one)
    expect(taken).toEqual(times.filter((time) => time <= now).sort((a, b) => a - b))
    expect(heap.size).toBe(times.length - taken.length)
  })
  fc.assert(property)
})

test('a queue gives first what came first', () => {
  const property = fc.property(fc.array(fc.boolean(), { maxLength: 1_000 }), (steps) => {
    const queue = new Fifo<number>()
    const model: number[] = []
    let next = 0
    for (const isPush of steps) {
      if (isPush) {
        queue.push(next)
        model.push(next++)
      } else expect(queue.shift()).toBe(model.shift())
      expect(queue.length).toBe(model.length)
    }
  })
  fc.assert(property)
})
