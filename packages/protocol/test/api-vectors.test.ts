import { inspect, isDeepStrictEqual } from 'node:util'
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

const SHOW = { depth: 20, maxStringLength: 200 }

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
    expect(plainVectors(`${api.name}Request`).flatMap((vector) => requestProblems(api, vector))).toEqual([])
  })

  it('reads every response frame of Kafka to the same values and writes the same bytes', () => {
    expect(plainVectors(`${api.name}Response`).flatMap((vector) => responseProblems(api, vector))).toEqual([])
  })

  it('drops and refuses the same fields that a version does not have', () => {
    const requests = foreignVectors(`${api.name}Request`)
    const responses = foreignVectors(`${api.name}Response`)
    expect(requests.length * responses.length).toBeGreaterThan(0)
    expect([
      ...requests.flatMap((vector) =>
        foreignProblems((writer) => api.encodeRequest(writer, vector.value, vector.version), vector),
      ),
      ...responses.flatMap((vector) =>
        foreignProblems((writer) => api.encodeResponse(writer, vector.value, vector.version), vector),
      ),
    ]).toEqual([])
  })
})

function requestProblems(api: AnyApi, vector: Vector): string[] {
  const header = vector.header!
  const body = Buffer.concat([header.bytes, vector.bytes])
  const reader = new Reader(body)
  const read = decodeRequestHeader(reader)
  const expected = { apiKey: api.key, apiVersion: vector.version, correlationId: header.correlationId, clientId: header.clientId }
  const value = decodeRequestBody(api, vector.version, reader)
  const problems = [
    ...difference('header', read, expected, vector),
    ...difference('value', value, vector.value, vector),
    ...difference('bytes left', reader.remaining, 0, vector),
  ]
  if (vector.unknownTags) return problems
  const written = encodeRequestFrame(api, vector.version, header.correlationId, header.clientId, vector.value)
  return [...problems, ...difference('bytes', Buffer.concat(written), withLength(body), vector)]
}

function responseProblems(api: AnyApi, vector: Vector): string[] {
  const header = vector.header!
  const body = Buffer.concat([header.bytes, vector.bytes])
  const reader = new Reader(body)
  const correlationId = decodeCorrelationId(reader)
  const value = decodeResponseBody(api, vector.version, reader)
  const problems = [
    ...difference('header', correlationId, header.correlationId, vector),
    ...difference('value', value, vector.value, vector),
  ]
  if (vector.unknownTags) return problems
  const written = encodeResponseFrame(api, vector.version, header.correlationId, vector.value)
  return [...problems, ...difference('bytes', Buffer.concat(written), withLength(body), vector)]
}

function foreignProblems(encode: (writer: Writer) => void, vector: Vector): string[] {
  const writer = new Writer()
  try {
    encode(writer)
  } catch (error) {
    const named =
      error instanceof ProtocolError && error.code === 'UNSUPPORTED_FIELD' && error.message.startsWith(`${vector.message}.`)
    return named && vector.foreign === 'refused' ? [] : [`${vector.message} v${vector.version}: ${String(error)}`]
  }
  if (vector.foreign === 'refused') return [`${vector.message} v${vector.version}: written, but Kafka refuses it`]
  return difference('bytes', writer.toBuffer(), vector.bytes, vector)
}

function difference(what: string, actual: unknown, expected: unknown, vector: Vector): string[] {
  if (isDeepStrictEqual(actual, expected)) return []
  return [`${what} of ${vector.message} v${vector.version}: ${inspect(actual, SHOW)} instead of ${inspect(expected, SHOW)}`]
}

function withLength(body: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  return Buffer.concat([length, body])
}

function plainVectors(message: string): Vector[] {
  return vectors.get(message)!.filter((vector) => vector.foreign === null)
}

function foreignVectors(message: string): Vector[] {
  return vectors.get(message)!.filter((vector) => vector.foreign !== null)
}

function versionsOf(api: AnyApi): number[] {
  return Array.from({ length: api.maxVersion - api.minVersion + 1 }, (_, index) => api.minVersion + index)
}
