import { describe, expect, test } from 'vitest'
import { SeededRandom } from './seeded-random.ts'

const draw = (random: SeededRandom, count: number): number[] => Array.from({ length: count }, () => random.uint32())

describe('SeededRandom', () => {
  test('the same seed gives the same sequence, another seed another', () => {
    expect(draw(new SeededRandom(42), 50)).toEqual(draw(new SeededRandom(42), 50))
    expect(draw(new SeededRandom(42), 50)).not.toEqual(draw(new SeededRandom(43), 50))
    expect(draw(new SeededRandom(2 ** 40), 50)).not.toEqual(draw(new SeededRandom(0), 50))
  })

  test('fills its range evenly', () => {
    const random = new SeededRandom(1)
    const counts = new Map<number, number>()
    for (let index = 0; index < 100_000; index++) {
      const drawn = random.between(0, 9)
      counts.set(drawn, (counts.get(drawn) ?? 0) + 1)
    }
    expect(counts.size).toBe(10)
    for (const count of counts.values()) expect(Math.abs(count - 10_000)).toBeLessThan(500)
  })

  test('next stays in [0, 1) and between includes both ends', () => {
    const random = new SeededRandom(3)
    const seen = new Set<number>()
    for (let index = 0; index < 10_000; index++) {
      const value = random.next()
      expect(value >= 0 && value < 1).toBe(true)
      seen.add(random.between(-1, 1))
    }
    expect([...seen].toSorted((left, right) => left - right)).toEqual([-1, 0, 1])
  })

  test('a fork does not move with its parent', () => {
    const parent = new SeededRandom(9)
    const fork = parent.fork()
    const other = new SeededRandom(9).fork()
    draw(parent, 100)
    expect(draw(fork, 20)).toEqual(draw(other, 20))
  })

  test('refuses a seed that is not an integer and an empty list', () => {
    expect(() => new SeededRandom(0.5)).toThrow('0.5')
    expect(() => new SeededRandom(1).pick([])).toThrow('nothing to pick from')
  })
})
