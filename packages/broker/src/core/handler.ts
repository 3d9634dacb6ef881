import type { Api } from '@millrace/protocol'
import type { ErrorShape } from '../faults/error-shape.ts'
import type { BrokerServices } from './services.ts'
import type { Deferred } from './deferred.ts'

/** What a handler returns when the client expects no reply (Produce with acks=0). */
export const NO_RESPONSE: unique symbol = Symbol('no response')

/** The connection that a request came on, as far as handlers may use it. */
export interface ConnectionInfo {
  /** Unique for the life of this broker. */
  readonly id: number
  /** Where the client is, for DescribeGroups: `/127.0.0.1`. */
  readonly clientHost: string
  /** From ApiVersions v3 and above; empty before. */
  clientSoftwareName: string
  clientSoftwareVersion: string
  /** Whether the connection is gone: a parked reply need not be computed. */
  readonly isClosed: boolean
  /** Cuts the connection, as Kafka does for a failed Produce with acks=0. */
  close(reason: string): void
  /** Calls `listener` once when the connection ends; returns a function that takes the listener away. */
  onClose(listener: () => void): () => void
}

export interface RequestContext {
  readonly broker: BrokerServices
  /** When the request was read, milliseconds since 1970. */
  readonly now: number
  readonly version: number
  readonly clientId: string | null
  readonly connection: ConnectionInfo
  /** `action` runs once the reply's bytes are with the operating system, so that nobody looks at them any more; never if they do not get there. */
  whenSent(action: () => void): void
}

/**
 * One API as this broker serves it. The version range is what ApiVersions advertises, so it must be true.
 * Handlers are thin: check, ask the one owner of the state, shape the reply. They do not throw for anything a client sent.
 */
export interface Handler<Request, Response> {
  readonly api: Api<Request, Response>
  readonly minVersion: number
  readonly maxVersion: number
  /** How the API says that something failed: for faults that a test sets, and never for what the handler itself refuses. */
  readonly errors: ErrorShape<Request, Response>
  handle(request: Request, context: RequestContext): Response | Deferred<Response> | typeof NO_RESPONSE
}

// oxlint-disable-next-line typescript/no-explicit-any -- variance: the router's table holds handlers of every message type
export type AnyHandler = Handler<any, any>
