import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { AnyApi } from '../src/api.ts'
import {
  decodeCorrelationId,
  decodeRequestBody,
  decodeRequestHeader,
  decodeResponseBody,
  encodeRequestFrame,
  encodeResponseFrame,
} from '../src/frame.ts'
import { ALL_APIS } from '../src/generated/all-apis.ts'
import { ProtocolError } from '../src/kafka-error.ts'
import { Reader } from '../src/wire/reader.ts'
import { Writer } from '../src/wire/writer.ts'
import { readVectors } from './vector-file.ts'
import type { Vector } from './vector-file.ts'

const vectors = readVectors('apis')

/** Kafka gives out these keys; the four in the middle have had no version since 4.0. */
const REMOVED_KEYS = [4, 5, 6, 7]

describe('the APIs', () => {
  it('are all keys from 0 to 94 that have a version', () => {
    const expected = Array.from({ length: 95 }, (_, key) => key).filter((key) => !REMOVED_KEYS.includes(key))
    expect(ALL_APIS.map((api) => api.key)).toEqual(expected)
  })

  it('have vectors of every message in every version, and the vectors have nothing else', () => {
    const expected = ALL_APIS.flatMap((api) =>
      [`${api.name}Request`, `${api.name}Response`].flatMap((message) =>
        versionsOf(api).map((version) => `${message} v${version}`),
      ),
    )
    const covered = [...vectors.values()].flat().filter((vector) => vector.foreign === null)
    expect([...new Set(covered.map((vector) => `${vector.message} v${vector.version}`))].sort()).toEqual(expected.sort())
  })
})

describe.each(ALL_APIS.map((api) => ({ api, name: api.name })))('$name', ({ api }) => {
  it('reads every request frame of Kafka to the same values and writes the same bytes', () => {
    for (const vector of plainVectors(`${api.name}Request`)) checkRequest(api, vector)
  })

  it('reads every response frame of Kafka to the same values and writes the same bytes', () => {
    for (const vector of plainVectors(`${api.name}Response`)) checkResponse(api, vector)
  })

  it('drops and refuses the same fields that a version does not have', () => {
    for (const [side, encode] of [
      ['Request', api.encodeRequest],
      ['Response', api.encodeResponse],
    ] as const) {
      const foreign = vectors.get(`${api.name}${side}`)!.filter((vector) => vector.foreign !== null)
      expect(foreign.length).toBeGreaterThan(0)
      for (const vector of foreign) checkForeign(encode, vector)
    }
  })
})

function checkRequest(api: AnyApi, vector: Vector): void {
  const header = vector.header!
  const body = Buffer.concat([header.bytes, vector.bytes])
  const reader = new Reader(body)
  expect(decodeRequestHeader(reader)).toEqual({
    apiKey: header.apiKey,
    apiVersion: vector.version,
    correlationId: header.correlationId,
    clientId: header.clientId,
  })
  expectSame(decodeRequestBody(api, vector.version, reader), vector)
  expect(header.apiKey).toBe(api.key)
  if (vector.unknownTags) return
  const written = Buffer.concat(encodeRequestFrame(api, vector.version, header.correlationId, header.clientId, vector.value))
  expectBytes(written, withLength(body), vector)
}

function checkResponse(api: AnyApi, vector: Vector): void {
  const header = vector.header!
  const body = Buffer.concat([header.bytes, vector.bytes])
  const reader = new Reader(body)
  expect(decodeCorrelationId(reader)).toBe(header.correlationId)
  expectSame(decodeResponseBody(api, vector.version, reader), vector)
  if (vector.unknownTags) return
  expectBytes(
    Buffer.concat(encodeResponseFrame(api, vector.version, header.correlationId, vector.value)),
    withLength(body),
    vector,
  )
}

function checkForeign(encode: AnyApi['encodeRequest'], vector: Vector): void {
  const writer = new Writer()
  if (vector.foreign === 'dropped') {
    encode(writer, vector.value, vector.version)
    expectBytes(writer.toBuffer(), vector.bytes, vector)
    return
  }
  let thrown: unknown = null
  try {
    encode(writer, vector.value, vector.version)
  } catch (error) {
    thrown = error
  }
  expect(thrown, `${vector.message} v${vector.version}`).toBeInstanceOf(ProtocolError)
  expect((thrown as ProtocolError).code).toBe('UNSUPPORTED_FIELD')
  expect((thrown as ProtocolError).message).toContain(`${vector.message}.`)
}

/** `toEqual` is slow and only there to show the difference. */
function expectSame(actual: unknown, vector: Vector): void {
  if (!isDeepStrictEqual(actual, vector.value)) expect(actual, `${vector.message} v${vector.version}`).toStrictEqual(vector.value)
}

function expectBytes(actual: Buffer, expected: Buffer, vector: Vector): void {
  if (!actual.equals(expected))
    expect(actual.toString('hex'), `${vector.message} v${vector.version}`).toBe(expected.toString('hex'))
}

function withLength(body: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  return Buffer.concat([length, body])
}

function plainVectors(message: string): Vector[] {
  return vectors.get(message)!.filter((vector) => vector.foreign === null)
}

function versionsOf(api: AnyApi): number[] {
  return Array.from({ length: api.maxVersion - api.minVersion + 1 }, (_, index) => api.minVersion + index)
}
