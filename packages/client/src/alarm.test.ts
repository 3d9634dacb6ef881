import { SimClock } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Alarm } from './alarm.ts'
import { MAX_TIMER_MS } from './limits.ts'

function alarmed(): { clock: SimClock; alarm: Alarm; rung: number[]; begin: number } {
  const clock = new SimClock()
  const begin = clock.now()
  const rung: number[] = []
  return { clock, alarm: new Alarm(clock, () => rung.push(clock.now() - begin)), rung, begin }
}

test('it rings once, at the earliest of its times, and can be set again', async () => {
  const { clock, alarm, rung, begin } = alarmed()
  alarm.set(begin + 50)
  alarm.set(begin + 20)
  alarm.set(begin + 30)
  alarm.set(Infinity)
  expect(clock.pendingTimers).toBe(1)
  await clock.advance(100)
  expect(rung).toEqual([20])
  alarm.set(begin + 130)
  await clock.advance(100)
  expect(rung).toEqual([20, 130])
})

test('it rings at once for a time that is past', async () => {
  const { clock, alarm, rung, begin } = alarmed()
  alarm.set(begin - 5)
  await clock.advance(0)
  expect(rung).toEqual([0])
})

test('once cancelled it does not ring, until it is set again', async () => {
  const { clock, alarm, rung, begin } = alarmed()
  alarm.set(begin + 20)
  alarm.cancel()
  await clock.advance(100)
  expect(rung).toEqual([])
  alarm.set(begin + 150)
  await clock.advance(100)
  expect(rung).toEqual([150])
})

test('it rings early when a timer cannot be set so far ahead, and no timer is set for Infinity', async () => {
  const delays: number[] = []
  const clock = { now: () => 0, after: (delayMs: number) => (delays.push(delayMs), { cancel: () => {} }) }
  const alarm = new Alarm(clock, () => {})
  alarm.set(Infinity)
  expect(delays).toEqual([])
  alarm.set(2 * MAX_TIMER_MS)
  expect(delays).toEqual([MAX_TIMER_MS])
})
