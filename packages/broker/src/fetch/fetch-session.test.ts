import { ZERO_UUID } from '@millrace/protocol'
import { expect, test } from 'vitest'
import { NOW } from '../../test/log-fixtures.ts'
import { fetchRequest } from '../../test/requests.ts'
import { FETCH_SESSION_EVICTION_MS } from '../limits.ts'
import { FetchSessions } from './fetch-session.ts'
import { FetchTarget } from './fetch-target.ts'

function targets(count: number): FetchTarget[] {
  const asks = Array.from({ length: count }, (_, partition) => ({ topic: 'orders', partition }))
  return fetchRequest(asks).topics.map((topic) => new FetchTarget(topic.topic, ZERO_UUID, topic.partitions[0]!))
}

function cache(capacity: number): FetchSessions {
  let next = 0
  return new FetchSessions(() => (next = (next + 0.1) % 1), capacity)
}

test('a full cache opens no session while its sessions are in use', () => {
  const sessions = cache(2)
  expect(sessions.open(targets(1), false, NOW)).not.toBeNull()
  expect(sessions.open(targets(1), false, NOW)).not.toBeNull()
  expect(sessions.open(targets(50), false, NOW + FETCH_SESSION_EVICTION_MS)).toBeNull()
  expect(sessions.size).toBe(2)
})

test('the session that was unused for longest gives way', () => {
  const sessions = cache(2)
  const first = sessions.open(targets(5), false, NOW)!
  const second = sessions.open(targets(5), false, NOW)!
  sessions.plan(fetchRequest([], { sessionId: first.id, sessionEpoch: 1 }), false, NOW + 1000)
  const later = NOW + FETCH_SESSION_EVICTION_MS + 1
  expect(sessions.open(targets(1), false, later)).not.toBeNull()
  const plan = (id: number, sessionEpoch: number): number =>
    sessions.plan(fetchRequest([], { sessionId: id, sessionEpoch }), false, later).errorCode
  expect([plan(first.id, 2), plan(second.id, 1)]).toEqual([0, 70])
})

test('an old session gives way to a larger one, not to one of its size', () => {
  const sessions = cache(1)
  const old = sessions.open(targets(5), false, NOW)!
  const later = NOW + FETCH_SESSION_EVICTION_MS + 1
  sessions.plan(fetchRequest([], { sessionId: old.id, sessionEpoch: 1 }), false, later)
  expect(sessions.open(targets(5), false, later)).toBeNull()
  expect(sessions.open(targets(6), false, later)).not.toBeNull()
  expect(sessions.size).toBe(1)
})

test('session ids are positive and their epochs wrap to 1', () => {
  const sessions = cache(10)
  const session = sessions.open(targets(1), false, NOW)!
  session.epoch = 0x7fff_ffff
  expect(sessions.plan(fetchRequest([], { sessionId: session.id, sessionEpoch: 0x7fff_ffff }), false, NOW).sessionEpoch).toBe(1)
  expect(session.id).toBeGreaterThan(0)
})
