import { ErrorCode } from '@millrace/protocol'
import { apiVersionsApi, type ApiVersionsRequest } from '@millrace/protocol/apis/api-versions'
import { encodeRequestFrame } from '@millrace/protocol/internal'
import { describe, expect, test } from 'vitest'
import { startBroker, WireClient } from '../../test/core-fixtures.ts'
import { sampleRequest } from '../../test/sample-requests.ts'
import { allHandlers } from './all-handlers.ts'

const REQUEST: ApiVersionsRequest = {
  clientSoftwareName: 'millrace-test',
  clientSoftwareVersion: '1.0',
  clusterId: null,
  nodeId: -1,
}
const PRODUCE_KEY = 0

const advertised = startBroker().client.ask(apiVersionsApi, 4, REQUEST)

test('lists exactly the registered handlers with their ranges, Produce from 0', () => {
  const expected = allHandlers.map(({ api, minVersion, maxVersion }) => {
    return { apiKey: api.key, minVersion: api.key === PRODUCE_KEY ? 0 : minVersion, maxVersion }
  })
  expect(advertised.apiKeys).toEqual(expected.toSorted((a, b) => a.apiKey - b.apiKey))
})

test('finalizes metadata.version and group.version: transactions, share and streams groups are not served', () => {
  expect(advertised.finalizedFeatures).toEqual([
    { name: 'metadata.version', minVersionLevel: 25, maxVersionLevel: 25 },
    { name: 'group.version', minVersionLevel: 1, maxVersionLevel: 1 },
  ])
  expect(advertised.supportedFeatures).toEqual([
    { name: 'metadata.version', minVersion: 25, maxVersion: 25 },
    { name: 'group.version', minVersion: 0, maxVersion: 1 },
  ])
  expect(advertised.finalizedFeaturesEpoch).toBe(0n)
})

test('clients before v4, which cannot read a zero there, are told that features begin at 1', () => {
  const { supportedFeatures } = startBroker().client.ask(apiVersionsApi, 3, REQUEST)
  expect(supportedFeatures).toContainEqual({ name: 'group.version', minVersion: 1, maxVersion: 1 })
})

const versions = allHandlers.flatMap(({ api, minVersion, maxVersion }) =>
  Array.from({ length: maxVersion - minVersion + 1 }, (_, i) => [api.name, minVersion + i, api] as const),
)

test.each(versions)('%s v%i is answered', (name, version, api) => {
  const { client } = startBroker()
  const reply = client.send(api, version, sampleRequest(name, version))()
  expect(client.isClosed).toBe(false)
  expect(reply).toBeTypeOf('object')
})

test.each(allHandlers.filter(({ api }) => api.key !== apiVersionsApi.key))(
  '$api.name outside its range closes the connection',
  (handler) => {
    for (const version of [handler.minVersion - 1, handler.maxVersion + 1]) {
      const frame = Buffer.concat(
        encodeRequestFrame(handler.api, handler.maxVersion, 1, 'c', sampleRequest(handler.api.name, handler.maxVersion)),
      )
      frame.writeInt16BE(version, 6)
      const { core } = startBroker()
      let closed = false
      const session = core.connect({
        write: () => expect.unreachable('an unserved version was answered'),
        close: () => (closed = true),
      })
      session.receive(frame)
      expect(closed).toBe(true)
    }
  },
)

test('an unknown version is answered in v0 with UNSUPPORTED_VERSION and the range of ApiVersions, and the connection lives on', () => {
  const { core } = startBroker()
  const replies: Buffer[] = []
  const session = core.connect({ write: (chunks) => replies.push(Buffer.concat(chunks)), close: () => expect.unreachable() })
  const frame = Buffer.concat(encodeRequestFrame(apiVersionsApi, 5, 77, 'c', REQUEST))
  frame.writeInt16BE(9, 6)
  session.receive(frame)
  // length, correlation id, then v0: error code and an array of (key, min, max).
  expect(replies.map((reply) => reply.toString('hex'))).toEqual([
    ['00000010', '0000004d', '0023', '00000001', '0012', '0000', '0005'].join(''),
  ])
  const next = new WireClient(core)
  expect(next.ask(apiVersionsApi, 0, REQUEST).errorCode).toBe(ErrorCode.NONE)
})

describe('refusals', () => {
  const cases: [string, Partial<ApiVersionsRequest>, number, keyof typeof ErrorCode][] = [
    ['no software name', { clientSoftwareName: '' }, 3, 'INVALID_REQUEST'],
    ['a bad software name', { clientSoftwareName: '-x' }, 3, 'INVALID_REQUEST'],
    ['a bad software version', { clientSoftwareVersion: '1 0' }, 4, 'INVALID_REQUEST'],
    ['another cluster', { clusterId: 'BBBBBBBBBBBBBBBBBBBBBg' }, 5, 'REBOOTSTRAP_REQUIRED'],
    ['another node', { nodeId: 9 }, 5, 'REBOOTSTRAP_REQUIRED'],
  ]
  test.each(cases)('%s', (_, overrides, version, code) => {
    const { client } = startBroker()
    const reply = client.ask(apiVersionsApi, version, { ...REQUEST, ...overrides })
    expect(reply).toMatchObject({ errorCode: ErrorCode[code], apiKeys: [] })
    expect(client.isClosed).toBe(false)
  })

  test('this cluster and this node are right', () => {
    const { client, core } = startBroker()
    const { clusterId, nodeId } = core.services
    expect(client.ask(apiVersionsApi, 5, { ...REQUEST, clusterId, nodeId }).errorCode).toBe(ErrorCode.NONE)
  })
})
