import type { Api, AnyApi } from './api.ts'
import { ProtocolError } from './kafka-error.ts'
import type { Reader } from './wire/reader.ts'
import { Writer } from './wire/writer.ts'

const API_VERSIONS_KEY = 18

/** What every request begins with (request header v1, or v2 when the version is flexible). */
export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
}

/**
 * A whole request frame, its length first, as chunks in order. Byte fields of 1 KiB and more are not copied: they must
 * not change until the frame is sent.
 *
 * @throws ProtocolError `UNSUPPORTED_VERSION`, `UNSUPPORTED_FIELD` or `VALUE_OUT_OF_RANGE`
 */
export function encodeRequestFrame<Request>(
  api: Api<Request, unknown>,
  version: number,
  correlationId: number,
  clientId: string | null,
  request: Request,
): Buffer[] {
  const writer = new Writer()
  writer.int32(0)
  writer.int16(api.key)
  writer.int16(version)
  writer.int32(correlationId)
  writer.nullableString(clientId)
  if (version >= api.requestFlexibleSince) writer.unsignedVarint(0)
  api.encodeRequest(writer, request, version)
  return finishFrame(writer)
}

/**
 * A whole response frame, its length first; otherwise as `encodeRequestFrame`.
 *
 * @throws ProtocolError `UNSUPPORTED_VERSION`, `UNSUPPORTED_FIELD` or `VALUE_OUT_OF_RANGE`
 */
export function encodeResponseFrame<Response>(
  // oxlint-disable-next-line typescript/no-explicit-any -- variance: the request's type does not matter here
  api: Api<any, Response>,
  version: number,
  correlationId: number,
  response: Response,
): Buffer[] {
  const writer = new Writer()
  writer.int32(0)
  writer.int32(correlationId)
  if (hasTaggedResponseHeader(api, version)) writer.unsignedVarint(0)
  api.encodeResponse(writer, response, version)
  return finishFrame(writer)
}

/**
 * Reads the fields that every header version shares, from a frame without its length. The rest of the header depends
 * on the API: `decodeRequestBody` reads it.
 *
 * @throws ProtocolError `CORRUPT_FRAME`
 */
export function decodeRequestHeader(reader: Reader): RequestHeader {
  return { apiKey: reader.int16(), apiVersion: reader.int16(), correlationId: reader.int32(), clientId: reader.nullableString() }
}

/**
 * Bytes after the last field are let pass, as Kafka does (AbstractRequest.parseRequest): librdkafka sends some with a
 * Metadata request for all topics in flexible versions.
 *
 * @throws ProtocolError `UNSUPPORTED_VERSION` or `CORRUPT_FRAME`
 */
export function decodeRequestBody<Request>(api: Api<Request, unknown>, version: number, reader: Reader): Request {
  if (version >= api.requestFlexibleSince) reader.skipTaggedFields()
  return api.decodeRequest(reader, version)
}

/** The correlation id of a response frame without its length; `decodeResponseBody` reads the rest. */
export function decodeCorrelationId(reader: Reader): number {
  return reader.int32()
}

/**
 * The rest of a response frame after the correlation id.
 *
 * @throws ProtocolError `UNSUPPORTED_VERSION` or `CORRUPT_FRAME`, also for bytes after the last field
 */
// oxlint-disable-next-line typescript/no-explicit-any -- variance: the request's type does not matter here
export function decodeResponseBody<Response>(api: Api<any, Response>, version: number, reader: Reader): Response {
  if (hasTaggedResponseHeader(api, version)) reader.skipTaggedFields()
  return readWhole(api, version, reader, api.decodeResponse(reader, version))
}

/** ApiVersions always answers with header v0, so that a client can read the answer before it knows any version (KIP-511). */
function hasTaggedResponseHeader(api: AnyApi, version: number): boolean {
  return version >= api.responseFlexibleSince && api.key !== API_VERSIONS_KEY
}

function finishFrame(writer: Writer): Buffer[] {
  const size = writer.length - 4
  writer.patchInt32AtStart(size)
  return writer.finish()
}

function readWhole<Message>(api: AnyApi, version: number, reader: Reader, message: Message): Message {
  if (reader.remaining === 0) return message
  throw new ProtocolError('CORRUPT_FRAME', `${reader.remaining} bytes left after ${api.name} v${version}`)
}
