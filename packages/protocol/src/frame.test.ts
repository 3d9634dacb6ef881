import { describe, expect, it } from 'vitest'
import { decodeCorrelationId, decodeRequestHeader, decodeResponseBody, encodeRequestFrame, encodeResponseFrame } from './frame.ts'
import { apiVersionsApi } from './generated/api-versions.ts'
import { heartbeatApi } from './generated/heartbeat.ts'
import { produceApi } from './generated/produce.ts'
import { ProtocolError } from './kafka-error.ts'
import { Reader } from './wire/reader.ts'
import { ZERO_UUID } from './wire/fields.ts'

const heartbeat = { throttleTimeMs: 0, errorCode: 27 }

describe('frames', () => {
  it('have a response header with tagged fields exactly when the version is flexible', () => {
    const classic = Buffer.concat(encodeResponseFrame(heartbeatApi, 3, 9, heartbeat))
    const flexible = Buffer.concat(encodeResponseFrame(heartbeatApi, 4, 9, heartbeat))
    expect(classic.toString('hex')).toBe('0000000a 00000009 00000000 001b'.replaceAll(' ', ''))
    expect(flexible.toString('hex')).toBe('0000000c 00000009 00 00000000 001b 00'.replaceAll(' ', ''))
  })

  it('answer ApiVersions with the oldest header in every version, so that anyone can read it', () => {
    for (let version = apiVersionsApi.minVersion; version <= apiVersionsApi.maxVersion; version++) {
      const response = {
        errorCode: 35,
        apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 5 }],
        throttleTimeMs: 0,
        supportedFeatures: [],
        finalizedFeaturesEpoch: -1n,
        finalizedFeatures: [],
        zkMigrationReady: false,
      }
      const frame = Buffer.concat(encodeResponseFrame(apiVersionsApi, version, 1, response))
      // The error code follows the correlation id with nothing between.
      expect(frame.readInt16BE(8)).toBe(35)
      const reader = new Reader(frame.subarray(4))
      expect(decodeCorrelationId(reader)).toBe(1)
      expect(decodeResponseBody(apiVersionsApi, version, reader)).toEqual(response)
    }
  })

  it('carry record batches without a copy', () => {
    const records = Buffer.alloc(20_000, 5)
    const request = {
      transactionalId: null,
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 't', topicId: ZERO_UUID, partitionData: [{ index: 0, records }] }],
    }
    const chunks = encodeRequestFrame(produceApi, 12, 1, 'p', request)
    expect(chunks.some((chunk) => chunk.buffer === records.buffer && chunk.length === records.length)).toBe(true)
    const frame = Buffer.concat(chunks)
    expect(frame.readInt32BE(0)).toBe(frame.length - 4)
  })

  it('refuse a request header that ends too early', () => {
    const frame = Buffer.concat(
      encodeRequestFrame(heartbeatApi, 4, 1, 'client', { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null }),
    )
    for (let length = 0; length < 10 + 'client'.length; length++) {
      expect(() => decodeRequestHeader(new Reader(frame.subarray(4, 4 + length)))).toThrow(ProtocolError)
    }
  })

  it('refuse a version that the API does not have, in both directions', () => {
    expect(() => encodeResponseFrame(heartbeatApi, 5, 1, heartbeat)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_VERSION', message: 'HeartbeatResponse has no version 5; it has 0 to 4' }),
    )
    expect(() => decodeResponseBody(heartbeatApi, -1, new Reader(Buffer.alloc(20)))).toThrow(
      'HeartbeatResponse has no version -1',
    )
  })
})
