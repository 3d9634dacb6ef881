import { apiVersionsApi } from '@millrace/protocol/apis/api-versions'
import { heartbeatApi } from '@millrace/protocol/apis/heartbeat'
import { produceApi } from '@millrace/protocol/apis/produce'
import { expect, test } from 'vitest'
import { startBroker, WireClient } from '../../test/core-fixtures.ts'
import { batchOf, NOW } from '../../test/log-fixtures.ts'
import { produceRequest } from '../../test/requests.ts'
import { QUEUED_REQUESTS_MAX } from '../limits.ts'

const beat = { groupId: 'g', generationId: 0, memberId: 'm', groupInstanceId: null }

test('the reply leaves at once; what was sent before or after it waits, in order, until the time is over', () => {
  const { core, client, clock } = startBroker()
  core.door.faults.add({ api: 'Heartbeat', answer: { throttleTimeMs: 500 } })
  const replies = [1, 2, 3].map(() => client.send(heartbeatApi, 4, beat))
  expect(replies.map((reply) => reply()?.throttleTimeMs)).toEqual([500, undefined, undefined])
  clock.advance(499)
  const late = client.send(heartbeatApi, 4, beat)
  expect(replies[1]!()).toBeNull()
  // Other connections are not held back.
  expect(new WireClient(core).ask(heartbeatApi, 4, beat).throttleTimeMs).toBe(0)
  clock.advance(1)
  expect([...replies, late].map((reply) => reply()?.throttleTimeMs)).toEqual([500, 0, 0, 0])
})

test('the journal tells whether the client kept quiet: a request has the time at which it came, not at which it was served', () => {
  const { core, client, clock } = startBroker()
  const { faults, requests } = core.door
  requests.start()
  faults.add({ api: 'Heartbeat', answer: { throttleTimeMs: 500 } })
  client.ask(heartbeatApi, 4, beat)
  clock.advance(100)
  client.send(heartbeatApi, 4, beat)
  clock.advance(1000)
  client.ask(heartbeatApi, 4, beat)
  expect(requests.list().map(({ at, answeredAt }) => [at - NOW, answeredAt! - NOW])).toEqual([
    [0, 0],
    [100, 500],
    [1100, 1100],
  ])
})

test.each([0, 1, 3])('ApiVersions v%i is throttled like any other request', (version) => {
  const { core, client, clock } = startBroker()
  core.door.faults.add({ api: 'ApiVersions', answer: { throttleTimeMs: 70 } })
  const request = { clientSoftwareName: 'a', clientSoftwareVersion: '1', clusterId: null, nodeId: -1 }
  expect(client.ask(apiVersionsApi, version, request).throttleTimeMs).toBe(version === 0 ? 0 : 70)
  const next = client.send(heartbeatApi, 4, beat)
  expect(next()).toBeNull()
  clock.advance(70)
  expect(next()).not.toBeNull()
})

test('a Produce without acks silences its connection too, and so does a late or failed reply once it left', () => {
  const { core, client, clock, createTopic } = startBroker()
  createTopic('orders')
  const { faults } = core.door
  faults.add({ api: 'Produce', answer: { throttleTimeMs: 100 } })
  faults.add({ api: 'Heartbeat', answer: { error: 'NOT_COORDINATOR', delayMs: 30, throttleTimeMs: 100 } })
  client.send(produceApi, 12, produceRequest('orders', batchOf(['a']), { acks: 0 }))
  const [late, last] = [client.send(heartbeatApi, 4, beat), client.send(heartbeatApi, 4, beat)]
  clock.advance(129)
  expect(late()).toBeNull()
  clock.advance(1)
  expect(late()).toMatchObject({ throttleTimeMs: 100 })
  clock.advance(99)
  expect(last()).toBeNull()
  clock.advance(1)
  expect(last()).not.toBeNull()
})

test('a connection that ends while it is silenced leaves no timer behind, and its input is held back meanwhile', () => {
  const { core, clock } = startBroker()
  const { pending } = clock
  core.door.faults.add({ api: 'Heartbeat', answer: { throttleTimeMs: 500 } })
  const client = new WireClient(core)
  for (let i = 0; i <= QUEUED_REQUESTS_MAX; i++) client.send(heartbeatApi, 4, beat)
  expect([clock.pending, client.isPaused]).toEqual([pending + 1, true])
  client.disconnect()
  expect(clock.pending).toBe(pending)
})
