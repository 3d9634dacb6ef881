import { KafkaError } from '@millrace/protocol'
import { apiVersionsApi } from '@millrace/protocol/apis/api-versions'
import { encodeResponseFrame } from '@millrace/protocol/internal'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { apiVersionsResponse, SessionDriver } from '../../test/session-driver.ts'

/** Every request has exactly one outcome, and each failure is one of ours. */
function expectSettledOnce(driver: SessionDriver, names: readonly string[]): void {
  expect(driver.outcomes.map(({ name }) => name).toSorted()).toEqual([...names].toSorted())
  expect(driver.outcomes.filter((outcome) => 'error' in outcome && !(outcome.error instanceof KafkaError))).toEqual([])
}

const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 }).map((array) => Buffer.from(array))

test('garbage in place of the answer to ApiVersions ends in a typed error for each request', () => {
  fc.assert(
    fc.property(fc.array(bytes, { minLength: 1, maxLength: 5 }), (chunks) => {
      const driver = new SessionDriver()
      driver.heartbeat('a')
      driver.heartbeat('b')
      driver.connect().receive(...chunks)
      driver.session.transportClosed(null)
      driver.perform()
      expectSettledOnce(driver, ['a', 'b'])
      expect(driver.session.state).toBe('closed')
    }),
    { numRuns: 2_000 },
  )
})

test('an answer to ApiVersions with bytes changed, added or cut never throws out of the session', () => {
  const good = Buffer.concat(encodeResponseFrame(apiVersionsApi, 4, 0, apiVersionsResponse()))
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), fc.boolean(), (at, value, cut, isCut) => {
      const changed = Buffer.from(good)
      changed[at] = value
      const driver = new SessionDriver()
      driver.heartbeat('a')
      driver.connect().receive(isCut ? changed.subarray(0, Math.max(1, cut)) : changed)
      driver.session.transportClosed(new Error('read ECONNRESET'))
      driver.perform()
      expectSettledOnce(driver, ['a'])
      expect(driver.session.state).toBe('closed')
    }),
    { numRuns: 2_000 },
  )
})

test('garbage among good answers: what was answered before stays answered, the rest fails once', () => {
  fc.assert(
    fc.property(fc.nat(4), bytes, (answered, garbage) => {
      const driver = new SessionDriver().ready()
      const names = ['a', 'b', 'c', 'd', 'e']
      for (const name of names) driver.heartbeat(name)
      for (let id = 1; id <= answered; id++) driver.receive(driver.heartbeatAnswer(id))
      driver.receive(garbage)
      driver.session.transportClosed(null)
      driver.perform()
      expectSettledOnce(driver, names)
      expect(driver.settled.slice(0, answered)).toEqual(names.slice(0, answered).map((name) => `${name}: ok`))
    }),
    { numRuns: 2_000 },
  )
})

test('answers with any correlation ids, cut into any chunks: only a prefix in order succeeds', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 8 }),
      fc.array(fc.nat(300), { maxLength: 6 }),
      (ids, cuts) => {
        const driver = new SessionDriver().ready()
        const names = ['a', 'b', 'c', 'd']
        for (const name of names) driver.heartbeat(name)
        const stream = Buffer.concat(ids.map((id) => driver.heartbeatAnswer(id)))
        const edges = [0, ...cuts.map((cut) => Math.min(cut, stream.length)).toSorted((a, b) => a - b), stream.length]
        for (let index = 1; index < edges.length; index++) {
          const chunk = stream.subarray(edges[index - 1], edges[index])
          if (chunk.length > 0) driver.receive(chunk)
        }
        driver.session.transportClosed(null)
        driver.perform()
        expectSettledOnce(driver, names)
        let inOrder = 0
        while (inOrder < names.length && ids[inOrder] === inOrder + 1) inOrder++
        expect(driver.settled.filter((outcome) => outcome.endsWith(': ok'))).toEqual(
          names.slice(0, inOrder).map((name) => `${name}: ok`),
        )
      },
    ),
    { numRuns: 2_000 },
  )
})

test('any sequence of submits, answers, aborts, time and ends settles each request at most once, and in the end exactly once', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('submit' as const), value: fc.integer({ min: 1, max: 3_000 }) }),
    fc.record({ do: fc.constant('answer' as const), value: fc.integer({ min: 0, max: 400 }) }),
    fc.record({ do: fc.constant('abandon' as const), value: fc.nat(20) }),
    fc.record({ do: fc.constant('advance' as const), value: fc.nat(700) }),
    fc.record({ do: fc.constant('writable' as const), value: fc.nat(1) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, maxInFlight) => {
      const driver = new SessionDriver({ maxInFlight }).ready()
      const requests: ReturnType<SessionDriver['heartbeat']>[] = []
      const abandoned = new Set<string>()
      let answered = 1
      for (const { do: what, value } of steps) {
        if (driver.closedWith !== undefined) break
        if (what === 'submit') requests.push(driver.heartbeat(`r${requests.length}`, value))
        else if (what === 'advance') driver.advance(value)
        else if (what === 'writable') driver.session.writable(value === 1, driver.now)
        else if (what === 'answer' && driver.session.inFlightCount > 0)
          driver.receive(driver.heartbeatAnswer(answered++, 0, value > 300 ? value : 0))
        else if (what === 'abandon' && requests[value] !== undefined) {
          const isOpen = requests[value].state === 'queued' || requests[value].state === 'sent'
          if (isOpen) abandoned.add(requests[value].owner)
          driver.session.abandon(requests[value])
        }
        driver.perform()
        expect(driver.session.inFlightCount).toBeLessThanOrEqual(maxInFlight)
      }
      driver.session.close(new KafkaError('CLIENT_CLOSED', 'closed'))
      driver.perform()
      expectSettledOnce(
        driver,
        requests.map(({ owner }) => owner).filter((owner) => !abandoned.has(owner)),
      )
      expect(driver.session.pendingCount).toBe(0)
    }),
    { numRuns: 1_000 },
  )
})
