import { describe, expect, test } from 'vitest'
import { SimClock } from './sim-clock.ts'
import { SeededRandom } from './seeded-random.ts'

describe('SimClock', () => {
  test('fires timers by time, and in the order they were set when times are equal', async () => {
    const clock = new SimClock(0)
    const fired: string[] = []
    clock.after(20, () => fired.push(`c@${clock.now()}`))
    clock.after(10, () => fired.push(`a@${clock.now()}`))
    clock.after(10, () => fired.push(`b@${clock.now()}`))
    await clock.advance(15)
    expect(fired).toEqual(['a@10', 'b@10'])
    expect(clock.now()).toBe(15)
    await clock.advance(5)
    expect(fired).toEqual(['a@10', 'b@10', 'c@20'])
  })

  test('orders any set of timers as a sort would', async () => {
    const random = new SeededRandom(7)
    const clock = new SimClock(0)
    const expected: [number, number][] = []
    const fired: [number, number][] = []
    for (let index = 0; index < 500; index++) {
      const delay = random.between(0, 50)
      expected.push([delay, index])
      const timer = clock.after(delay, () => fired.push([delay, index]))
      if (random.chance(0.2)) {
        timer.cancel()
        expected.pop()
      }
    }
    await clock.advance(50)
    expect(fired).toEqual(expected.toSorted((left, right) => left[0] - right[0] || left[1] - right[1]))
  })

  test('lets promises settle between two timers of the same time', async () => {
    const clock = new SimClock(0)
    const seen: string[] = []
    const chained = async (): Promise<void> => {
      for (let depth = 0; depth < 20; depth++) await Promise.resolve()
      seen.push('promise')
    }
    clock.after(1, () => void chained())
    clock.after(1, () => seen.push('second timer'))
    await clock.advance(1)
    expect(seen).toEqual(['promise', 'second timer'])
  })

  test('a timer set by a timer fires in the same advance when it falls due', async () => {
    const clock = new SimClock(1000)
    const times: number[] = []
    const again = (): void => {
      times.push(clock.now())
      if (times.length < 4) clock.after(5, again)
    }
    clock.after(5, again)
    await clock.advance(20)
    expect(times).toEqual([1005, 1010, 1015, 1020])
  })

  test('runUntil stops as soon as the condition holds', async () => {
    const clock = new SimClock(0)
    let ticks = 0
    const tick = (): void => {
      ticks++
      clock.after(10, tick)
    }
    clock.after(10, tick)
    await clock.runUntil(() => ticks === 3)
    expect(clock.now()).toBe(30)
  })

  test('runUntil says so when nothing is left to happen, and when the time is over', async () => {
    const idle = new SimClock(0)
    await expect(idle.runUntil(() => false)).rejects.toThrow('stands still')
    const busy = new SimClock(0)
    const tick = (): void => void busy.after(10, tick)
    tick()
    await expect(busy.runUntil(() => false, 100)).rejects.toThrow('does not hold after 100 ms')
  })

  test('settle gives what the promise gives', async () => {
    const clock = new SimClock(0)
    await expect(clock.settle(clock.sleep(250).then(() => clock.now()))).resolves.toBe(250)
    const failing = clock.sleep(5).then(() => Promise.reject(new Error('as expected')))
    await expect(clock.settle(failing)).rejects.toThrow('as expected')
  })

  test('refuses a delay that is not a number', () => {
    expect(() => new SimClock().after(Number.NaN, () => {})).toThrow('NaN')
  })

  test('counts the timers that will fire', async () => {
    const clock = new SimClock()
    const first = clock.after(10, () => {})
    clock.after(20, () => {})
    first.cancel()
    expect(clock.pendingTimers).toBe(1)
    await clock.advance(20)
    expect(clock.pendingTimers).toBe(0)
  })
})
