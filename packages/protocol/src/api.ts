import type { Reader } from './wire/reader.ts'
import type { Writer } from './wire/writer.ts'

/**
 * One API of the protocol with all its versions, in both directions. The generated files export one each.
 * All fields of a message are present whatever the version: what a version does not carry decodes to its default,
 * and encoding a field that the version cannot carry throws `UNSUPPORTED_FIELD` unless Kafka marks it ignorable.
 */
export interface Api<Request, Response> {
  readonly key: number
  /** Kafka's name, without `Request` or `Response`: `Produce`. */
  readonly name: string
  readonly minVersion: number
  readonly maxVersion: number
  /** The highest version that Kafka calls stable; `maxVersion` may lie one above it. */
  readonly maxStableVersion: number
  /** First version with compact lengths and tagged fields; `Infinity` if there is none. */
  readonly requestFlexibleSince: number
  readonly responseFlexibleSince: number
  encodeRequest(writer: Writer, request: Request, version: number): void
  decodeRequest(reader: Reader, version: number): Request
  encodeResponse(writer: Writer, response: Response, version: number): void
  decodeResponse(reader: Reader, version: number): Response
}

/** An API whose message types do not matter here: routing tables, negotiation, headers. */
// oxlint-disable-next-line typescript/no-explicit-any -- variance: no single message type fits every API
export type AnyApi = Api<any, any>
