import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Deadlines, type Deadline } from './deadlines.ts'

test('runs what is due in order of time and says when to come back', () => {
  const deadlines = new Deadlines()
  const ran: string[] = []
  deadlines.schedule(30, () => ran.push('c'))
  deadlines.schedule(10, () => ran.push('a'))
  deadlines.schedule(20, () => ran.push('b'))
  expect(deadlines.next).toBe(10)
  deadlines.fire(20)
  expect(ran).toEqual(['a', 'b'])
  expect(deadlines.next).toBe(30)
  deadlines.fire(29)
  expect(ran).toEqual(['a', 'b'])
  deadlines.fire(30)
  expect(ran).toEqual(['a', 'b', 'c'])
  expect(deadlines.next).toBe(Infinity)
})

test('what is scheduled while firing and due runs in the same call', () => {
  const deadlines = new Deadlines()
  const ran: number[] = []
  deadlines.schedule(1, (now) => {
    ran.push(1)
    deadlines.schedule(now, () => ran.push(2))
  })
  deadlines.fire(5)
  expect(ran).toEqual([1, 2])
})

test('tells when the next deadline becomes earlier, and only then', () => {
  const earlier: number[] = []
  const deadlines = new Deadlines((at) => earlier.push(at))
  const first = deadlines.schedule(100, () => {})
  deadlines.schedule(200, () => {})
  first.moveTo(150)
  first.moveTo(50)
  expect(earlier).toEqual([100, 50])
})

type Step =
  | { kind: 'schedule'; at: number }
  | { kind: 'move'; which: number; at: number }
  | { kind: 'cancel'; which: number }
  | { kind: 'fire'; by: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('schedule' as const), at: fc.nat(100) }),
  fc.record({ kind: fc.constant('move' as const), which: fc.nat(20), at: fc.nat(100) }),
  fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(20) }),
  fc.record({ kind: fc.constant('fire' as const), by: fc.nat(20) }),
)

test('agrees with a list that is searched', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const deadlines = new Deadlines()
      const handles: Deadline[] = []
      const model: { at: number; active: boolean }[] = []
      const fired: number[] = []
      const expected: number[] = []
      let now = 0
      for (const action of steps) {
        if (action.kind === 'schedule') {
          const id = handles.length
          handles.push(deadlines.schedule(action.at, () => fired.push(id)))
          model.push({ at: action.at, active: true })
        } else if (action.kind === 'fire') {
          now += action.by
          deadlines.fire(now)
          for (const [id, entry] of model.entries()) {
            if (!entry.active || entry.at > now) continue
            entry.active = false
            expected.push(id)
          }
        } else {
          const handle = handles[action.which]
          if (handle === undefined) continue
          const entry = model[action.which]!
          if (action.kind === 'cancel') {
            handle.cancel()
            entry.active = false
          } else {
            handle.moveTo(action.at)
            if (entry.active) entry.at = action.at
          }
        }
        const earliest = Math.min(Infinity, ...model.filter(({ active }) => active).map(({ at }) => at))
        expect(deadlines.next).toBeLessThanOrEqual(earliest)
      }
      expect(fired.toSorted((a, b) => a - b)).toEqual(expected.toSorted((a, b) => a - b))
    }),
  )
})
