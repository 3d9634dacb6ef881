import fc from 'fast-check'
import { encodeRequestFrame } from '@millrace/protocol/internal'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBroker } from '../../test/core-fixtures.ts'
import { sampleRequest } from '../../test/sample-requests.ts'
import { allHandlers } from '../handlers/all-handlers.ts'

const defects: unknown[] = []
const listen = (event: unknown): unknown => defects.push(event)
beforeAll(() => subscribe('millrace.broker.request.failed', listen))
afterAll(() => void unsubscribe('millrace.broker.request.failed', listen))

const anyRequest = fc.constantFrom(...allHandlers).chain((handler) => {
  return fc.integer({ min: handler.minVersion, max: handler.maxVersion }).map((version) => ({ handler, version }))
})

test('no bytes make a handler throw: a request with bytes changed is answered, parked or refused', () => {
  const change = fc.record({ at: fc.nat(200), value: fc.nat(255) })
  fc.assert(
    fc.property(anyRequest, fc.array(change, { minLength: 1, maxLength: 6 }), ({ handler, version }, changes) => {
      const { core } = startBroker()
      const session = core.connect({ write: () => {}, close: () => {} })
      const frame = Buffer.concat(encodeRequestFrame(handler.api, version, 1, 'fuzz', sampleRequest(handler.api.name, version)))
      // Beyond the length, the API key and the version, which other tests change.
      for (const { at, value } of changes) frame[8 + (at % (frame.length - 8))] = value
      session.receive(frame)
      core.close()
      expect(defects).toEqual([])
    }),
    { numRuns: 1500 },
  )
})

test('random bytes never throw', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 5 }), (chunks) => {
      const session = startBroker().core.connect({ write: () => {}, close: () => {} })
      for (const chunk of chunks) session.receive(Buffer.from(chunk))
      session.closed()
      expect(defects).toEqual([])
    }),
  )
})
